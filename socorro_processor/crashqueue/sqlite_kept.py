"""The parked and rejected crashes of the embedded queue."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from socorro_processor.crashqueue.base import KeptCrash, KeptState
from socorro_processor.crashqueue.sqlite_file import SQLiteFile, body_of, text_of

LONGEST_REASON = 1_000
LONGEST_REJECTED_BODY = 1_000

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def keep(connection: sqlite3.Connection, crash: KeptCrash) -> None:
    """Write it down: a reason, and the body of a rejected one, up to 1,000 characters of them."""
    body, note = crash.crash_id, ""
    if crash.state == "rejected" and len(body) > LONGEST_REJECTED_BODY:
        note = f" (only the first {LONGEST_REJECTED_BODY} of its {len(body)} characters are kept)"
        body = body[:LONGEST_REJECTED_BODY]
    # A reason may quote a stranger: lone surrogates are no text to SQLite.
    reason = crash.reason.encode("utf-8", "backslashreplace").decode()
    connection.execute(
        "INSERT INTO kept (state, body, queue, attempts, reason, time) VALUES (?, ?, ?, ?, ?, ?)",
        (
            crash.state,
            body_of(body),
            crash.queue,
            crash.attempts,
            reason[: LONGEST_REASON - len(note)] + note,
            _microseconds(crash.time),
        ),
    )


def let_the_oldest_go(connection: sqlite3.Connection, state: KeptState, maximum: int) -> None:
    """Keep no more than ``maximum`` in this state."""
    connection.execute(
        "DELETE FROM kept WHERE state = ? AND id <= (SELECT id FROM kept WHERE state = ?"
        " ORDER BY id DESC LIMIT 1 OFFSET ?)",
        (state, state, maximum),
    )


def remove(connection: sqlite3.Connection, crash: KeptCrash) -> bool:
    """Keep it no longer; False where it is not there. Of two that are equal, one goes."""
    return bool(
        connection.execute(
            "DELETE FROM kept WHERE id = (SELECT id FROM kept"
            " WHERE time = ? AND state = ? AND body = ? AND queue = ? AND reason = ? AND attempts = ? LIMIT 1)",
            (
                _microseconds(crash.time),
                crash.state,
                body_of(crash.crash_id),
                crash.queue,
                crash.reason,
                crash.attempts,
            ),
        ).rowcount
    )


def read_kept(file: SQLiteFile, state: KeptState, page: int = 500) -> Iterator[KeptCrash]:
    """All in this state, oldest first, read by the page: whoever reads may put some back meanwhile."""
    last = 0
    while True:
        with file.reading(f"list the {state} crashes") as connection:
            rows = connection.execute(
                "SELECT id, body, reason, time, attempts, queue FROM kept"
                " WHERE state = ? AND id > ? ORDER BY id LIMIT ?",
                (state, last, page),
            ).fetchall()
        if not rows:
            return
        for _, body, reason, time, attempts, queue in rows:
            yield KeptCrash(text_of(body), state, reason, EPOCH + time * MICROSECOND, attempts, queue)
        last = rows[-1][0]


def _microseconds(time: datetime) -> int:
    return (time - EPOCH) // MICROSECOND
