"""The no-loss rule: what the queue is told for each way in which a crash can end."""

import errno
import json
import logging
import os
from dataclasses import replace

import pytest

from socorro_processor.app.crash_steps import Result
from socorro_processor.app.delivery_handler import DeliveryHandler
from socorro_processor.app.outage_breaker import OutageBreaker
from socorro_processor.app.watchdog import Watchdog
from socorro_processor.configuration import RequiredConfig, defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.errors import (
    ConfigurationError,
    CrashIDNotFound,
    CrashQueueError,
    MalformedCrash,
    NotSavedError,
    PermanentStorageError,
    PolyStorageError,
    ProcessingEnvironmentError,
    TransientStorageError,
)
from socorro_processor.monitoring import log
from socorro_processor.monitoring.audit import AuditLog
from socorro_processor.monitoring.blame_counter import OTHERS
from socorro_processor.monitoring.health import Health
from socorro_processor.monitoring.metrics import METRICS

MAXIMUM_ATTEMPTS = 5


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class ScriptedSteps:
    """Ends every crash in the same way, saved or with an error, except those that have an error of their own."""

    def __init__(self):
        self.error = None
        self.errors = {}
        self.runs = []
        self.new = []
        self.kept_because = ""

    def run(self, crash_id, *, attempt, first_time, is_new, history):
        self.runs.append((attempt, first_time))
        self.new.append(is_new)
        if error := self.errors.get(crash_id, self.error):
            raise error
        return Result("main", True, {"fetch": 0.1}, self.kept_because)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def queue(tmp_path, clock):
    queue = SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=str(tmp_path / "queue"), idle_delay=0.0), clock=clock)
    yield queue
    queue.close()


@pytest.fixture
def health():
    health = Health()
    health.resolve("start")
    return health


@pytest.fixture
def steps():
    return ScriptedSteps()


@pytest.fixture
def new_handler(queue, steps, health, clock):
    """The handler of a processor that has just started."""
    return lambda **options: DeliveryHandler(
        queue, steps, OutageBreaker(health, clock), Watchdog(900.0), MAXIMUM_ATTEMPTS, **options
    )


@pytest.fixture
def handler(new_handler):
    return new_handler()


@pytest.fixture
def deliver(queue, handler, clock):
    """Hand every crash that is due to the handler, and those that come due later, up to ``rounds`` times."""

    def deliver(rounds=1):
        deliveries = queue.new_crashes()
        for _ in range(rounds):
            clock.now += 61
            while (delivery := next(deliveries)) is not None:
                handler.handle(delivery)

    return deliver


def left(queue):
    depths = queue.depths()
    total = [
        sum(getattr(depth, name) for depth in depths.queues.values()) for name in ("waiting", "delayed", "in_flight")
    ]
    return {
        "waiting": total[0],
        "delayed": total[1],
        "in flight": total[2],
        "parked": depths.parked,
        "rejected": depths.rejected,
    }


NOTHING = {"waiting": 0, "delayed": 0, "in flight": 0, "parked": 0, "rejected": 0}


def test_a_crash_that_is_saved_leaves_the_queue(queue, deliver, steps):
    queue.submit(new_crash_id())
    deliver()
    assert left(queue) == NOTHING
    assert steps.runs == [(1, True)]


@pytest.mark.parametrize(
    "body", ["no id", "", "../../etc/passwd", "00000000-0000-0000-0000-000000261399", "\x00\ud800"]
)
def test_an_invalid_crash_id_is_rejected_with_the_reason_and_never_fetched(queue, deliver, steps, body):
    queue.submit(body)
    deliver()
    assert left(queue) == NOTHING | {"rejected": 1}
    assert (
        "not a crash id" in next(queue.set_aside("rejected")).reason
        or "not a date" in next(queue.set_aside("rejected")).reason
    )
    assert steps.runs == []


def test_a_crash_that_is_not_found_is_tried_again_three_times_then_rejected(queue, deliver, steps):
    steps.error = CrashIDNotFound("there is no such crash")
    queue.submit(new_crash_id())
    deliver(10)
    assert len(steps.runs) == 4
    assert left(queue) == NOTHING | {"rejected": 1}


def test_a_crash_that_is_not_found_is_rejected_within_five_minutes_even_after_many_retries(
    queue, deliver, steps, clock
):
    queue.submit(new_crash_id())
    steps.error = TransientStorageError("the service is away")
    deliver(10)
    steps.error = CrashIDNotFound("there is no such crash")
    deliver(1)
    first = clock.now
    while left(queue)["delayed"]:
        deliver(1)
    assert left(queue) == NOTHING | {"rejected": 1}
    assert clock.now - first <= 300


def test_a_crash_that_is_not_found_after_other_failures_is_still_looked_for_three_times(queue, deliver, steps):
    queue.submit(new_crash_id())
    steps.error = PermanentStorageError("too large")
    deliver(3)
    steps.error = CrashIDNotFound("there is no such crash")
    deliver(2)
    steps.error = None
    deliver(1)
    assert left(queue) == NOTHING
    assert [attempt for attempt, _ in steps.runs] == [1, 2, 3, 4, 4, 4]


@pytest.mark.parametrize(
    "error",
    [
        TransientStorageError("the service is away"),
        PolyStorageError({"storage0": PermanentStorageError("too large"), "storage1": TransientStorageError("away")}),
        ProcessingEnvironmentError("no stackwalker"),
        OSError(errno.ENOSPC, "No space left on device"),
        MemoryError(),
        RuntimeError("can't start new thread"),
    ],
)
def test_a_failure_that_is_not_the_crashs_fault_is_retried_for_ever_and_not_counted(
    queue, deliver, steps, health, error
):
    steps.error = error
    queue.submit(new_crash_id())
    deliver(30)
    assert left(queue) == NOTHING | {"delayed": 1}
    assert {attempt for attempt, _ in steps.runs} == {1}
    assert health.problems().keys() == {"processing"}


AWAY = PolyStorageError({"storage2": TransientStorageError("timed out")})
PARTLY_AWAY = NotSavedError(
    "no such index", unsaved=["storage2"], away=["storage2"], took=["storage1"], result="r", partly_away=True
)


def test_a_crash_that_alone_times_out_at_a_store_which_saves_others_is_parked(queue, deliver, steps):
    crash_id = new_crash_id()
    steps.errors[crash_id] = AWAY
    queue.submit(crash_id)
    for _ in range(MAXIMUM_ATTEMPTS + 1):
        for _ in range(OTHERS):
            queue.submit(new_crash_id())
        deliver()
    assert left(queue) == NOTHING | {"parked": 1}
    assert "this crash alone fails" in next(queue.set_aside("parked")).reason


def test_a_crash_that_needs_a_part_of_a_store_which_is_away_is_not_at_fault(queue, deliver, steps):
    crash_id = new_crash_id()
    steps.errors[crash_id] = PARTLY_AWAY
    queue.submit(crash_id)
    for _ in range(3 * MAXIMUM_ATTEMPTS):
        for _ in range(OTHERS):
            queue.submit(new_crash_id())
        deliver()
    assert left(queue) == NOTHING | {"delayed": 1}


def test_a_crash_whose_store_saved_few_others_meanwhile_is_not_at_fault(queue, deliver, steps):
    crash_id = new_crash_id()
    steps.errors[crash_id] = AWAY
    queue.submit(crash_id)
    for _ in range(3 * MAXIMUM_ATTEMPTS):
        for _ in range(OTHERS - 2):
            queue.submit(new_crash_id())
        deliver()
    assert left(queue) == NOTHING | {"delayed": 1}


def test_crashes_that_other_stores_saved_say_nothing_about_the_store_that_is_away(queue, deliver, steps):
    steps.error = AWAY
    for _ in range(2 * OTHERS):
        queue.submit(new_crash_id())
    deliver(3 * MAXIMUM_ATTEMPTS)
    assert left(queue) == NOTHING | {"delayed": 2 * OTHERS}


def test_once_the_store_is_back_the_crash_is_saved_and_the_processor_ready(queue, deliver, steps, health):
    steps.error = TransientStorageError("the service is away")
    queue.submit(new_crash_id())
    deliver(3)
    steps.error = None
    deliver()
    assert left(queue) == NOTHING
    assert health.problems() == {}
    assert steps.runs[-1] == (1, False)


@pytest.mark.parametrize(
    "error",
    [
        PermanentStorageError("the document is too large"),
        PolyStorageError({"storage0": PermanentStorageError("too large")}),
        KeyError("a bug outside the rules"),
    ],
)
def test_a_crash_that_is_at_fault_is_parked_after_all_attempts(queue, deliver, steps, error):
    steps.error = error
    queue.submit(new_crash_id(), "priority")
    deliver(10)
    assert [attempt for attempt, _ in steps.runs] == [1, 2, 3, 4, 5]
    assert left(queue) == NOTHING | {"parked": 1}
    parked = next(queue.set_aside("parked"))
    assert parked.attempts == MAXIMUM_ATTEMPTS
    assert parked.queue == "priority"


def test_a_crash_that_cannot_be_read_is_parked_at_once_with_the_reason(queue, deliver, steps):
    steps.error = MalformedCrash("the raw crash is no JSON object")
    queue.submit(new_crash_id())
    deliver()
    assert len(steps.runs) == 1
    assert next(queue.set_aside("parked")).reason == "the raw crash is no JSON object"


def test_ten_different_crashes_in_a_row_that_are_at_fault_pause_the_processor_and_none_is_parked(
    queue, deliver, steps, health
):
    steps.error = KeyError("a broken deploy")
    for _ in range(12):
        queue.submit(new_crash_id())
    deliver(8)
    assert left(queue) == NOTHING | {"delayed": 12}
    assert "different crashes in a row failed" in health.problems()["processing"]


def test_a_requeued_crash_starts_from_the_beginning(queue, deliver, steps):
    steps.error = MalformedCrash("broken")
    queue.submit(new_crash_id())
    deliver()
    steps.error = None
    assert queue.requeue(next(queue.set_aside("parked")))
    deliver()
    assert left(queue) == NOTHING
    assert steps.runs == [(1, True), (1, True)]


def test_a_crash_that_killed_the_processor_in_every_attempt_is_parked_without_another(queue, handler, steps):
    queue.submit(new_crash_id())
    queue.submit(new_crash_id())
    deliveries = filter(None, queue.new_crashes())
    handler.handle(next(deliveries))
    handler.handle(replace(next(deliveries), attempt=MAXIMUM_ATTEMPTS + 1))
    assert len(steps.runs) == 1
    assert "the processor died" in next(queue.set_aside("parked")).reason


def test_any_number_of_crashes_that_killed_processors_are_parked_once_another_is_saved(queue, handler, clock, health):
    poison = [new_crash_id() for _ in range(25)]
    for crash_id in poison:
        queue.submit(crash_id)
    deliveries = queue.new_crashes()
    for _ in range(2):
        clock.now += 61
        while (delivery := next(deliveries)) is not None:
            handler.handle(replace(delivery, attempt=MAXIMUM_ATTEMPTS + 1))
    assert left(queue) == NOTHING | {"delayed": 25}
    queue.submit(new_crash_id())
    handler.handle(next(filter(None, deliveries)))
    clock.now += 61
    while (delivery := next(deliveries)) is not None:
        handler.handle(replace(delivery, attempt=MAXIMUM_ATTEMPTS + 1))
    assert {crash.crash_id for crash in queue.set_aside("parked")} == set(poison)
    assert health.problems() == {}


@pytest.mark.parametrize("attempt", [MAXIMUM_ATTEMPTS, MAXIMUM_ATTEMPTS + 1])
def test_new_processors_that_cannot_save_any_crash_park_none(queue, new_handler, steps, clock, attempt):
    steps.error = KeyError("a broken deploy")
    for _ in range(12):
        queue.submit(new_crash_id())
    for _ in range(6):
        handler = new_handler()
        deliveries = queue.new_crashes()
        for _ in range(2):
            clock.now += 61
            while (delivery := next(deliveries)) is not None:
                handler.handle(replace(delivery, attempt=attempt))
    assert left(queue) == NOTHING | {"delayed": 12}


def test_a_new_processor_parks_a_crash_that_fails_once_more_though_there_is_no_other(queue, new_handler, steps, clock):
    steps.error = PermanentStorageError("too large")
    queue.submit(new_crash_id())
    for _ in range(MAXIMUM_ATTEMPTS + 1):
        handler = new_handler()
        clock.now += 61
        handler.handle(next(filter(None, queue.new_crashes())))
    assert left(queue) == NOTHING | {"delayed": 1}
    clock.now += 61
    handler.handle(next(filter(None, queue.new_crashes())))
    assert left(queue) == NOTHING | {"parked": 1}


def test_a_queue_that_cannot_be_reached_costs_neither_the_thread_nor_the_crash(queue, handler, steps, caplog):
    queue.submit(new_crash_id())
    delivery = next(delivery for delivery in queue.new_crashes() if delivery)

    def away(delivery):
        raise CrashQueueError("the disk is full")

    queue.ack = away
    handler.handle(delivery)
    assert "it will come again: the disk is full" in caplog.text


def test_one_log_line_describes_a_saved_crash(queue, deliver, caplog):
    crash_id = new_crash_id()
    queue.submit(crash_id)
    with caplog.at_level(logging.INFO):
        deliver()
    (record,) = [record for record in caplog.records if "saved" in record.message]
    assert record.message == f"{crash_id} saved"
    assert record.fields.pop("seconds") < 60
    assert record.fields == {"queue": "normal", "attempt": 1, "signature": "main", "success": True, "fetch": 0.1}


class Logging(RequiredConfig):
    required_config = log.required_config


@pytest.fixture
def audit(tmp_path):
    audit = AuditLog(defaults(Logging, audit_file=str(tmp_path / "audit"), format="json"))
    yield audit
    audit.close()


def test_a_crash_that_keeps_its_earlier_result_is_acknowledged_counted_and_written_to_log_and_audit_file(
    queue, steps, new_handler, audit, tmp_path, caplog
):
    steps.kept_because = "there is no dump any more"
    crash_id = new_crash_id()
    queue.submit(crash_id, "reprocessing")
    before = METRICS.snapshot().counters.get(("crash.kept_earlier", (("queue", "reprocessing"),)), 0)
    with caplog.at_level(logging.INFO):
        new_handler(audit=audit).handle(next(queue.new_crashes()))
    assert left(queue) == NOTHING
    assert METRICS.snapshot().counters["crash.kept_earlier", (("queue", "reprocessing"),)] == before + 1
    (line,) = (tmp_path / "audit").read_text().splitlines()
    said = json.loads(line)
    assert said["message"] == f"{crash_id} keeps its earlier result"
    assert said["because"] == "there is no dump any more"
    assert said["by"]
    assert [record.getMessage() for record in caplog.records] == [said["message"], f"{crash_id} saved"]


def test_a_kept_earlier_result_is_written_to_the_audit_file_before_the_queue_forgets_the_crash(
    queue, steps, new_handler, audit, tmp_path, monkeypatch
):
    steps.kept_because = "there is no dump any more"
    queue.submit(crash_id := new_crash_id())
    written = []
    ack = queue.ack

    def acknowledged(delivery):
        written.append(crash_id in (tmp_path / "audit").read_text())
        ack(delivery)

    monkeypatch.setattr(queue, "ack", acknowledged)
    new_handler(audit=audit).handle(next(queue.new_crashes()))
    assert written == [True]


def test_the_audit_file_may_be_rotated(audit, tmp_path):
    audit.write_kept("a", "worse")
    (tmp_path / "audit").rename(tmp_path / "audit.1")
    audit.write_kept("b", "worse")
    assert [json.loads((tmp_path / name).read_text())["message"][0] for name in ("audit.1", "audit")] == ["a", "b"]


def test_an_audit_file_that_cannot_be_written_costs_neither_the_crash_nor_the_line(
    queue, steps, new_handler, audit, tmp_path, caplog
):
    steps.kept_because = "there is no dump any more"
    (tmp_path / "audit").unlink()
    (tmp_path / "audit").mkdir()
    queue.submit(crash_id := new_crash_id())
    new_handler(audit=audit).handle(next(queue.new_crashes()))
    assert left(queue) == NOTHING
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert errors == [
        f"cannot write logging.audit_file: Is a directory: {crash_id} keeps its earlier result: "
        "there is no dump any more"
    ]


def test_a_pipe_is_not_an_audit_file(tmp_path, caplog):
    os.mkfifo(tmp_path / "pipe")
    config = defaults(Logging, audit_file=str(tmp_path / "pipe"))
    with pytest.raises(ConfigurationError, match=r"cannot write logging\.audit_file"):
        AuditLog(config)
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(ConfigurationError, match="a pipe is not a file"):
            AuditLog(config)
        AuditLog(config, needs_file=False).close()
    finally:
        os.close(reader)
    assert "a pipe is not a file; its lines are only in this log" in caplog.text


@pytest.mark.parametrize(("name", "is_new"), [("normal", True), ("priority", False), ("reprocessing", False)])
def test_a_crash_of_the_normal_queue_counts_as_new(queue, handler, steps, name, is_new):
    queue.submit(new_crash_id(), name)
    handler.handle(next(queue.new_crashes()))
    assert steps.new == [is_new]


def test_an_invalid_id_cannot_forge_a_log_line(queue, deliver, caplog):
    queue.submit("x\n2026-11-23T00:00:00Z INFO forged" + "y" * 10_000)
    deliver()
    assert "\n2026" not in caplog.text
    assert len(caplog.text) < 2_000
