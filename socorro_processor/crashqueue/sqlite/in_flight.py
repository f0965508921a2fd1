"""List the crashes of the embedded queue that are in flight or delayed; all are in its file."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from socorro_processor.crashqueue.base import (
    LONGEST_PENDING_ID,
    LONGEST_REASON,
    MOST_PENDING,
    QUEUES,
    InFlight,
    InFlightAt,
    PendingCrash,
    PendingState,
    QueueName,
)
from socorro_processor.crashqueue.sqlite.file import SQLiteFile, text_of
from socorro_processor.crashqueue.sqlite.strays import BODY, QUEUE

_LONGEST_PROCESS_NAME = 200  # characters
_LONGEST_TIME = 10 * 365 * 86_400.0  # seconds

# Each column is forced to its type: a stranger may have written anything.
_SHORT_BODY = f"coalesce(substr({BODY}, 1, {4 * LONGEST_PENDING_ID}), x'')"
_PROCESS = f"coalesce(substr(CAST(process AS TEXT), 1, {_LONGEST_PROCESS_NAME}), '')"
_REASON = f"""
    CASE WHEN reason_retry = retries THEN coalesce(substr(CAST(reason AS TEXT), 1, {LONGEST_REASON}), '') ELSE '' END
"""
_NUMBER = "CASE WHEN typeof({0}) IN ('real', 'integer') THEN CAST({0} AS REAL) END"
_COUNTS = f"""
    SELECT {QUEUE}, {_PROCESS}, count(*)
    FROM crash LEFT JOIN owner ON name = owner
    WHERE state = 'in flight' GROUP BY 1, 2
"""  # built from constants  # nosec B608
_IN_FLIGHT = f"""
    SELECT {_SHORT_BODY}, {QUEUE}, begun = 1,
    {_PROCESS},
    CASE WHEN taken_take = takes THEN {_NUMBER.format("taken_at")} END, {_REASON}
    FROM crash LEFT JOIN owner ON name = owner
    WHERE state = 'in flight' ORDER BY taken_at, id LIMIT {MOST_PENDING}
"""  # built from constants  # nosec B608
_DELAYED = f"""
    SELECT {_SHORT_BODY}, {QUEUE}, {_NUMBER.format("due")}, {_REASON}
    FROM crash WHERE state = 'delayed' AND due > ? ORDER BY due, id LIMIT ?
"""  # built from constants  # nosec B608


def read_in_flight(file: SQLiteFile, now: float, wall_now: datetime, *, ids: bool) -> InFlight:
    """Return the numbers in flight, and with ``ids`` also each crash, delayed ones too. Raises CrashQueueError.

    ``now`` is by the clock of leases and delays, ``wall_now`` the same moment by the wall clock.
    """
    in_work = _zero_counts()
    by_process: defaultdict[str, dict[QueueName, int]] = defaultdict(_zero_counts)
    crashes: list[PendingCrash] = []
    with file.reading("look for crashes in flight") as connection:
        for queue, process, count in connection.execute(_COUNTS):
            in_work[queue] += count
            by_process[process][queue] += count
        if ids:
            for row in connection.execute(_IN_FLIGHT).fetchall():
                crashes.append(_crash_in_flight(row, now, wall_now))
            for body, queue, due, reason in connection.execute(_DELAYED, (now, MOST_PENDING - len(crashes))):
                when = None if due is None else wall_now + timedelta(seconds=min(due - now, _LONGEST_TIME))
                crashes.append(PendingCrash(_crash_id(body), queue, "delayed", due=when, reason=reason))
    return InFlight(
        in_work,
        processes=tuple(InFlightAt(process, counts, {}) for process, counts in sorted(by_process.items()) if process),
        crashes=tuple(crashes),
    )


def _zero_counts() -> dict[QueueName, int]:
    return dict.fromkeys(QUEUES, 0)


def _crash_in_flight(row: tuple[Any, ...], now: float, wall_now: datetime) -> PendingCrash:
    body, queue, begun, process, taken_at, reason = row
    state: PendingState = "in work" if begun else "taken"
    since = None
    if taken_at is not None and 0 <= now - taken_at <= _LONGEST_TIME:
        since = wall_now - timedelta(seconds=now - taken_at)
    return PendingCrash(_crash_id(body), queue, state, process, since, reason=reason)


def _crash_id(body: bytes) -> str:
    return text_of(body)[:LONGEST_PENDING_ID]
