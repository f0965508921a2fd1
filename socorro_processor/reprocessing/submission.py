"""Put crashes into a queue again, recorded in a journal, at a limited rate, and despite outages of the queue."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from socorro_processor.crashqueue.base import CrashQueueBase, QueueName
from socorro_processor.errors import CrashQueueError
from socorro_processor.reprocessing.journal import Journal, Queued
from socorro_processor.reprocessing.results import Results
from socorro_processor.serialization import Note

_LONGEST_OUTAGE = 120.0
"""Seconds to wait for a queue that has taken crashes before, and takes none now."""

_RETRY_INTERVAL = 1.0  # seconds


def submit_all(
    crash_ids: Iterable[str],
    queue: CrashQueueBase,
    name: QueueName,
    work: str,
    journal: Journal,
    note: Note,
    rate: float | None = None,
    results: Results | None = None,
) -> Iterator[str]:
    """Submit crashes in their order; yield each once the queue has confirmed it and it is in the journal.

    ``work`` is the kind of work, as in ``History``. ``note`` receives a message about an outage. ``rate`` is the
    maximum of crashes a second. With ``results``, the journal has the earlier result of each crash, for a comparison.

    Raises CrashQueueError after an outage that is too long; or at once if the queue has never taken a crash, because
    its address may be wrong.
    """
    on_their_way: dict[str, Queued] = {}
    interval = 1 / rate if rate else 0.0

    def due(crash_ids: Iterable[str]) -> Iterator[str]:
        moment = time.monotonic()
        for crash_id in crash_ids:
            time.sleep(max(0.0, moment - time.monotonic()))
            moment = max(moment, time.monotonic() - 1.0) + interval
            before = results.before(crash_id) if results else ()
            on_their_way[crash_id] = Queued(crash_id, datetime.now(UTC), *before)
            yield crash_id

    remaining = deque(crash_ids)
    has_taken = False
    outage_start: float | None = None
    while remaining:
        try:
            for crash_id in queue.submit_all(due(list(remaining)), name, work):
                journal.add(on_their_way.pop(crash_id))
                remaining.popleft()
                has_taken, outage_start = True, None
                yield crash_id
        except CrashQueueError as error:
            if not has_taken:
                raise
            if outage_start is None:
                outage_start = time.monotonic()
                note(f"{error}: waiting for the queue, up to {_LONGEST_OUTAGE:g} s")
            elif time.monotonic() - outage_start > _LONGEST_OUTAGE:
                raise
            time.sleep(_RETRY_INTERVAL)
