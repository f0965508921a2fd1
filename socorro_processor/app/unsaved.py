"""Processed crashes that some store did not take, kept for their next attempt."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from socorro_processor.crashstorage.base import ProcessedCrash, RawCrash
from socorro_processor.errors import CrashStorageError
from socorro_processor.serialization import encode

LIFETIME = 900.0
"""Seconds after which a result is made anew: another processor may have saved a later one by then."""

MAXIMUM_SIZE = 64_000_000
"""Bytes of JSON that are kept in all; the oldest go. As Python objects it is several times as much."""


@dataclass(frozen=True)
class Unsaved:
    raw_crash: RawCrash
    processed_crash: ProcessedCrash
    error: CrashStorageError
    """How the last attempt to save it ended."""
    since: float
    size: int


class UnsavedCrashes:
    """So that a retry writes only what is missing, without a second stackwalk. Bounded in size and
    time; what is gone is only made again. May be used from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, maximum_size: int = MAXIMUM_SIZE) -> None:
        self._clock = clock
        self._maximum_size = maximum_size
        self._lock = threading.Lock()
        self._crashes: OrderedDict[str, Unsaved] = OrderedDict()
        self._size = 0

    def get(self, crash_id: str) -> Unsaved | None:
        with self._lock:
            unsaved = self._crashes.get(crash_id)
        return unsaved if unsaved and self._clock() - unsaved.since < LIFETIME else None

    def keep(
        self, crash_id: str, raw_crash: RawCrash, processed_crash: ProcessedCrash, error: CrashStorageError
    ) -> None:
        """Keep what was to be saved; its lifetime begins with its first failure."""
        size = len(encode(raw_crash)) + len(encode(processed_crash))
        with self._lock:
            earlier = self._crashes.get(crash_id)
            known = earlier is not None and earlier.processed_crash is processed_crash
            since = earlier.since if earlier and known else self._clock()
            self._drop(crash_id)
            self._crashes[crash_id] = Unsaved(raw_crash, processed_crash, error, since, size)
            self._size += size
            while self._size > self._maximum_size:
                self._drop(next(iter(self._crashes)))

    def forget(self, crash_id: str) -> None:
        with self._lock:
            self._drop(crash_id)

    def _drop(self, crash_id: str) -> None:
        if unsaved := self._crashes.pop(crash_id, None):
            self._size -= unsaved.size
