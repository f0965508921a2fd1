"""The no-loss rule over every queue: how a crash ended, and where it is then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from socorro_processor.app.crash_steps import Result
from socorro_processor.app.delivery_handler import EXCHANGE_INTERVAL, DeliveryHandler
from socorro_processor.app.outage_breaker import OutageBreaker
from socorro_processor.app.watchdog import Watchdog
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.crashqueue.history import History
from socorro_processor.crashqueue.outcomes import Outcomes
from socorro_processor.errors import (
    CrashIDNotFound,
    MalformedCrash,
    NotSavedError,
    PermanentStorageError,
    ProcessingEnvironmentError,
    TransientStorageError,
)
from socorro_processor.monitoring.blame_counter import OTHERS
from socorro_processor.monitoring.health import Health
from tests.contract.queue_backends import Processor, QueueBackend
from tests.integration.rabbitmq_broker import Broker
from tests.system.daemon import eventually
from tests.unit.crashqueue.machine import Machine

MAXIMUM_ATTEMPTS = 5
FEW_ATTEMPTS = 2
LONGEST_DELAY = 60.0
DEATH_NOTICED = 1.5
MOST_DEATHS = 2 + MAXIMUM_ATTEMPTS

NOT_FOUND = CrashIDNotFound("there is no such crash")
AWAY = TransientStorageError("the service is away")
NO_WALKER = ProcessingEnvironmentError("no stackwalker")
TOO_LARGE = PermanentStorageError("too large")

BACKENDS: dict[str, Callable[[Path], QueueBackend]] = {
    "sqlite": lambda directory: Machine(directory / "queue.sqlite"),
    "rabbitmq": lambda directory: Broker(retry_delays="0.2"),
}


class CrashSteps:
    """Ends the crashes in ``errors`` as they say, and saves the others."""

    def __init__(self) -> None:
        self.errors: dict[str, Exception] = {}
        self.attempts: list[int] = []

    def run(self, crash_id: str, *, attempt: int, first_time: bool, is_new: bool, history: History) -> Result:
        if error := self.errors.get(crash_id):
            self.attempts.append(attempt)
            raise error
        return Result("main", True, {})


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[QueueBackend]:
    backend = BACKENDS[request.param](tmp_path)
    yield backend
    backend.close()


@pytest.fixture
def steps() -> CrashSteps:
    return CrashSteps()


def handler_of(
    processor: Processor,
    steps: CrashSteps,
    clock: Callable[[], float] = time.monotonic,
    maximum_attempts: int = MAXIMUM_ATTEMPTS,
) -> DeliveryHandler:
    return DeliveryHandler(
        processor.queue, steps, OutageBreaker(Health()), Watchdog(900.0), maximum_attempts, clock=clock
    )


def process(backend: QueueBackend, processor: Processor, steps: CrashSteps, deliveries: int) -> None:
    """Handle as many, as long as there are any; delays end where nothing else is left."""
    handler = handler_of(processor, steps)
    for _ in range(deliveries):
        delivery = processor.take()
        if delivery is None:
            backend.wait(LONGEST_DELAY)
            delivery = processor.take()
        if delivery is None:
            return
        handler.handle(delivery)


class Installation:
    """Eight processors that take turns, and hear from each other how crashes ended."""

    def __init__(self, backend: QueueBackend, steps: CrashSteps) -> None:
        self._backend = backend
        self._now = 0.0
        self.processors = [backend.start() for _ in range(8)]
        self.queue = self.processors[0].queue
        self._handlers = [
            handler_of(processor, steps, lambda: self._now, FEW_ATTEMPTS) for processor in self.processors
        ]
        self._wait_until_all_hear_all()

    def submit(self, number: int) -> list[str]:
        crash_ids = [new_crash_id() for _ in range(number)]
        for crash_id in crash_ids:
            self.queue.submit(crash_id)
        return crash_ids

    def rounds(self, number: int) -> None:
        """In each of them every processor handles one crash, if it is given one; they tell and hear of outcomes."""
        for _ in range(number):
            self._exchange()
            for processor, handler in zip(self.processors, self._handlers, strict=True):
                if delivery := processor.take():
                    handler.handle(delivery)
            self._exchange()

    def _wait_until_all_hear_all(self) -> None:
        """What is told before they listen is lost, as it may be."""
        for processor in self.processors:
            assert processor.take() is None
        names = {f"processor {number}" for number in range(len(self.processors))}
        heard: list[set[str]] = [{name} for name in sorted(names)]

        def all_hear_all() -> bool:
            for number, (processor, known) in enumerate(zip(self.processors, heard, strict=True)):
                processor.queue.tell(Outcomes(took={f"processor {number}": 1}))
                known.update(*(outcomes.took for outcomes in processor.queue.told()))
            return all(known == names for known in heard)

        eventually(all_hear_all, lambda: heard)

    def _exchange(self) -> None:
        self._now += 2 * EXCHANGE_INTERVAL
        for handler in self._handlers:
            handler.exchange_outcomes()

    def assert_left(self, expected: tuple[int, int, int]) -> None:
        for processor in self.processors[1:]:
            processor.queue.close()  # RabbitMQ does not count what these have taken
        assert_left(self.queue, expected)

    def end_delays(self) -> None:
        self._backend.wait(LONGEST_DELAY)


def assert_left(queue: CrashQueueBase, expected: tuple[int, int, int]) -> None:
    """In the queues, parked, rejected: soon, for RabbitMQ counts no crash on its way from a delay to its queue."""

    def left() -> tuple[int, int, int]:
        depths = queue.depths()
        in_queues = sum(depth.waiting + depth.delayed + depth.in_flight for depth in depths.queues.values())
        return in_queues + depths.suspect, depths.parked, depths.rejected

    eventually(lambda: left() == expected, left)


@pytest.mark.parametrize(
    ("error", "attempts", "expected"),
    [
        (NOT_FOUND, [1, 1, 1, 1], (0, 0, 1)),
        (AWAY, [1] * 7, (1, 0, 0)),
        (NO_WALKER, [1] * 7, (1, 0, 0)),
        (MemoryError("no memory"), [1] * 7, (1, 0, 0)),
        (TOO_LARGE, [1, 2, 3, 4, 5], (0, 1, 0)),
        (KeyError("a bug"), [1, 2, 3, 4, 5], (0, 1, 0)),
        (MalformedCrash("no JSON object"), [1], (0, 1, 0)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_how_often_a_crash_is_tried_and_where_it_ends(backend, steps, error, attempts, expected):
    processor = backend.start()
    crash_id = new_crash_id()
    steps.errors[crash_id] = error
    processor.queue.submit(crash_id, "priority")
    processor.queue.submit(new_crash_id())
    process(backend, processor, steps, deliveries=8)
    assert steps.attempts == attempts
    assert_left(processor.queue, expected)
    kept = [*processor.queue.set_aside("parked"), *processor.queue.set_aside("rejected")]
    assert [(crash.crash_id, crash.queue) for crash in kept] == [(crash_id, "priority")] * sum(expected[1:])
    for crash in kept:
        assert str(error).strip("'") in crash.reason or type(error).__name__ in crash.reason
        assert crash.attempts == attempts[-1]


def test_what_is_no_crash_id_is_rejected_with_the_reason(backend, steps):
    processor = backend.start()
    processor.queue.submit("../../etc/passwd")
    process(backend, processor, steps, deliveries=1)
    (kept,) = processor.queue.set_aside("rejected")
    assert (kept.crash_id, kept.queue) == ("../../etc/passwd", "normal")
    assert "not a crash id" in kept.reason
    assert_left(processor.queue, (0, 0, 1))


def test_a_crash_over_which_every_processor_dies_is_parked_after_its_attempts(backend, steps):
    crash_id = new_crash_id()
    backend.start().queue.submit(crash_id)
    deaths = 0
    while (delivery := (processor := backend.start()).take()).attempt <= MAXIMUM_ATTEMPTS:
        processor.queue.begin(delivery)
        processor.die()
        deaths += 1
        assert deaths <= MOST_DEATHS
        backend.wait(DEATH_NOTICED)
    handler = handler_of(processor, steps)
    handler.handle(delivery)
    backend.wait(LONGEST_DELAY)
    handler.handle(processor.take())
    (kept,) = processor.queue.set_aside("parked")
    assert (kept.crash_id, kept.reason) == (crash_id, "the processor died in each of 5 attempts")
    assert deaths == MAXIMUM_ATTEMPTS + (0 if backend.knows_what_had_begun else 2)


def test_ten_different_crashes_in_a_row_that_fail_of_their_own_park_none(backend, steps):
    processor = backend.start()
    crash_ids = [new_crash_id() for _ in range(10)]
    steps.errors = dict.fromkeys(crash_ids, KeyError("a broken deploy"))
    for crash_id in crash_ids:
        processor.queue.submit(crash_id)
    process(backend, processor, steps, deliveries=10 * (MAXIMUM_ATTEMPTS + 1))
    processor.queue.close()
    processor = backend.start()
    process(backend, processor, steps, deliveries=20)
    assert_left(processor.queue, (10, 0, 0))
    steps.errors = {}
    process(backend, processor, steps, deliveries=20)
    assert_left(processor.queue, (0, 0, 0))


EIGHT_ON = {
    "sqlite": BACKENDS["sqlite"],
    # A longer delay than a few rounds take; and none has more than its share.
    "rabbitmq": lambda directory: Broker(retry_delays="6", prefetch=1),
}


@pytest.fixture(params=EIGHT_ON)
def installation(request: pytest.FixtureRequest, tmp_path: Path, steps: CrashSteps) -> Iterator[Installation]:
    backend = EIGHT_ON[request.param](tmp_path)
    yield Installation(backend, steps)
    backend.close()


def test_with_eight_processors_crashes_that_fail_in_a_row_park_none(installation, steps):
    steps.errors = dict.fromkeys(installation.submit(12), KeyError("a broken deploy"))
    for _ in range(FEW_ATTEMPTS + 3):
        installation.rounds(2)
        installation.end_delays()
    installation.assert_left((12, 0, 0))


def test_with_eight_processors_a_crash_that_alone_always_times_out_is_parked(installation, steps):
    (guilty,) = installation.submit(1)
    steps.errors[guilty] = NotSavedError(
        "storage2: timed out", unsaved=["storage2"], away=["storage2"], took=["storage0", "storage1"], result="r"
    )
    for _ in range(4 * FEW_ATTEMPTS):
        # On a slow machine it may come back before twenty others are saved: then it is not at fault once more.
        if installation.queue.depths().parked:
            break
        installation.submit(OTHERS + 4)
        installation.rounds(4)
        installation.end_delays()
    installation.rounds(2)  # of what is left
    installation.assert_left((0, 1, 0))
    (kept,) = installation.queue.set_aside("parked")
    assert kept.crash_id == guilty
    assert "of this crash alone" in kept.reason


def test_with_eight_processors_what_is_not_found_is_rejected_after_four_looks(installation, steps):
    steps.errors = dict.fromkeys(installation.submit(16), NOT_FOUND)
    while len(steps.attempts) < 4 * 16:
        installation.rounds(2)
        installation.end_delays()
    installation.assert_left((0, 0, 16))


def test_attempts_and_retries_are_remembered_by_the_queue_when_the_processor_dies(backend, steps):
    processor = backend.start()
    crash_id = new_crash_id()
    processor.queue.submit(crash_id)
    steps.errors[crash_id] = TOO_LARGE
    for attempt in range(1, MAXIMUM_ATTEMPTS):
        delivery = processor.take()
        assert (delivery.attempt, delivery.retries) == (attempt, attempt - 1)
        handler_of(processor, steps).handle(delivery)
        processor.die()
        processor = backend.start()
        backend.wait(LONGEST_DELAY)
