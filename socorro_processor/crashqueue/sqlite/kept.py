"""The parked and rejected crashes of the embedded queue."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from socorro_processor.crashqueue.base import KeptCrash, KeptState
from socorro_processor.crashqueue.sqlite.file import SQLiteFile, body_of, text_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def keep(connection: sqlite3.Connection, crash: KeptCrash) -> None:
    """Write it down, cut to what is kept of it."""
    crash = crash.cut()
    connection.execute(
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


def let_the_oldest_go(connection: sqlite3.Connection, state: KeptState, maximum: int) -> int:
    """Keep no more than ``maximum`` in this state; return how many went."""
    return connection.execute(
        "DELETE FROM kept WHERE state = ? AND id <= (SELECT id FROM kept WHERE state = ?"
        " ORDER BY id DESC LIMIT 1 OFFSET ?)",
        (state, state, maximum),
    ).rowcount


def remove(connection: sqlite3.Connection, crash: KeptCrash) -> bool:
    """Keep it no longer; False where it is not there. Of two that are equal, one goes."""
    return bool(
        connection.execute(
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
    )


def read_kept(file: SQLiteFile, state: KeptState, page: int = 500) -> Iterator[KeptCrash]:
    """All in this state, oldest first, read by the page: whoever reads may put some back meanwhile."""
    last = 0
    while True:
        with file.reading(f"list the {state} crashes") as connection:
            rows = connection.execute(
                "SELECT id, body, reason, time, attempts, queue, work FROM kept"
                " WHERE state = ? AND id > ? ORDER BY id LIMIT ?",
                (state, last, page),
            ).fetchall()
        if not rows:
            return
        for _, body, reason, time, attempts, queue, work in rows:
            yield KeptCrash(text_of(body), state, reason, EPOCH + time * MICROSECOND, attempts, queue, work)
        last = rows[-1][0]


def _microseconds(time: datetime) -> int:
    return (time - EPOCH) // MICROSECOND
