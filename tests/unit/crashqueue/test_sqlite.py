from __future__ import annotations

import logging
import math
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.base import Delivery, this_process
from socorro_processor.crashqueue.options import parse_delays
from socorro_processor.crashqueue.sqlite.crashqueue import OLDEST, SQLiteCrashQueue
from socorro_processor.crashqueue.sqlite.schema import SCHEMA_1
from socorro_processor.errors import ConfigurationError, CrashQueueError
from socorro_processor.monitoring.metrics import METRICS
from tests.unit.crashqueue.machine import Machine, Processor

DEADLINE = 20.0
DEATH_NOTICED = 1.5
LEASE_TIME = 60.0


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path / "queue.sqlite")
    yield machine
    machine.close()


def taken(processor: Processor) -> Delivery:
    delivery = processor.take()
    assert delivery is not None, "there is a crash, but it was not delivered"
    return delivery


def submitted(processor: Processor, *crash_ids: str) -> Processor:
    for crash_id in crash_ids:
        processor.queue.submit(crash_id)
    return processor


def suspects(machine: Machine, *crash_ids: str) -> Processor:
    """Return a processor that may take these crashes after the two deaths that make them suspects."""
    submitted(machine.start(), *crash_ids)
    for _ in range(2):
        processor = machine.start()
        for _ in crash_ids:
            processor.queue.begin(taken(processor))
        processor.die()
        machine.wait(DEATH_NOTICED)
    return machine.start()


def watch(machine: Machine, processor: Processor, seconds: float) -> list[Delivery]:
    """Return the crashes that ``processor`` takes while it looks continuously."""
    seen = processor.take_all()
    for _ in range(int(seconds)):
        machine.wait(1.0)
        seen += processor.take_all()
    return seen


# Leases


def test_a_processor_that_hangs_loses_its_crashes_once_its_lease_has_run_out(machine):
    hanging, other = submitted(machine.start(), "one"), machine.start()
    hanging.queue.begin(taken(hanging))
    assert watch(machine, other, LEASE_TIME - 2) == []
    (again,) = watch(machine, other, 4)
    assert (again.crash_id, again.attempt) == ("one", 2)


def test_a_crash_that_takes_many_minutes_stays_with_a_processor_that_renews_its_lease(machine):
    busy, other = submitted(machine.start(), "one"), machine.start()
    delivery = taken(busy)
    for _ in range(40):
        assert watch(machine, other, 15) == []
        busy.beat()
    busy.queue.ack(delivery)
    assert other.queue.depths().queues["normal"].waiting == 0


def test_ending_a_crash_that_a_hanging_processor_has_lost_changes_nothing(machine):
    hanging, other = submitted(machine.start(), "one"), machine.start()
    late = taken(hanging)
    (again,) = watch(machine, other, LEASE_TIME + 1)
    hanging.queue.ack(late)
    hanging.queue.park(late, "late")
    hanging.queue.retry(late, "late", transient=False)
    other.queue.begin(again)
    other.queue.ack(again)
    assert other.queue.depths().parked == 0


def test_a_crash_that_was_lost_before_it_was_begun_must_be_dropped(machine):
    hanging, other = submitted(machine.start(), "one"), machine.start()
    late = taken(hanging)
    watch(machine, other, LEASE_TIME + 1)
    with pytest.raises(CrashQueueError, match="its lease has run out"):
        hanging.queue.begin(late)


def test_a_lost_crash_is_not_taken_again_by_the_processor_that_still_works_on_it(machine):
    stalled, other = submitted(machine.start(), "one", "next"), machine.start()
    delivery = taken(stalled)
    stalled.queue.begin(delivery)
    other.queue.begin(taken(other))
    for _ in range(int(LEASE_TIME)):
        other.beat()
        machine.wait(1.5)
        # Free the crashes of the stalled processor, and take none of them.
        other.queue._leases.free_the_dead()
    submitted(other, "one", "later")
    assert [delivery.crash_id for delivery in stalled.take_all()] == ["later"]
    stalled.queue.ack(delivery)
    again = taken(stalled)
    assert (again.crash_id, again.attempt) == ("one", 2)


def test_a_machine_that_slept_gives_its_processors_time_to_renew_before_it_judges_them(machine):
    busy, other = submitted(machine.start(), "one"), machine.start()
    delivery = taken(busy)
    assert other.take() is None
    machine.wait(8 * 3600)
    assert other.take() is None
    busy.beat()
    assert watch(machine, other, LEASE_TIME / 2) == []
    busy.queue.begin(delivery)


@pytest.mark.parametrize("days", [-400, 400])
def test_no_change_of_the_wall_clock_moves_a_lease_or_a_delay(machine, days):
    processor, other = submitted(machine.start(), "one", "two"), machine.start()
    delivery = taken(processor)
    processor.queue.retry(taken(processor), "the reason", transient=True)
    machine.set_wall_clock(days)
    assert watch(machine, other, 0) == []
    processor.queue.begin(delivery)


def test_after_a_reboot_all_that_was_in_flight_or_delayed_is_back_at_once(machine):
    processor = submitted(machine.start(), "begun", "leased", "delayed")
    processor.queue.begin(taken(processor))
    taken(processor)
    processor.queue.retry(taken(processor), "the reason", transient=True)
    machine.reboot()
    again = machine.start().take_all()
    assert [(delivery.crash_id, delivery.attempt) for delivery in again] == [
        ("begun", 2),
        ("leased", 1),
        ("delayed", 1),
    ]


def test_a_lease_of_another_boot_is_void_even_if_its_owner_seems_to_live(machine):
    living = submitted(machine.start(), "one")
    taken(living)
    machine.boot = "boot 2"
    assert taken(machine.start()).crash_id == "one"


def test_a_lease_whose_owner_file_was_removed_by_hand_ends_by_time(machine):
    processor, other = submitted(machine.start(), "one"), machine.start()
    taken(processor)
    (owner_file,) = Path(f"{machine.path}.owners").iterdir()
    owner_file.unlink()
    assert watch(machine, other, LEASE_TIME - 2) == []
    assert [delivery.crash_id for delivery in watch(machine, other, 4)] == ["one"]


def test_files_of_dead_owners_are_removed_and_the_processors_own_at_the_end(machine):
    for _ in range(3):
        processor = submitted(machine.start(), "one")
        taken(processor)
        processor.die()
        machine.wait(DEATH_NOTICED)
    last = machine.start()
    taken(last)
    assert len(list(Path(f"{machine.path}.owners").iterdir())) == 1
    last.queue.close()
    assert list(Path(f"{machine.path}.owners").iterdir()) == []


@pytest.mark.parametrize("given_back_by", ["release", "retry", "close"])
def test_a_crash_that_was_given_back_counts_as_not_begun_until_it_begins_again(machine, given_back_by):
    processor = submitted(machine.start(), "one")
    processor.queue.begin(delivery := taken(processor))
    if given_back_by == "release":
        processor.queue.release(delivery)
    elif given_back_by == "retry":
        processor.queue.retry(delivery, "the reason", transient=True)
    else:
        processor.queue.close()
    machine.wait(DEATH_NOTICED)
    second = machine.start()
    taken(second)
    second.die()
    machine.wait(DEATH_NOTICED)
    assert taken(machine.start()).attempt == 1


def test_other_files_beside_those_of_owners_keep_no_crash_from_being_delivered(machine):
    for name in ("lost+found", "0" * 32):
        Path(f"{machine.path}.owners", name).mkdir(parents=True)
    assert taken(submitted(machine.start(), "one")).crash_id == "one"


def test_a_processor_that_takes_nothing_is_no_owner(machine):
    machine.start().take()
    assert not Path(f"{machine.path}.owners").exists()


def test_a_lease_too_short_to_be_renewed_in_time_is_refused(machine):
    with pytest.raises(ConfigurationError, match="lease_time 2: must be at least 10 s"):
        machine.start(lease_time=2.0)


# Retries


def test_each_retry_waits_longer_and_the_last_delay_holds_for_all_later_ones(machine):
    processor = submitted(machine.start(retry_delays="1, 5, 15, 30, 60"), "one")
    for delay in (1, 5, 15, 30, 60, 60, 60):
        processor.queue.retry(taken(processor), "the reason", transient=True)
        machine.wait(delay - 0.5)
        assert processor.take() is None
        machine.wait(0.5)
    assert taken(processor).retries == 7


def fail(processor: Processor, *crash_ids: str) -> None:
    """Take these crashes, as many as there are, and have them tried again."""
    for crash_id in crash_ids:
        delivery = taken(processor)
        assert delivery.crash_id == crash_id
        processor.queue.retry(delivery, "the reason", transient=True)


def test_crashes_that_come_again_are_delivered_after_those_that_were_not_tried_yet(machine):
    processor = submitted(machine.start(), "one", "two", "three", "four")
    fail(processor, "one", "two")
    machine.wait(1.0)
    assert [delivery.crash_id for delivery in processor.take_all()] == ["three", "one", "four", "two"]


def test_each_fourth_crash_is_one_that_comes_again_however_many_were_not_tried_yet(machine):
    processor = submitted(machine.start(), *(f"failing {number}" for number in range(3)))
    fail(processor, "failing 0", "failing 1", "failing 2")
    machine.wait(1.0)
    submitted(processor, *(f"new {number}" for number in range(12)))
    taken_now = [delivery.crash_id for delivery in processor.take_all()]
    assert [place for place, crash_id in enumerate(taken_now) if crash_id.startswith("failing")] == [0, 4, 8]


def test_crashes_that_come_again_go_round_in_the_order_in_which_they_were_due(machine):
    processor = submitted(machine.start(retry_delays="1"), "one", "two", "three")
    fail(processor, "one", "two", "three")
    for crash_id in ["one", "two", "three"] * 3:
        machine.wait(1.0)
        fail(processor, crash_id)


def test_crashes_that_fail_again_and_again_keep_no_good_one_waiting(machine):
    processor = submitted(machine.start(), *(f"failing {number}" for number in range(20)))
    submitted(processor, *(f"good {number}" for number in range(10)))
    saved = []
    for _ in range(40):
        # Slower than every delay: all earlier failures are due again.
        machine.wait(60.0)
        processor.beat()
        delivery = taken(processor)
        if delivery.crash_id.startswith("good"):
            processor.queue.ack(delivery)
            saved.append(delivery.crash_id)
        else:
            processor.queue.retry(delivery, "the reason", transient=True)
    assert saved == [f"good {number}" for number in range(10)]


def test_delays_from_before_a_reboot_put_no_crash_behind_those_of_today(machine):
    machine.wait(1_000_000)
    processor = submitted(machine.start(), "before", "after")
    fail(processor, "before")
    machine.wait(1.0)
    fail(processor, "after")
    machine.wait(1.0)
    processor.queue.release(taken(processor))
    machine.reboot()
    processor = machine.start()
    fail(processor, "before")
    machine.wait(5.0)
    assert [delivery.crash_id for delivery in processor.take_all()] == ["after", "before"]


def test_probing_delivers_the_crash_without_fault_that_is_due_first(machine):
    processor = submitted(machine.start(retry_delays="1, 30"), "late", "soon", "own")
    fail(processor, "late")
    machine.wait(1.0)
    soon, own, late = processor.take_all()
    processor.queue.retry(late, "the reason", transient=True)
    processor.queue.retry(soon, "the reason", transient=True)
    processor.queue.retry(own, "the reason", transient=False)
    for expected in (["soon"], ["late"], []):
        processor.queue.probe()
        assert [delivery.crash_id for delivery in processor.take_all()] == expected


def test_probing_passes_by_a_crash_whose_twin_is_in_flight(machine):
    processor = submitted(machine.start(), "twin", "other")
    fail(processor, "twin", "other")
    submitted(processor, "twin")
    taken(processor)
    processor.queue.probe()
    assert taken(processor).crash_id == "other"


def test_probing_moves_no_crash_that_is_due_already_behind_others(machine):
    processor = submitted(machine.start(), "one", "two")
    fail(processor, "one")
    machine.wait(0.5)
    fail(processor, "two")
    machine.wait(1.0)
    processor.queue.probe()
    assert [delivery.crash_id for delivery in processor.take_all()] == ["one", "two"]


def test_probing_wakes_the_thread_that_waits_for_crashes(tmp_path):
    config = defaults(
        SQLiteCrashQueue, path=str(tmp_path / "queue.sqlite"), idle_delay=10 * DEADLINE, retry_delays=(60,)
    )
    queue = SQLiteCrashQueue(config)
    crashes = queue.new_crashes()
    queue.submit("one")
    queue.retry(next(crashes), "the reason", transient=True)
    again: list[Delivery | None] = []
    thread = threading.Thread(target=lambda: again.append(next(crashes)))
    thread.start()
    queue.probe()
    thread.join(DEADLINE)
    assert [delivery.crash_id for delivery in again] == ["one"]
    queue.close()


@pytest.mark.parametrize("text", ["", "soon", "1, 0.5", "0, 1", "1, 61", "-1", "nan", "inf"])
def test_nonsensical_delays_are_refused(text):
    with pytest.raises(ValueError, match="retry_delays"):
        parse_delays(text)


@pytest.mark.parametrize("option", ["idle_delay", "busy_timeout"])
@pytest.mark.parametrize("text", ["", "soon", "0", "-1", "nan", "inf"])
def test_zero_and_endless_waits_are_refused(option, text):
    parse = SQLiteCrashQueue.required_config[option].from_string_converter
    with pytest.raises(ValueError, match="a number of seconds, more than 0"):
        parse(text)
    assert parse("0.25") == 0.25


# Suspects


def test_a_suspect_waits_until_all_else_has_ended_and_nothing_more_is_taken_meanwhile(machine):
    processor = suspects(machine, "suspect")
    submitted(machine.start(), "later")
    processor.queue.submit("first", "priority")
    first = taken(processor)
    assert [processor.take() for _ in range(3)] == [None] * 3
    processor.queue.ack(first)
    suspect = taken(processor)
    assert (suspect.crash_id, suspect.suspect) == ("suspect", True)
    assert [processor.take() for _ in range(3)] == [None] * 3
    processor.queue.ack(suspect)
    assert taken(processor).crash_id == "later"


def test_a_suspect_that_one_processor_waits_to_run_holds_up_no_other_processor(machine):
    processor = suspects(machine, "suspect")
    processor.queue.submit("first", "priority")
    taken(processor)
    assert processor.take() is None
    assert taken(submitted(machine.start(), "later")).crash_id == "later"


def test_a_suspect_whose_processor_dies_or_closes_before_its_turn_is_no_worse_for_it(machine):
    processor = suspects(machine, "suspect")
    for dies in (True, False):
        submitted(processor, "other")
        processor.queue.submit("first", "priority")
        taken(processor)
        assert processor.take() is None
        processor.die() if dies else processor.queue.close()
        machine.wait(DEATH_NOTICED)
        processor = machine.start()
        processor.queue.ack(taken(processor))
        suspect = taken(processor)
        assert (suspect.crash_id, suspect.attempt, suspect.suspect) == ("suspect", 3, True)
        processor.queue.release(suspect)


def test_a_suspect_that_failed_and_comes_again_is_still_alone(machine):
    processor = suspects(machine, "suspect")
    processor.queue.retry(taken(processor), "the reason", transient=True)
    machine.wait(1.0)
    assert taken(processor).suspect


def test_two_hundred_crashes_survive_a_poisonous_neighbour_that_is_parked_in_the_end(machine):
    healthy = [new_crash_id() for _ in range(200)]
    submitted(machine.start(), *healthy[:100], "poison", *healthy[100:])
    saved: list[str] = []
    highest_attempt = 0
    deaths = 0
    while sum(
        depth.waiting + depth.delayed + depth.in_flight for depth in machine.started[0].queue.depths().queues.values()
    ):
        processor = machine.start()
        in_flight: list[Delivery] = []
        while True:
            while len(in_flight) < 8 and (delivery := processor.take()):
                if delivery.attempt > 5:
                    processor.queue.park(delivery, "the processor died of it")
                    continue
                processor.queue.begin(delivery)
                in_flight.append(delivery)
            if not in_flight:
                break
            if any(delivery.crash_id == "poison" for delivery in in_flight):
                deaths += 1
                processor.die()
                machine.wait(DEATH_NOTICED)
                break
            finished = in_flight.pop(0)
            highest_attempt = max(highest_attempt, finished.attempt)
            saved.append(finished.crash_id)
            processor.queue.ack(finished)
    assert sorted(saved) == sorted(healthy)
    assert [crash.crash_id for crash in processor.queue.set_aside("parked")] == ["poison"]
    assert deaths == 5
    assert highest_attempt <= 3


# Strangers' bodies


@pytest.mark.parametrize(
    "body", ["nul\0nul", "\ud800 alone", "\udcff\udfff", "'; DROP TABLE crash; --", "x" * 1_000_000]
)
def test_whatever_a_stranger_submits_is_kept_as_it_is(machine, body):
    processor = submitted(machine.start(), body)
    delivery = taken(processor)
    assert delivery.crash_id == body
    processor.queue.park(delivery, f"no crash id: {body}")
    (kept,) = processor.queue.set_aside("parked")
    assert kept.crash_id == body
    assert processor.queue.requeue(kept)


def test_a_long_body_is_cut_when_it_is_rejected_and_the_reason_says_so(machine):
    processor = submitted(machine.start(), "x" * 1_000_000)
    processor.queue.reject(taken(processor), "no crash id")
    (kept,) = processor.queue.set_aside("rejected")
    assert kept.crash_id == "x" * 1_000
    assert kept.reason == "no crash id (only the first 1000 of its 1000000 characters are kept)"


def test_the_oldest_of_too_many_rejected_are_dropped_and_counted_but_none_that_is_parked(machine):
    before = METRICS.snapshot().counters.get(("queue.rejected_dropped", ()), 0)
    processor = machine.start(maximum_rejected=3)
    for number in range(6):
        submitted(processor, f"parked {number}", f"rejected {number}")
        processor.queue.park(taken(processor), "the reason")
        processor.queue.reject(taken(processor), "the reason")
    assert [crash.crash_id for crash in processor.queue.set_aside("rejected")] == [
        "rejected 3",
        "rejected 4",
        "rejected 5",
    ]
    assert METRICS.snapshot().counters[("queue.rejected_dropped", ())] == before + 3
    assert processor.queue.depths().parked == 6


def test_many_rejected_are_no_more_than_a_hundredth_over_what_is_kept(machine):
    processor = machine.start(maximum_rejected=200)
    for number in range(300):
        submitted(processor, f"rejected {number}")
        processor.queue.reject(taken(processor), "the reason")
        assert processor.queue.depths().rejected <= 202
    assert processor.queue.depths().rejected >= 200


def test_a_crash_that_was_set_aside_has_the_wall_clock_time_to_the_microsecond(machine):
    processor = submitted(machine.start(), "one")
    processor.queue.park(taken(processor), "the reason")
    (kept,) = processor.queue.set_aside("parked")
    assert kept.time == datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)


# Troubles of the file


@pytest.fixture
def locked(machine: Machine) -> Iterator[sqlite3.Connection]:
    """Another program that keeps the file locked until it is told to roll back."""
    machine.start()
    connection = sqlite3.connect(machine.path, isolation_level=None)
    yield connection
    connection.close()


def test_a_file_that_stays_locked_is_logged_once_and_waited_for(machine, locked, caplog):
    processor = submitted(machine.start(), "one")
    caplog.set_level(logging.INFO)
    locked.execute("BEGIN EXCLUSIVE")
    assert watch(machine, processor, 10) == []
    locked.execute("ROLLBACK")
    assert [delivery.crash_id for delivery in watch(machine, processor, 10)] == ["one"]
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "another program keeps it locked" in said[0]
    assert "works again" in said[1]


def test_a_crash_that_cannot_be_submitted_is_refused_with_the_reason(machine, locked):
    locked.execute("BEGIN EXCLUSIVE")
    with pytest.raises(CrashQueueError, match=r"submit 'one': .*queue.sqlite: .* another program keeps it locked"):
        machine.start().queue.submit("one")


@pytest.mark.parametrize("word", ["begin", "ack", "release", "park"])
def test_a_crash_that_could_not_be_ended_is_given_back_with_the_same_attempt(machine, locked, word):
    processor = submitted(machine.start(), "one")
    delivery = taken(processor)
    locked.execute("BEGIN EXCLUSIVE")
    with pytest.raises(CrashQueueError, match="locked"):
        getattr(processor.queue, word)(delivery, *(["the reason"] if word == "park" else []))
    processor.beat()
    locked.execute("ROLLBACK")
    assert processor.take() is None
    processor.beat()
    again = taken(processor)
    assert (again.crash_id, again.attempt) == ("one", 1)
    processor.queue.ack(again)


def test_a_lease_that_a_locked_file_kept_from_renewal_is_renewed_at_the_next_beat(machine, locked):
    busy, other = submitted(machine.start(), "one"), machine.start()
    taken(busy)
    watch(machine, other, LEASE_TIME / 3)
    locked.execute("BEGIN EXCLUSIVE")
    busy.beat()
    locked.execute("ROLLBACK")
    busy.beat()
    assert watch(machine, other, LEASE_TIME - 2) == []


@pytest.mark.parametrize("calls", [0, 1])
def test_a_failed_heartbeat_is_made_up_for_by_the_next(machine, locked, calls):
    calls_left: float = math.inf

    def clock() -> float:
        nonlocal calls_left
        calls_left -= 1
        if calls_left < 0:
            raise MemoryError
        return machine.uptime

    processor = submitted(machine.start(clock=clock), "one")
    delivery = taken(processor)
    locked.execute("BEGIN EXCLUSIVE")
    with pytest.raises(CrashQueueError, match="locked"):
        processor.queue.ack(delivery)
    locked.execute("ROLLBACK")
    calls_left = calls
    with pytest.raises(MemoryError):
        processor.beat()
    calls_left = math.inf
    processor.beat()
    assert taken(processor).crash_id == "one"


def test_a_suspect_does_not_wait_for_deliveries_that_could_not_be_ended(machine, locked):
    processor = suspects(machine, "suspect")
    processor.queue.submit("first", "priority")
    first = taken(processor)
    assert processor.take() is None
    locked.execute("BEGIN EXCLUSIVE")
    with pytest.raises(CrashQueueError, match="locked"):
        processor.queue.ack(first)
    locked.execute("ROLLBACK")
    assert taken(processor).crash_id == "suspect"


def test_closing_while_the_file_is_locked_leaves_the_rest_to_the_others(machine, locked):
    processor = submitted(machine.start(), "one")
    taken(processor)
    locked.execute("BEGIN EXCLUSIVE")
    processor.queue.close()
    locked.execute("ROLLBACK")
    machine.wait(LEASE_TIME)
    other = machine.start()
    assert [delivery.crash_id for delivery in watch(machine, other, LEASE_TIME / 2)] == ["one"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"This is a letter, and no database. " * 200, "not an SQLite file"),
        (b"SQLite format 3\0" + b"\xff" * 8_000, "not an SQLite file|damaged"),
    ],
)
def test_a_file_that_cannot_be_read_says_what_to_do(machine, content, complaint):
    machine.path.write_bytes(content)
    with pytest.raises(CrashQueueError, match=complaint):
        machine.start()
    assert machine.path.read_bytes() == content


def test_a_file_that_is_damaged_while_in_use_is_reported_with_what_to_do(machine, caplog):
    processor = submitted(machine.start(), *(new_crash_id() for _ in range(500)))
    with closing(sqlite3.connect(machine.path)) as connection, connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with machine.path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (machine.path.stat().st_size - 4096))
    assert processor.take_all() == []
    assert "it is damaged: stop all processors" in caplog.text
    with pytest.raises(CrashQueueError, match="it is damaged"):
        processor.queue.submit("one")


def test_a_directory_that_cannot_be_made_is_reported(machine, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CrashQueueError, match=r"open the queue .*file/queue.sqlite: .*File exists"):
        machine.start(path=str(tmp_path / "file" / "queue.sqlite"))


def test_a_directory_that_is_missing_is_made(machine, tmp_path):
    submitted(machine.start(path=str(tmp_path / "a" / "b" / "queue.sqlite")), "one")
    assert (tmp_path / "a" / "b" / "queue.sqlite").exists()


def test_a_file_of_a_newer_version_is_left_alone(machine):
    machine.start()
    with closing(sqlite3.connect(machine.path)) as connection, connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigurationError, match="has version 99, made by a newer socorro-processor"):
        machine.start()


def test_a_file_of_an_older_version_is_brought_up_to_date_with_all_that_is_in_it(machine):
    with closing(sqlite3.connect(machine.path)) as connection, connection:
        for statement in (*SCHEMA_1, "PRAGMA user_version = 1"):
            connection.execute(statement)
        connection.execute(
            "INSERT INTO crash (body, queue, retries, due, due_boot) VALUES (?, 'normal', 1, 7.0, ?)",
            (b"tried", machine.boot),
        )
        connection.execute("INSERT INTO crash (body, queue) VALUES (?, 'normal')", (b"new",))
    processor = machine.start()
    assert [delivery.crash_id for delivery in processor.take_all()] == ["new", "tried"]
    machine.start()


def test_the_age_of_the_oldest_is_unknown_while_a_crash_of_a_version_without_it_waits(machine):
    processor = submitted(machine.start(), "known")
    with closing(sqlite3.connect(machine.path)) as connection, connection:
        connection.execute("INSERT INTO crash (body, queue) VALUES (?, 'normal')", (b"of an older version",))
    machine.wait(30.0)
    depths = processor.queue.depths().queues
    assert (depths["normal"].oldest, depths["priority"].oldest) == (None, 0.0)
    older = next(delivery for delivery in processor.take_all() if delivery.crash_id != "known")
    processor.queue.ack(older)
    assert processor.queue.depths().queues["normal"].oldest == 30.0


def test_a_clock_that_was_set_back_makes_nothing_younger_than_new(machine):
    processor = submitted(machine.start(), "one")
    machine.set_wall_clock(days=-1)
    assert processor.queue.depths().queues["normal"].oldest == 0.0


@pytest.mark.parametrize("value", ["'nonsense'", "x'ff'", "-1", "-9e999", "NULL"])
def test_an_invalid_time_of_submission_is_unknown(machine, value):
    processor = submitted(machine.start(), "one")
    with closing(sqlite3.connect(machine.path)) as connection, connection:
        connection.execute(f"UPDATE crash SET submitted = {value}")
    assert processor.queue.depths().queues["normal"].oldest is None


def test_the_oldest_is_found_without_a_look_at_all_that_wait(machine):
    submitted(machine.start(), "one")
    with closing(sqlite3.connect(machine.path)) as connection, connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {OLDEST}", {"queue": "normal"})]
    searches = [step for step in plan if " crash " in step]
    assert len(searches) == 3
    assert all("USING COVERING INDEX" in step and "queue=?" in step for step in searches), plan


def test_a_time_and_a_reason_that_an_earlier_version_did_not_write_are_unknown(machine):
    """An earlier version works on the same file, and leaves the values of columns that it does not know."""
    processor = machine.start()
    processor.queue.submit("one")
    processor.queue.retry(processor.take(), "S3 is away", transient=True)
    machine.wait(60)
    processor.queue.begin(processor.take())
    (crash,) = machine.start().queue.in_flight(ids=True).crashes
    assert (crash.since, crash.process, crash.reason) == (machine.wall_time, this_process(), "S3 is away")
    with closing(sqlite3.connect(machine.path)) as connection:
        connection.execute("UPDATE crash SET takes = takes + 1, retries = retries + 1")
        connection.execute("INSERT INTO owner (name, boot, expires) VALUES ('another', 'boot 1', 1e9)")
        connection.execute("UPDATE crash SET owner = 'another'")
        connection.commit()
    told = machine.start().queue.in_flight(ids=True)
    (crash,) = told.crashes
    assert (crash.state, crash.since, crash.process, crash.reason) == ("in work", None, "", "")
    assert (told.in_work["normal"], told.processes) == (1, ())


def test_times_in_the_status_do_not_follow_the_wall_clock(machine):
    processor = machine.start()
    for crash_id in ("one", "two"):
        processor.queue.submit(crash_id)
    processor.queue.retry(processor.take(), "S3 is away", transient=True)
    processor.take()
    machine.wait(0.5)
    machine.set_wall_clock(days=-3)
    taken, delayed = machine.start().queue.in_flight(ids=True).crashes
    assert (taken.crash_id, machine.wall_time - taken.since) == ("two", timedelta(seconds=0.5))
    assert (delayed.crash_id, delayed.due - machine.wall_time) == ("one", timedelta(seconds=0.5))


def test_a_database_of_another_program_is_left_alone(machine):
    with closing(sqlite3.connect(machine.path)) as connection, connection:
        connection.execute("CREATE TABLE bookmark (address TEXT)")
    before = machine.path.read_bytes()
    with pytest.raises(ConfigurationError, match="another program's SQLite file"):
        machine.start()
    assert machine.path.read_bytes() == before


def test_many_may_create_the_same_file_at_the_same_time(tmp_path):
    path = str(tmp_path / "queue.sqlite")
    together = threading.Barrier(16)
    depths: list[int] = []

    def start() -> None:
        together.wait(DEADLINE)
        queue = SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=path, busy_timeout=DEADLINE))
        queue.submit("one")
        depths.append(queue.depths().queues["normal"].waiting)
        queue.close()

    threads = [threading.Thread(target=start) for _ in range(together.parties)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert max(depths) == len(depths) == together.parties


# Waiting for crashes, by the real clock


@pytest.mark.parametrize("other_process", [True, False])
def test_an_idle_processor_wakes_up_for_a_new_crash_long_before_its_idle_delay_is_over(tmp_path, other_process):
    config = defaults(SQLiteCrashQueue, path=str(tmp_path / "queue.sqlite"), idle_delay=10 * DEADLINE)
    idle = SQLiteCrashQueue(config)
    submitter = SQLiteCrashQueue(config) if other_process else idle
    arrived = threading.Event()
    thread = threading.Thread(target=lambda: next(idle.new_crashes()) and arrived.set())
    thread.start()
    submitter.submit("one")
    assert arrived.wait(DEADLINE)
    thread.join(DEADLINE)
    idle.close()
    submitter.close()


def test_closing_from_another_thread_ends_the_wait_for_crashes(tmp_path):
    config = defaults(SQLiteCrashQueue, path=str(tmp_path / "queue.sqlite"), idle_delay=10 * DEADLINE)
    queue = SQLiteCrashQueue(config)
    thread = threading.Thread(target=lambda: list(queue.new_crashes()))
    thread.start()
    queue.close()
    thread.join(DEADLINE)
    assert not thread.is_alive()
