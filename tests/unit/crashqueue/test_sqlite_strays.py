"""Rows of the embedded queue that no processor wrote: any type in any column, and text that is not UTF-8."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.base import QUEUES, SET_ASIDE_STATES, Delivery
from socorro_processor.crashqueue.sqlite.strays import LONGEST_BODY
from tests.unit.crashqueue.machine import Machine, Processor

pytestmark = pytest.mark.long

VALUES = {
    "NULL": "NULL",
    "a number": "7",
    "a negative number": "-7",
    "the largest number": "9223372036854775807",
    "an infinite number": "9e999",
    "a text": "'nonsense'",
    "a path": "'../../queue.sqlite'",
    "a text that is no UTF-8": "CAST(x'fffe00' AS TEXT)",
    "a text with NUL": "'a' || char(0) || 'b'",
    "a blob that is no UTF-8": "x'fffe00'",
    "a huge blob": "zeroblob(3000000)",
    "an empty blob": "x''",
}
LONGEST_DELAY = 60.0
LEASE_TIME = 60.0


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path / "queue.sqlite")
    yield machine
    machine.close()


def write(machine: Machine, statement: str, *values: object) -> None:
    """Write to the queue's file as a stranger could."""
    with closing(sqlite3.connect(machine.path, isolation_level=None)) as connection:
        connection.execute(statement, values)


def columns(machine: Machine, table: str) -> list[str]:
    with closing(sqlite3.connect(machine.path)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]


def take_all(machine: Machine, processor: Processor) -> list[Delivery]:
    """Take all crashes, however long that takes, and reject them."""
    taken = []
    for _ in range(int(2 * LEASE_TIME + LONGEST_DELAY)):
        for delivery in processor.take_all():
            processor.queue.begin(delivery)
            processor.queue.reject(delivery, "the reason")
            taken.append(delivery)
        machine.wait(1.0)
        processor.beat()
    return taken


def look_at_everything(processor: Processor) -> int:
    """Do what the commands of ``socorro queue`` do; return the number of crashes."""
    depths = processor.queue.depths()
    kept = [crash for state in SET_ASIDE_STATES for crash in processor.queue.set_aside(state)]
    for crash in kept:
        assert isinstance(crash.crash_id, str)
        assert isinstance(crash.reason, str)
        assert isinstance(crash.attempts, int)
        assert crash.queue in QUEUES
        assert crash.time.year >= 1970
    assert depths.parked + depths.rejected == len(kept)
    return len(kept) + sum(depth.waiting + depth.delayed + depth.in_flight for depth in depths.queues.values())


@pytest.mark.parametrize("state", ["waiting", "delayed", "in flight"])
@pytest.mark.parametrize("value", VALUES)
def test_no_value_in_any_column_of_a_crash_ends_the_processor_or_hides_it_or_stands_in_the_way_of_others(
    machine, state, value
):
    good = machine.start()
    odd = 0
    for column in columns(machine, "crash"):
        if column in ("id", "state"):
            continue  # SQLite lets nothing odd in
        try:
            write(machine, "INSERT INTO crash (body, queue, state, due) VALUES (?, 'normal', ?, 0)", b"odd", state)
            write(machine, f"UPDATE crash SET {column} = {VALUES[value]} WHERE body = x'6f6464'")
            write(machine, "UPDATE crash SET body = CAST('stray ' || id AS BLOB) WHERE body = x'6f6464'")
            odd += 1
        except sqlite3.IntegrityError:
            write(machine, "DELETE FROM crash WHERE body = x'6f6464'")
    good.queue.submit("good")
    processor = machine.start()
    # A crash in flight without an owner is nobody's; waiting or delayed ones may be in an unknown queue.
    assert look_at_everything(processor) == odd + 1
    taken = take_all(machine, processor)
    assert len(taken) == odd + 1
    assert "good" in [delivery.crash_id for delivery in taken]
    assert all(delivery.attempt >= 1 and delivery.retries >= 0 and delivery.queue in QUEUES for delivery in taken)
    assert look_at_everything(processor) == odd + 1


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("x'fffe00'", "\\xff\\xfe\0"),
        ("CAST(x'fffe00' AS TEXT)", "\\xff\\xfe\0"),
        ("7", "7"),
        ("1.5", "1.5"),
        ("'a text'", "a text"),
        ("x''", ""),
        (f"zeroblob({LONGEST_BODY + 1})", "\0" * 1000),
    ],
)
def test_a_body_that_is_not_a_crash_id_is_rejected_listed_readably_and_can_be_put_back(machine, stored, shown):
    processor = machine.start()
    write(machine, f"INSERT INTO crash (body, queue) VALUES ({stored}, 'priority')")
    (delivery,) = processor.take_all()
    processor.queue.reject(delivery, "not a crash id")
    (kept,) = processor.queue.set_aside("rejected")
    assert (kept.crash_id, kept.queue) == (shown, "priority")
    assert processor.queue.requeue(kept)
    assert list(processor.queue.set_aside("rejected")) == []


def test_a_crash_id_that_was_written_as_text_is_never_in_flight_beside_its_twin(machine):
    crash_id = new_crash_id()
    processor, other = machine.start(), machine.start()
    processor.queue.submit(crash_id)
    write(machine, "INSERT INTO crash (body, queue) VALUES (?, 'normal')", crash_id)
    (first,) = processor.take_all()
    assert other.take_all() == []
    assert processor.queue.pending([crash_id]) == {crash_id}
    processor.queue.ack(first)
    (second,) = other.take_all()
    assert other.queue.pending([crash_id]) == {crash_id}
    assert (first.crash_id, second.crash_id) == (crash_id, crash_id)
    other.queue.ack(second)


@pytest.mark.parametrize("value", VALUES)
def test_no_value_in_any_column_of_a_crash_that_was_set_aside_keeps_it_from_being_listed_and_put_back(machine, value):
    processor = machine.start()
    odd = 0
    for column in columns(machine, "kept"):
        if column in ("id", "state"):
            continue
        try:
            write(
                machine,
                "INSERT INTO kept (state, body, queue, attempts, reason, time)"
                " VALUES ('rejected', ?, 'normal', 1, 'the reason', 1)",
                b"odd",
            )
            write(machine, f"UPDATE kept SET {column} = {VALUES[value]} WHERE body = x'6f6464'")
            write(machine, "UPDATE kept SET body = CAST('stray ' || id AS BLOB) WHERE body = x'6f6464'")
            odd += 1
        except sqlite3.IntegrityError:
            write(machine, "DELETE FROM kept WHERE body = x'6f6464'")
    assert look_at_everything(processor) == odd
    for crash in list(processor.queue.set_aside("rejected")):
        assert processor.queue.requeue(crash)
    assert len(take_all(machine, processor)) == odd


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("column", ["name", "boot", "expires"])
def test_no_value_in_any_column_of_an_owner_ends_the_processor_or_keeps_its_crashes(machine, column, value):
    dead = machine.start()
    dead.queue.submit("one")
    dead.queue.begin(dead.take())
    dead.die()
    try:
        write(machine, f"UPDATE owner SET {column} = {VALUES[value]}")
        if column == "name":
            write(machine, f"UPDATE crash SET owner = {VALUES[value]}")
    except sqlite3.IntegrityError:
        return
    processor = machine.start()
    processor.queue.submit("two")
    assert sorted(delivery.crash_id for delivery in take_all(machine, processor)) == ["one", "two"]
    assert machine.path.exists()


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("column", ["owner", "body"])
def test_no_value_in_any_column_of_an_outcome_ends_the_processor(machine, column, value):
    processor = machine.start()
    processor.queue.take_outcomes()
    write(machine, "INSERT INTO outcome (owner, body) VALUES ('another', '{}')")
    try:
        write(machine, f"UPDATE outcome SET {column} = {VALUES[value]}")
    except sqlite3.IntegrityError:
        return
    assert [bool(outcomes) for outcomes in processor.queue.take_outcomes()] == [False]


# What is in flight


@pytest.mark.parametrize("value", VALUES)
def test_no_value_in_any_column_keeps_crashes_in_flight_or_delayed_from_being_listed(machine, value):
    processor = machine.start()
    for _ in range(2):
        processor.queue.submit(new_crash_id())
    processor.queue.retry(processor.take(), "the reason", transient=True)
    processor.queue.begin(processor.take())
    other = machine.start()
    for table in ("crash", "owner"):
        for column in columns(machine, table):
            if column in ("id", "state"):
                continue
            with closing(sqlite3.connect(machine.path)) as connection:
                before = connection.execute(f"SELECT rowid, {column} FROM {table}").fetchall()
            try:
                write(machine, f"UPDATE {table} SET {column} = {VALUES[value]}")
            except sqlite3.IntegrityError:
                continue
            told = other.queue.in_flight(ids=True)
            assert sum(told.in_work.values()) == 1
            assert [crash.state for crash in told.crashes][:1] in (["in work"], ["taken"])
            assert len(told.crashes) == 2 or (column, len(told.crashes)) == ("due", 1)
            for crash in told.crashes:
                assert isinstance(crash.crash_id, str)
                assert isinstance(crash.reason, str)
                assert isinstance(crash.process, str)
                assert len(crash.crash_id) <= 100
            for row, old in before:
                write(machine, f"UPDATE {table} SET {column} = ? WHERE rowid = ?", old, row)
