"""The order in which the embedded queue delivers its crashes.

Within a queue, untried crashes, whose ``due`` is NULL, come first, in the order of submission; then retries, in the
order in which they came due. A retry that fails again goes behind all others that are due, so they take turns.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any

from socorro_processor.crashqueue.base import QUEUES, QueueName
from socorro_processor.crashqueue.fair_order import FairOrder, RetryOrder
from socorro_processor.crashqueue.history import History, history_of
from socorro_processor.crashqueue.sqlite.strays import BODY, QUEUE, as_whole_number

HISTORY = [field.name for field in fields(History)]
"""The columns of a ``History``, in its order."""

_NOT_IN_FLIGHT = f"{BODY} NOT IN (SELECT body FROM crash WHERE state = 'in flight')"  # built from constants  # nosec B608
_WAITING = f"""
    SELECT {QUEUE}, id, {BODY}, {", ".join([*map(as_whole_number, ("attempts", "retries", "deaths")), *HISTORY])}
    FROM crash
    WHERE state = 'waiting' AND {_NOT_IN_FLIGHT}
"""  # built from constants  # nosec B608
_NEXT = f"{_WAITING} AND queue = ? ORDER BY due, id"
_NEXT_RETRIED = f"{_WAITING} AND queue = ? AND due IS NOT NULL ORDER BY due, id"
_PROBED = f"{_WAITING} AND id = ?"
_DUE = "SELECT id FROM crash WHERE state = 'delayed' AND due <= ?"
_MAKE_DUE_WAIT = f"UPDATE crash SET state = 'waiting' WHERE id IN ({_DUE})"  # built from constants  # nosec B608
_PROBE = f"""
    UPDATE crash SET due = :now WHERE id = (
        SELECT id FROM crash WHERE state = 'delayed' AND due > :now AND transient AND {_NOT_IN_FLIGHT}
        ORDER BY due, id LIMIT 1
    ) RETURNING id
"""  # built from constants  # nosec B608

_Row = tuple[Any, ...]
"""The columns of ``_WAITING``, in its order."""


@dataclass(frozen=True)
class Candidate:
    """A crash that waits."""

    queue: QueueName
    row: int
    body: bytes
    attempts: int
    retries: int
    deaths: int
    history: History


class Candidates:
    """Chooses among the crashes that wait. For one thread at a time, except ``probe``.

    ``held``: bodies to pass by, because this process still works on them. They may wait here although they are in
    work: if the disk stands still for longer than a lease, the process loses its leases. ``now`` is by the clock of
    delays.
    """

    def __init__(self, weights: Mapping[QueueName, int]) -> None:
        self._order = FairOrder(weights)
        self._retry_order = RetryOrder()
        self._probed: int | None = None

    def has_any(self, connection: sqlite3.Connection, held: set[bytes], now: float) -> bool:
        """Return True if a crash waits or is due."""
        if any(self._heads(connection, held).values()) or connection.execute(f"{_DUE} LIMIT 1", (now,)).fetchone():
            return True
        # Tell the order that the priority queue was empty.
        self._order.take(dict.fromkeys(QUEUES, 0))
        return False

    def choose(self, connection: sqlite3.Connection, held: set[bytes], now: float) -> Candidate | None:
        """Return the next crash, within the transaction in which the caller takes it; None if no crash waits."""
        connection.execute(_MAKE_DUE_WAIT, (now,))
        probed, self._probed = self._probed, None
        chosen = self._first(connection, _PROBED, probed, held, 1) or self._next_one(connection, held)
        if not chosen:
            return None
        queue, row, body, attempts, retries, deaths, *history = chosen[0]
        self._retry_order.note_taken(queue, retried=retries > 0)
        values = dict(zip(HISTORY, history, strict=True))
        return Candidate(queue, row, body, attempts, retries, deaths, history_of(values))

    def probe(self, connection: sqlite3.Connection, now: float) -> None:
        """End the delay of one crash that was retried as transient: it is chosen next."""
        probed = connection.execute(_PROBE, {"now": now}).fetchall()
        self._probed = probed[0][0] if probed else None

    def _next_one(self, connection: sqlite3.Connection, held: set[bytes]) -> list[_Row]:
        heads = self._heads(connection, held)
        queue = self._order.take({queue: len(rows) for queue, rows in heads.items()})
        if queue is None:
            return []
        if self._retry_order.is_retry_next(queue):
            return self._first(connection, _NEXT_RETRIED, queue, held, 1) or heads[queue]
        return heads[queue]

    def _heads(self, connection: sqlite3.Connection, held: set[bytes]) -> dict[QueueName, list[_Row]]:
        # Two are enough to know whether one is left after the first is taken.
        return {queue: self._first(connection, _NEXT, queue, held, 2) for queue in QUEUES}

    @staticmethod
    def _first(
        connection: sqlite3.Connection, query: str, parameter: object, held: set[bytes], count: int
    ) -> list[_Row]:
        with closing(connection.execute(query, (parameter,))) as rows:
            return list(islice((row for row in rows if row[2] not in held), count))
