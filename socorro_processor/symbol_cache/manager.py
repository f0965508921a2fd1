"""The manager of the symbol cache: what was unused for longest goes when the cache is over its size.

It is a process of its own (``socorro symbols manage``, or the processor's companion), so that no
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

_IDLE = 0.25
"""Seconds after which it looks whether to stop, where nothing happens."""
_BATCH = 0.1
"""Seconds for which events gather before they are handled: to wake up costs more than to handle one."""
_LOCK_INTERVAL = 0.25
SCAN_INTERVAL = 60.0
"""Seconds between two scans, where inotify has too few watches."""
_PRIORITY = -10
"""Its niceness, where it may choose: on a machine whose cores are all taken the cache would else outgrow its limit
before the manager has its turn. What it does is little."""
_STATUS_INTERVAL = 1.0
_ORDER_INTERVAL = 60.0


class SymbolLRUCacheManager(RequiredConfig):
    """Manages one symbol cache.

    Everything below ``symbol_cache_path`` is the cache's: each regular file counts, with its size as
    ``ls`` shows it, and may be removed; links and other kinds of files are let be. Who moves a file in
    must be ready to make its directory once more: one that stays empty is removed.
    """

    required_config = Namespace()
    required_config.add_option(
        "symbol_cache_path",
        default="",
        doc="the directory of the symbol cache (empty: none is managed); what lies in it is removed when it was "
        "unused for longest",
        reference_value_from="resource.symbols",
    )
    required_config.add_option(
        "symbol_cache_size",
        default="1G",
        doc="what the files of the symbol cache may come to (k, M, G)",
        from_string_converter=size,
        reference_value_from="resource.symbols",
    )
    required_config.add_option(
        "symbol_index_path",
        default="",
        doc="where the indexes of symbol files lie, as the rule that runs the stackwalker has it; they count with "
        "their files and go with them",
        reference_value_from="resource.symbols",
    )
    required_config.add_option(
        "state_path",
        default="",
        doc="where the order of use and the status are kept, outside of the cache (empty: beside it, with .state "
        "behind its name)",
        reference_value_from="resource.symbols",
    )
    required_config.add_option(
        "verbosity",
        default="0",
        doc="which files are logged: 0 none, 1 those that are removed for room, 2 those that come and go, too",
        from_string_converter=WholeNumber(0),
    )

    def __init__(self, config: DotDict, listener: Listener | None = None, scan_interval: float = SCAN_INTERVAL) -> None:
        """``listener`` is told which files there are. Raises ConfigurationError."""
        self._path = Path(config.symbol_cache_path).absolute()
        if not config.symbol_cache_path or self._path == Path("/"):
            raise ConfigurationError("which symbol cache? Set companion_process.symbol_cache_path to its directory")
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
        """Manage the cache until ``stopped``; before that, wait for as long as another manager does.

        Raises ProcessingEnvironmentError.
        """
        with suppress(OSError):  # not everybody may
            os.setpriority(os.PRIO_PROCESS, 0, min(_PRIORITY, os.getpriority(os.PRIO_PROCESS, 0)))
        try:
            while not stopped():
                with closing(CacheDirectory(self._path)) as directory:
                    if self._lock(directory, stopped):
                        self._manage(directory, stopped)
        except OSError as error:
            raise ProcessingEnvironmentError(f"cannot manage the symbol cache {self._path}: {error}") from error

    def _lock(self, directory: CacheDirectory, stopped: Callable[[], bool]) -> bool:
        """False where there is nothing to be locked any more."""
        if directory.lock():
            return True
        if directory.is_current():
            logger.info("symbol cache %s: another manager is at it, this one waits", self._path)
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
            gc.freeze()  # what is there from the start need not be looked through for garbage
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
                    cache.handle(watches.read(_IDLE, _BATCH))
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
            logger.warning("symbol cache %s: the directory was replaced by another one, starting anew", self._path)


class _Reports:
    """Writes down, now and then, what there is to tell of a cache."""

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
        """Do so where it is time to and anything is new."""
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
                logger.warning("the order and status of the symbol cache cannot be saved: %s", error)
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
