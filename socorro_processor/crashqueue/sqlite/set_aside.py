"""Crashes that were set aside, parked or rejected, in the embedded queue: the table ``kept``."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from socorro_processor.crashqueue.base import LONGEST_REASON, QueueName, SetAsideCrash, SetAsideState
from socorro_processor.crashqueue.sqlite.file import SQLiteFile, body_of, text_of
from socorro_processor.crashqueue.sqlite.strays import BODY, QUEUE, whole

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
LATEST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // MICROSECOND


def add_set_aside(connection: sqlite3.Connection, crash: SetAsideCrash) -> int:
    """Set it aside, cut to what is stored of it; return its number, one more each time."""
    crash = crash.cut()
    added = connection.execute(
        "INSERT INTO kept (state, body, queue, attempts, reason, time, work) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            crash.state,
            body_of(crash.crash_id),
            crash.queue,
            crash.attempts,
            crash.reason,
            _microseconds(crash.time),
            crash.work,
        ),
    )
    return added.lastrowid or 0


def drop_oldest_rejected(connection: sqlite3.Connection, maximum: int) -> int:
    """Drop the oldest rejected ones over ``maximum``; return how many. They are counted for it, one by one."""
    return connection.execute(
        "DELETE FROM kept WHERE state = 'rejected' AND id <= (SELECT id FROM kept WHERE state = 'rejected'"
        " ORDER BY id DESC LIMIT 1 OFFSET ?)",
        (maximum,),
    ).rowcount


def remove_set_aside(connection: sqlite3.Connection, crash: SetAsideCrash) -> bool:
    """Remove it; return False if it is not there. Of two that are equal, one goes."""
    removed = connection.execute(
        "DELETE FROM kept WHERE id = (SELECT id FROM kept WHERE time = ? AND state = ? AND body = ?"
        " AND queue = ? AND reason = ? AND attempts = ? AND work = ? LIMIT 1)",
        (
            _microseconds(crash.time),
            crash.state,
            body_of(crash.crash_id),
            crash.queue,
            crash.reason,
            crash.attempts,
            crash.work,
        ),
    ).rowcount
    return bool(removed) or _remove_stray(connection, crash)


def read_set_aside(file: SQLiteFile, state: SetAsideState, page: int = 500) -> Iterator[SetAsideCrash]:
    """Yield all in this state, oldest first, read by the page: whoever reads may put some back meanwhile."""
    last = 0
    while True:
        with file.reading(f"list the {state} crashes") as connection:
            rows = connection.execute(f"{_ROWS} AND id > ? ORDER BY id LIMIT ?", (state, last, page)).fetchall()
        if not rows:
            return
        for row in rows:
            yield _crash_of(row, state)
        last = rows[-1][0]


# Whatever a stranger wrote, it is of the types that are expected here.
_ROWS = f"""
    SELECT id, {BODY}, substr(CAST(reason AS TEXT), 1, {LONGEST_REASON}),
    min(max(coalesce(CAST(time AS INTEGER), 0), 0), {LATEST}), {whole("attempts")}, {QUEUE}, CAST(work AS TEXT)
    FROM kept WHERE state = ?
"""  # of our own words  # nosec B608


def _crash_of(row: tuple[int, bytes, str, int, int, QueueName, str], state: SetAsideState) -> SetAsideCrash:
    _, body, reason, time, attempts, queue, work = row
    return SetAsideCrash(text_of(body), state, reason, EPOCH + time * MICROSECOND, attempts, queue, work)


def _remove_stray(connection: sqlite3.Connection, crash: SetAsideCrash) -> bool:
    """Remove one that is not written down as it is read."""
    for row in connection.execute(_ROWS, (crash.state,)):
        if _crash_of(row, crash.state) == crash:
            return bool(connection.execute("DELETE FROM kept WHERE id = ?", (row[0],)).rowcount)
    return False


def _microseconds(time: datetime) -> int:
    return (time - EPOCH) // MICROSECOND
