"""Keep a symbol cache to its size while its files come, are used and go.

Events say where to look, and which files were used; the disk says which files exist, and their sizes. Events may
therefore be out of date when they are read.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from os import stat_result
from types import MappingProxyType
from typing import Protocol

from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.symbol_cache.directory import CacheDirectory
from socorro_processor.symbol_cache.lru_files import LRUFiles
from socorro_processor.symbol_cache.watches import Event, Happened, Watches

logger = logging.getLogger(__name__)

EMPTY_DIRECTORY_TIME = 5.0
"""Seconds that an empty directory stays: somebody may be about to move a file into it."""
_COLLECT_EVERY = 256
"""Directories that a scan opens before it empties inotify's queue, because each opening makes an event."""
_EVENTS_AGE = 0.01
"""Seconds for which files are removed before new events are read."""
_LOG_INTERVAL = 60.0


@dataclass(frozen=True)
class Listener:
    """Functions that receive the path in the cache of each file that comes or goes.

    They must be quick: a scan calls ``arrived`` for each file, in the manager's own thread.
    """

    arrived: Callable[[str], object] = lambda path: None
    """Called if a file is complete, newly or again."""
    gone: Callable[[str], object] = lambda path: None

    def and_also(self, other: Listener) -> Listener:
        """Return a listener that calls both."""
        return Listener(
            lambda path: (self.arrived(path), other.arrived(path)), lambda path: (self.gone(path), other.gone(path))
        )


class Beside(Protocol):
    """Files outside the cache that belong to its files: they count, and are removed, with them."""

    def size(self, path: str) -> int:
        """Return the bytes that belong to a file. It must be quick, because it is called for every file."""

    def remove(self, path: str) -> object: ...


class _Nothing:
    def size(self, path: str) -> int:
        return 0

    def remove(self, path: str) -> None: ...


_NOTHING = _Nothing()


class LRUCache:
    """The files of an open, locked directory. ``scan`` it before anything else. Raises OSError."""

    def __init__(
        self,
        directory: CacheDirectory,
        watches: Watches,
        limit: int,
        listener: Listener = Listener(),
        empty_directory_time: float = EMPTY_DIRECTORY_TIME,
        clock: Callable[[], float] = time.monotonic,
        beside: Beside = _NOTHING,
    ) -> None:
        """``limit`` is in bytes."""
        self.files = LRUFiles()
        self.lost_events = False
        """True if only a ``scan`` can tell which files exist."""
        self._directory = directory
        self._watches = watches
        self._limit = limit
        self._listener = listener
        self._beside = beside
        self._empty_directory_time = empty_directory_time
        self._clock = clock
        self._handled = clock()
        self._perhaps_empty: dict[str, float] = {}
        self._opened_directories = 0
        self._next_log = 0.0

    def scan(self, last_used: Mapping[str, float] = MappingProxyType({})) -> None:
        """Find all files, and watch their directories. ``last_used``: times by path, in seconds since 1970."""
        self.lost_events = False
        self._watches.begin()
        now, today = self._clock(), time.time()
        found = set()
        for path, status in self._walk(""):
            found.add(path)
            age = today - max(status.st_atime, status.st_mtime, last_used.get(path, 0.0))
            used = now - max(age, 0.0)
            known = self.files.get(path)
            size = status.st_size + self._beside.size(path)
            is_new = known is None or known.size != size
            self.files.put(path, size, used if known is None else max(used, known.used))
            if is_new:
                self._listener.arrived(path)
        for path in [path for path in self.files if path not in found]:
            self._look_at(path, now, is_complete=False)
        self.files.sort()

    def handle(self, events: Iterable[Event]) -> None:
        """Update the files after events."""
        now = self._handled = self._clock()
        touched: dict[str, None] = {}
        """Paths in the order of their last event, so that a new file does not seem younger than those opened since."""
        changed: dict[str, bool] = {}
        walked: set[str] = set()
        hits = 0
        for happened, path in events:
            if happened is Happened.OPENED:
                # A file that has only just come was opened by its writer.
                if path in changed or path in self.files:
                    hits += path not in changed
                    touched.pop(path, None)
                    touched[path] = None
            elif happened is Happened.CHANGED or happened is Happened.ARRIVED:
                changed[path] = happened is Happened.ARRIVED or changed.get(path, False)
                touched.pop(path, None)
                touched[path] = None
            elif happened is Happened.DIRECTORY_CAME:
                # A walk through its parent may have met it already.
                if path not in walked:
                    for each, _ in self._walk(path, walked):
                        changed.setdefault(each, True)
                        touched.setdefault(each)
            elif happened is Happened.DIRECTORY_LEFT:
                self._watches.remove_below(path)
                for each in self.files.below(path):
                    self._drop(each)
                self._may_be_empty(path.rpartition("/")[0])
            else:
                self.lost_events = True
                METRICS.increment("symbol_cache.overflows")
        for path in touched:
            if path in changed:
                self._look_at(path, now, changed[path])
            else:
                self.files.use(path, now)
        if hits:
            METRICS.increment("symbol_cache.hits", hits)

    def look_at(self, path: str) -> None:
        """Update the size of what is beside a file. That does not count as a use of the file."""
        file = self.files.get(path)
        status = self._directory.file(path)
        if file is None or status is None:
            self._beside.remove(path)
        else:
            self.files.resize(path, status.st_size + self._beside.size(path))

    def evict(self) -> Iterator[str]:
        """Remove the files unused for longest until the others keep to the limit. Yield their paths."""
        while self.files.bytes > self._limit:
            if self._clock() - self._handled > _EVENTS_AGE:
                self.handle(self._watches.read(0))
            oldest = self.files.oldest()
            if oldest is None or self.files.bytes <= self._limit:
                return
            path, file = oldest
            try:
                self._directory.remove(path)
            except OSError as error:
                # The others must not wait for this file, which moves behind them.
                self.files.use(path, self._clock())
                if self._clock() >= self._next_log:
                    self._next_log = self._clock() + _LOG_INTERVAL
                    logger.warning("symbol cache: cannot remove %.200r: %s", path, error.strerror)
                return
            METRICS.increment("symbol_cache.evictions")
            METRICS.increment("symbol_cache.evicted_bytes", file.size)
            self._drop(path)
            yield path

    def remove_empty_directories(self) -> None:
        """Remove the directories that have stayed empty."""
        now, today = self._clock(), time.time()
        due = [path for path, due in self._perhaps_empty.items() if due <= now]
        for path in due:
            del self._perhaps_empty[path]
            changed = self._directory.changed(path)
            if changed is None:
                continue
            if 0 <= today - changed < self._empty_directory_time:
                self._may_be_empty(path)
            elif self._directory.remove_empty(path):
                self._may_be_empty(path.rpartition("/")[0])

    def _walk(self, top: str, walked: set[str] | None = None) -> Iterator[tuple[str, stat_result]]:
        """Yield every file at and below ``top``; watch its directories, and add them to ``walked``."""

        def watch(descriptor: int, path: str) -> None:
            self._watches.add(descriptor, path)
            self._opened_directories += 1
            if self._opened_directories % _COLLECT_EVERY == 0:
                self._watches.collect()
            if walked is not None:
                walked.add(path)

        for path, status in self._directory.walk(top, watch):
            if status is None:
                self._may_be_empty(path)
            else:
                yield path, status

    def _look_at(self, path: str, now: float, is_complete: bool) -> None:
        status = self._directory.file(path)
        if status is None:
            self._drop(path)
            return
        self.files.put(path, status.st_size + self._beside.size(path), now)
        if is_complete:
            self._listener.arrived(path)

    def _drop(self, path: str) -> None:
        if self.files.drop(path):
            self._beside.remove(path)
            self._listener.gone(path)
        self._may_be_empty(path.rpartition("/")[0])

    def _may_be_empty(self, directory: str) -> None:
        if directory:
            self._perhaps_empty.setdefault(directory, self._clock() + self._empty_directory_time)
