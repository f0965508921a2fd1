"""Keep processed crashes that some store did not take, for their next attempt."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from socorro_processor.crashstorage.base import ProcessedCrash, RawCrash
from socorro_processor.serialization import decode, encode

MAXIMUM_SIZE = 32_000_000
"""Bytes kept in all; beyond that the oldest crashes are dropped."""


@dataclass(frozen=True)
class _Kept:
    """A crash as JSON: as objects it would take five to ten times the memory."""

    raw_crash: bytes
    processed_crash: bytes
    result: str
    kept_because: str

    @property
    def size(self) -> int:
        return len(self.raw_crash) + len(self.processed_crash)


class UnsavedCrashes:
    """Keeps crashes for a retry, which then writes only what is missing. May be used from any thread.

    Bounded in size; a crash that was dropped is only processed again.
    """

    def __init__(self, maximum_size: int = MAXIMUM_SIZE) -> None:
        self._maximum_size = maximum_size
        self._lock = threading.Lock()
        self._crashes: OrderedDict[str, _Kept] = OrderedDict()
        self._size = 0

    def get(self, crash_id: str, result: str) -> tuple[RawCrash, ProcessedCrash, str] | None:
        """Return the raw and the processed crash of this result, and the reason if it is an earlier one.

        None if it was dropped, or another result was kept.
        """
        with self._lock:
            kept = self._crashes.get(crash_id)
        if kept is None or kept.result != result:
            return None
        return decode(kept.raw_crash), decode(kept.processed_crash), kept.kept_because

    def keep(
        self,
        crash_id: str,
        raw_crash: RawCrash,
        processed_crash: ProcessedCrash,
        result: str,
        kept_because: str = "",
    ) -> None:
        """Keep a crash that was to be saved, in place of an earlier result of it."""
        with self._lock:
            kept = self._crashes.get(crash_id)
            if kept is not None and kept.result == result:
                return
        kept = _Kept(encode(raw_crash), encode(processed_crash), result, kept_because)
        with self._lock:
            self._drop(crash_id)
            if kept.size > self._maximum_size:
                return
            self._crashes[crash_id] = kept
            self._size += kept.size
            while self._size > self._maximum_size:
                self._drop(next(iter(self._crashes)))

    def forget(self, crash_id: str) -> None:
        with self._lock:
            self._drop(crash_id)

    def _drop(self, crash_id: str) -> None:
        if kept := self._crashes.pop(crash_id, None):
            self._size -= kept.size
