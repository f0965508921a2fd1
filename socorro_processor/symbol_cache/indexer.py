"""Has the indexes of a symbol cache made: by a short-lived child, one at a time.

The first that is asked for tells which stackwalker makes them; from then on each file that comes is indexed, too.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Container
from contextlib import suppress
from pathlib import Path

from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.symbol_cache.index_directory import IndexDirectory, IndexRequest
from socorro_processor.symbol_cache.index_process import TIME, IndexProcess, NotIndexed

logger = logging.getLogger(__name__)

_MAXIMUM_WAITING = 10_000
_MAXIMUM_FAILED = 10_000


class CacheIndexer:
    """From one thread; nothing here waits, but for the end of a child that takes too long."""

    def __init__(self, cache: Path, indexes: IndexDirectory, index_path: str = "") -> None:
        """``index_path``: as ``index_directory`` has it."""
        self._cache = cache
        self._index_path = index_path
        self._indexes = indexes
        self._waiting: dict[str, None] = {}
        self._failed: set[str] = set()
        """These are built anew only when the file has come anew."""
        self._stackwalker = ""
        self._process: IndexProcess | None = None
        self._path = ""
        self._started = 0.0

    def arrived(self, path: str) -> None:
        """A file has come."""
        self._failed.discard(path)
        if self._stackwalker and path.endswith(".sym"):
            self._want(path)

    def gone(self, path: str) -> None:
        self._failed.discard(path)
        self._waiting.pop(path, None)

    def work(self, files: Container[str]) -> str | None:
        """Go on, for these that are there; one whose index may have changed. Call it again and again."""
        for request in self._indexes.requests():
            self._take(request)
        done = self._finished() if self._process is not None else None
        while self._process is None and self._waiting and self._stackwalker:
            path = next(iter(self._waiting))
            del self._waiting[path]
            if path in files:
                self._start(path)
        return done

    def close(self) -> None:
        """Close it; an unfinished index is given up."""
        if self._process is not None:
            self._process.end()
            with suppress(NotIndexed):
                self._process.finish()
            self._process = None

    def _take(self, request: IndexRequest) -> None:
        self._stackwalker = request.stackwalker
        if request.path not in self._failed:
            self._want(request.path)

    def _want(self, path: str) -> None:
        if len(self._waiting) < _MAXIMUM_WAITING:
            self._waiting[path] = None

    def _start(self, path: str) -> None:
        self._path, self._started = path, time.monotonic()
        try:
            self._process = IndexProcess(self._cache / path, self._stackwalker, self._index_path)
        except OSError as error:
            self._failure(str(error))

    def _finished(self) -> str | None:
        assert self._process is not None
        process, seconds = self._process, time.monotonic() - self._started
        took_too_long = not process.has_ended()
        if took_too_long and seconds < TIME:
            return None
        self._process = None
        if took_too_long:
            process.end()
        try:
            process.finish()
        except NotIndexed as error:
            self._failure(f"not done after {TIME:g} s" if took_too_long else str(error))
        else:
            METRICS.increment("symbols.indexed")
            METRICS.duration("symbols.indexing", seconds)
        return self._path

    def _failure(self, reason: str) -> None:
        METRICS.increment("symbols.index_failed")
        logger.warning("no index of %.300r, it is used in full: %s", self._path, reason)
        if len(self._failed) < _MAXIMUM_FAILED:
            self._failed.add(self._path)
