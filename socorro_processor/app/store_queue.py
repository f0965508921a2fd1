"""A crash queue filled with the unprocessed crashes of a store."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import is_deferred
from socorro_processor.crashqueue.base import Delivery
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.errors import CrashQueueError, CrashStorageError

logger = logging.getLogger(__name__)

SCAN_INTERVAL = 5.0
"""Seconds between two searches of the store for new crashes."""


class StoreCrashQueue(SQLiteCrashQueue):
    """A queue in ``directory`` that lives as long as its process.

    A crash that was parked or not finished has no processed crash in the store, and so comes again at the next start.
    Deferred crashes are left alone: they are processed only when somebody asks for them.
    """

    def __init__(self, store: CrashStorageBase, directory: Path, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(defaults(SQLiteCrashQueue, path=str(directory / "crash_ids.sqlite")))
        self._store = store
        self._monotonic = clock
        self._next_scan = clock()
        self._seen: set[str] = set()

    def new_crashes(self) -> Iterator[Delivery | None]:
        for delivery in super().new_crashes():
            if delivery is None and self._monotonic() >= self._next_scan:
                self._scan()
                self._next_scan = self._monotonic() + SCAN_INTERVAL
            yield delivery

    def _scan(self) -> None:
        try:
            for crash_id in self._store.new_crashes():
                if crash_id not in self._seen and not is_deferred(crash_id):
                    self.submit(crash_id)
                    self._seen.add(crash_id)
        except (CrashStorageError, CrashQueueError) as error:
            logger.warning("cannot look for new crashes, will try again: %s", error)
