"""The manager of the symbol cache: if the cache is over its size, it removes the files unused for longest.

It is a separate process (``socorro symbols manage``, or the processor's companion), so that no
stackwalk ever waits for it.
"""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from socorro_processor.configuration import DotDict, Namespace, RequiredConfig, WholeNumber, size
from socorro_processor.errors import ConfigurationError, ProcessingEnvironmentError
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.symbol_cache.directory import CacheDirectory
from socorro_processor.symbol_cache.index_directory import IndexDirectory, index_directory
from socorro_processor.symbol_cache.indexer import CacheIndexer
from socorro_processor.symbol_cache.lru_cache import Listener, LRUCache
from socorro_processor.symbol_cache.records import CacheRecords, Status, records_of
from socorro_processor.symbol_cache.watches import Watches

logger = logging.getLogger(__name__)

_STOP_INTERVAL = 0.25
"""Seconds between two checks whether to stop, while no events come."""
_EVENT_DELAY = 0.1
"""Seconds for which events gather before they are handled: waking up costs more than handling one."""
_LOCK_INTERVAL = 0.25
SCAN_INTERVAL = 60.0
"""Seconds between two scans if inotify has too few watches."""
_NICENESS = -10
"""Used if permitted: if all cores are busy, the cache would otherwise outgrow its limit before the manager runs.
It uses little CPU time."""
_STATUS_INTERVAL = 1.0
_ORDER_INTERVAL = 60.0


class SymbolLRUCacheManager(RequiredConfig):
    """Manages one symbol cache.

    Everything below ``symbol_cache_path`` is the cache's: each regular file counts, with its size as
    ``ls`` shows it, and may be removed; links and other kinds of files are left alone. A program that moves a
    file in must be ready to make its directory again: a directory that stays empty is removed.
    """

    required_config = Namespace()
    required_config.add_option(
        "symbol_cache_path",
        default="",
        doc="the directory of the symbol cache (empty: none is managed); any file in it may be removed, those unused "
        "for longest first",
        reference_value_from="resource.symbols",
    )
    required_config.add_option(
        "symbol_cache_size",
        default="1G",
        doc="the largest total size of the files in the symbol cache, in bytes (k, M, G)",
        from_string_converter=size,
        reference_value_from="resource.symbols",
    )
    required_config.add_option(
        "symbol_index_path",
        default="",
        doc="the directory of the indexes of symbol files, the same as in the rule that runs the stackwalker; an index "
        "counts, and is removed, with its file",
        reference_value_from="resource.symbols",
    )
    required_config.add_option(
        "state_path",
        default="",
        doc="the directory for the order of use and the status, outside the cache (empty: the cache's path with "
        ".state appended)",
        reference_value_from="resource.symbols",
    )
    required_config.add_option(
        "verbosity",
        default="0",
        doc="which files are logged: 0 none, 1 those removed for room, 2 also those that come and go",
        from_string_converter=WholeNumber(0),
    )

    def __init__(self, config: DotDict, listener: Listener | None = None, scan_interval: float = SCAN_INTERVAL) -> None:
        """``listener`` learns which files there are. Raises ConfigurationError."""
        self._path = Path(config.symbol_cache_path).absolute()
        if not config.symbol_cache_path or self._path == Path("/"):
            raise ConfigurationError(
                "no symbol cache to manage: set companion_process.symbol_cache_path to its directory"
            )
        try:
            self._records: CacheRecords = records_of(self._path, config.state_path)
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
        self._limit: int = config.symbol_cache_size
        self._index_path: str = config.symbol_index_path
        self._indexes = IndexDirectory(index_directory(self._path, self._index_path))
        self._verbosity: int = config.verbosity
        if listener is None:
            listener = Listener(_logged("came"), _logged("is gone")) if self._verbosity > 1 else Listener()
        self._listener = listener
        self._scan_interval = scan_interval
        self._started = time.time()

    @staticmethod
    def is_wanted(config: DotDict) -> bool:
        """Return True if there is a cache to manage."""
        return bool(config.symbol_cache_path)

    def run(self, stopped: Callable[[], bool]) -> None:
        """Manage the cache until ``stopped``; first wait until no other manager does.

        Raises ProcessingEnvironmentError.
        """
        with suppress(OSError):  # it takes a permission
            os.setpriority(os.PRIO_PROCESS, 0, min(_NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
        try:
            while not stopped():
                with closing(CacheDirectory(self._path)) as directory:
                    if self._lock(directory, stopped):
                        self._manage(directory, stopped)
        except OSError as error:
            raise ProcessingEnvironmentError(f"cannot manage the symbol cache {self._path}: {error}") from error

    def _lock(self, directory: CacheDirectory, stopped: Callable[[], bool]) -> bool:
        """Wait for the lock. Return False if stopped, or if the directory was replaced."""
        if directory.lock():
            return True
        if directory.is_current():
            logger.info("symbol cache %s: another manager runs, this one waits", self._path)
        while directory.is_current() and not stopped():
            if directory.lock():
                return True
            time.sleep(_LOCK_INTERVAL)
        return False

    def _manage(self, directory: CacheDirectory, stopped: Callable[[], bool]) -> None:
        indexer = CacheIndexer(self._path, self._indexes, self._index_path)
        with closing(Watches()) as watches, closing(indexer):
            listener = self._listener.and_also(Listener(indexer.arrived))
            cache = LRUCache(directory, watches, self._limit, listener, beside=self._indexes)
            self._indexes.scan()
            cache.scan(self._records.order())
            for path in self._indexes:
                if path not in cache.files:
                    self._indexes.remove(path)
            gc.freeze()  # what exists from the start needs no garbage collection
            logger.info(
                "symbol cache %s: %d files, %d of %d bytes",
                self._path,
                len(cache.files),
                cache.files.bytes,
                self._limit,
            )
            reports = _Reports(self._records, self._started, self._limit)
            next_scan = time.monotonic() + self._scan_interval
            try:
                while not stopped() and directory.is_current():
                    cache.handle(watches.read(_STOP_INTERVAL, _EVENT_DELAY))
                    for path in cache.evict():
                        if self._verbosity:
                            logger.info("symbol cache: removed %.300r", path)
                    cache.remove_empty_directories()
                    for path in indexer.work(cache.files):
                        self._indexes.look_at(path)
                        cache.look_at(path)
                    if cache.lost_events or (not watches.complete and time.monotonic() >= next_scan):
                        cache.scan()
                        next_scan = time.monotonic() + self._scan_interval
                    reports.write(cache, watches.complete)
            finally:
                reports.write(cache, watches.complete, at_once=True)
        if not stopped():
            logger.warning("symbol cache %s: the directory was replaced by another one, starting again", self._path)


class _Reports:
    """Saves the order and the status of a cache from time to time."""

    def __init__(self, records: CacheRecords, started: float, limit: int) -> None:
        self._records = records
        self._started = started
        self._limit = limit
        self._status: Status | None = None
        self._ordered: Status | None = None
        """The status when the order was saved."""
        self._next_status = 0.0
        self._next_order = time.monotonic() + _ORDER_INTERVAL
        self._failed = False

    def write(self, cache: LRUCache, watching: bool, at_once: bool = False) -> None:
        """Save what has changed, if it is time to."""
        now = time.monotonic()
        if now < self._next_status and not at_once:
            return
        self._next_status = now + _STATUS_INTERVAL
        status = self._current(cache, watching)
        try:
            if status != self._status:
                self._records.save_status(status)
                self._status = status
            if (now >= self._next_order or at_once) and status != self._ordered:
                self._next_order = now + _ORDER_INTERVAL
                self._ordered = status
                since = time.time() - now
                self._records.save_order((path, since + file.used) for path, file in cache.files.items())
            self._failed = False
        except OSError as error:
            if not self._failed:
                logger.warning("cannot save the order and status of the symbol cache: %s", error)
            self._failed = True

    def _current(self, cache: LRUCache, watching: bool) -> Status:
        now, today = time.monotonic(), time.time()
        oldest = cache.files.oldest()
        counters = METRICS.snapshot()
        METRICS.gauge("symbol_cache.files", len(cache.files))
        METRICS.gauge("symbol_cache.bytes", cache.files.bytes)
        METRICS.gauge("symbol_cache.limit", self._limit)
        METRICS.gauge("symbol_cache.oldest", now - oldest[1].used if oldest else 0.0)
        return Status(
            pid=os.getpid(),
            started=self._started,
            limit=self._limit,
            bytes=cache.files.bytes,
            files=len(cache.files),
            hits=counters.counter("symbol_cache.hits"),
            evictions=counters.counter("symbol_cache.evictions"),
            evicted_bytes=counters.counter("symbol_cache.evicted_bytes"),
            overflows=counters.counter("symbol_cache.overflows"),
            oldest=round(today - now + oldest[1].used) if oldest else None,
            watching=watching,
        )


def _logged(what: str) -> Callable[[str], None]:
    return lambda path: logger.info("symbol cache: %.300r %s", path, what)
