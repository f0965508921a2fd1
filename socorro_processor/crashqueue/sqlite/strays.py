"""Rows of the embedded queue that another program wrote, or that are damaged: any column may have any type.

SQLite stores text where a number belongs, and text that is not UTF-8. Such a row must neither end the processor nor
block other rows: it is delivered if that is possible, and rejected like any body that is not a crash id.
"""

from __future__ import annotations

import sqlite3
from itertools import pairwise

from socorro_processor.crashqueue.base import LONGEST_DELAY, QUEUES

LONGEST_BODY = 1 << 20
"""The number of bytes that are read of a body. A crash id has 36."""

# `substr` turns an empty blob into NULL.
BODY = f"coalesce(substr(CAST(body AS BLOB), 1, {LONGEST_BODY}), x'')"
QUEUE = f"CASE WHEN queue IN {QUEUES} THEN queue ELSE 'normal' END"

_QUEUES_IN_ORDER = sorted(QUEUES)
# An index answers each of these, however many rows there are.
_BETWEEN_QUEUES = " OR ".join(
    [
        f"queue < '{_QUEUES_IN_ORDER[0]}'",
        *(f"(queue > '{one}' AND queue < '{next_one}')" for one, next_one in pairwise(_QUEUES_IN_ORDER)),
        f"queue > '{_QUEUES_IN_ORDER[-1]}'",
    ]
)
_WAITING = f"state = 'waiting' AND ({_BETWEEN_QUEUES})"
_DELAYED = "state = 'delayed' AND (due > :latest OR due IS NULL)"
OWNERS = """
    SELECT name, boot, expires FROM owner WHERE typeof(name) = 'text' AND length(name) = 32
    AND name NOT GLOB '*[^0-9a-f]*' AND typeof(boot) = 'text' AND typeof(expires) = 'real'
"""
"""The name of an owner is also a file name: a stranger must not be able to choose it freely."""
_IN_FLIGHT = f"state = 'in flight' AND (owner IS NULL OR owner NOT IN (SELECT name FROM ({OWNERS})))"  # nosec B608
_MENDINGS = (
    (_WAITING, f"queue = {QUEUE}"),
    # No delay ends later than :latest. In SQLite, any text is greater than any number.
    (_DELAYED, f"queue = {QUEUE}, due = 0"),
    (_IN_FLIGHT, f"queue = {QUEUE}, state = 'waiting', owner = NULL, begun = 0"),
)


def as_whole_number(column: str) -> str:
    """Return SQL that reads a column as a whole number from 0 to 1,000,000, whatever is in it."""
    return f"min(max(coalesce(CAST({column} AS INTEGER), 0), 0), 1000000)"


def has_strays(connection: sqlite3.Connection, now: float) -> bool:
    """Return True if there are rows that would never be delivered because of their values."""
    return any(
        connection.execute(f"SELECT 1 FROM crash WHERE {which} LIMIT 1", _parameters(now)).fetchone()  # nosec B608
        for which, _ in _MENDINGS
    )


def mend_strays(connection: sqlite3.Connection, now: float) -> int:
    """Make such rows deliverable, in the normal queue if theirs does not exist; return their number."""
    return sum(
        connection.execute(f"UPDATE crash SET {mending} WHERE {which}", _parameters(now)).rowcount  # nosec B608
        for which, mending in _MENDINGS
    )


def _parameters(now: float) -> dict[str, float]:
    return {"latest": now + LONGEST_DELAY}
