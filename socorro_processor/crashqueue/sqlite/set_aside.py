"""Crashes that were set aside, parked or rejected, in the table ``kept`` of the embedded queue."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from socorro_processor.crashqueue.base import (
    EPOCH,
    LONGEST_REASON,
    MICROSECOND,
    QueueName,
    SetAsideCrash,
    SetAsideState,
)
from socorro_processor.crashqueue.sqlite.file import SQLiteFile, body_of, text_of
from socorro_processor.crashqueue.sqlite.strays import BODY, QUEUE, as_whole_number

LATEST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // MICROSECOND


def add_set_aside(connection: sqlite3.Connection, crash: SetAsideCrash) -> int:
    """Store a crash, cut to the limits; return its number, which grows by one each time."""
    added = connection.execute(
        "INSERT INTO kept (state, body, queue, attempts, reason, time, work)"
        " VALUES (:state, :body, :queue, :attempts, :reason, :time, :work)",
        _columns(crash.cut()),
    )
    return added.lastrowid or 0


def drop_oldest_rejected(connection: sqlite3.Connection, maximum: int) -> int:
    """Drop the oldest rejected crashes over ``maximum``; return their number. Reads one row for each that stays."""
    return connection.execute(
        "DELETE FROM kept WHERE state = 'rejected' AND id <= (SELECT id FROM kept WHERE state = 'rejected'"
        " ORDER BY id DESC LIMIT 1 OFFSET ?)",
        (maximum,),
    ).rowcount


def remove_set_aside(connection: sqlite3.Connection, crash: SetAsideCrash) -> bool:
    """Remove a crash; return False if it is not there. Of two equal ones, one stays."""
    removed = connection.execute(
        "DELETE FROM kept WHERE id = (SELECT id FROM kept WHERE time = :time AND state = :state AND body = :body"
        " AND queue = :queue AND reason = :reason AND attempts = :attempts AND work = :work LIMIT 1)",
        _columns(crash),
    ).rowcount
    return bool(removed) or _remove_stray(connection, crash)


def read_set_aside(file: SQLiteFile, state: SetAsideState, page: int = 500) -> Iterator[SetAsideCrash]:
    """Yield all crashes in this state, oldest first, page by page: the caller may requeue some meanwhile."""
    last = 0
    while True:
        with file.reading(f"list the {state} crashes") as connection:
            rows = connection.execute(f"{_ROWS} AND id > ? ORDER BY id LIMIT ?", (state, last, page)).fetchall()
        if not rows:
            return
        for row in rows:
            yield _crash_of(row, state)
        last = rows[-1][0]


# Each column is forced to its type: a stranger may have written anything.
_ROWS = f"""
    SELECT id, {BODY}, substr(CAST(reason AS TEXT), 1, {LONGEST_REASON}),
    min(max(coalesce(CAST(time AS INTEGER), 0), 0), {LATEST}), {as_whole_number("attempts")}, {QUEUE},
    CAST(work AS TEXT)
    FROM kept WHERE state = ?
"""  # built from constants  # nosec B608


def _crash_of(row: tuple[int, bytes, str, int, int, QueueName, str], state: SetAsideState) -> SetAsideCrash:
    _, body, reason, time, attempts, queue, work = row
    return SetAsideCrash(text_of(body), state, reason, EPOCH + time * MICROSECOND, attempts, queue, work)


def _remove_stray(connection: sqlite3.Connection, crash: SetAsideCrash) -> bool:
    """Remove a crash whose row has other types than it is read with."""
    for row in connection.execute(_ROWS, (crash.state,)):
        if _crash_of(row, crash.state) == crash:
            return bool(connection.execute("DELETE FROM kept WHERE id = ?", (row[0],)).rowcount)
    return False


def _columns(crash: SetAsideCrash) -> dict[str, Any]:
    return {**vars(crash), "body": body_of(crash.crash_id), "time": crash.microseconds}
