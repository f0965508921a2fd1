"""One symbol cache, kept to its size while its files come, are used and go.

Events say where to look and what was used; what is there, and how large, the disk says. So it does no
harm that an event may be old when it is read.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from os import stat_result
from types import MappingProxyType

from socorro_processor.metrics import METRICS
from socorro_processor.symbols.cache_directory import CacheDirectory
from socorro_processor.symbols.lru_files import LRUFiles
from socorro_processor.symbols.watches import Event, Happened, Watches

logger = logging.getLogger(__name__)

EMPTY_DIRECTORY_TIME = 5.0
"""Seconds that a directory stays though it is empty: somebody may be about to move a file into it."""
_COLLECT_EVERY = 256
"""Directories that a scan opens before it empties inotify's queue: each makes an event, too."""
_LOG_INTERVAL = 60.0


@dataclass(frozen=True)
class Listener:
    """Who is to know which files there are, by their paths in the cache.

    Called in the manager's own thread, by a scan for each file there is: it must be quick.
    """

    arrived: Callable[[str], object] = lambda path: None
    """A file is there and complete, newly or again."""
    gone: Callable[[str], object] = lambda path: None


class LRUCache:
    """The files of an open, locked directory. ``scan`` it before anything else. Raises OSError."""

    def __init__(
        self,
        directory: CacheDirectory,
        watches: Watches,
        limit: int,
        listener: Listener = Listener(),
        empty_directory_time: float = EMPTY_DIRECTORY_TIME,
    ) -> None:
        """``limit`` is in bytes."""
        self.files = LRUFiles()
        self.lost_events = False
        """Only a ``scan`` can tell what is there now."""
        self._directory = directory
        self._watches = watches
        self._limit = limit
        self._listener = listener
        self._empty_directory_time = empty_directory_time
        self._empty: dict[str, tuple[float, int]] = {}
        self._opened_directories = 0
        self._next_log = 0.0

    def scan(self, last_used: Mapping[str, float] = MappingProxyType({})) -> None:
        """Look through it all, and watch it. ``last_used`` holds what is known of uses, in seconds since 1970."""
        self.lost_events = False
        self._watches.begin()
        now, today = time.monotonic(), time.time()
        found = set()
        for path, status in self._walk(""):
            found.add(path)
            age = today - max(status.st_atime, status.st_mtime, last_used.get(path, 0.0))
            used = now - max(age, 0.0)
            known = self.files.get(path)
            is_new = known is None or known.size != status.st_size
            self.files.put(path, status.st_size, used if known is None else max(used, known.used))
            if is_new:
                self._listener.arrived(path)
        for path in [path for path in self.files if path not in found]:
            self._look_at(path, now, is_complete=False)
        self.files.sort()

    def handle(self, events: Iterable[Event]) -> None:
        """Take in what has happened."""
        now = time.monotonic()
        changed: dict[str, bool] = {}
        hits = 0
        for happened, path in events:
            if happened is Happened.OPENED:
                # One that has only just come is opened by who writes it.
                hits += self.files.use(path, now) and path not in changed
            elif happened is Happened.CHANGED:
                changed.setdefault(path, False)
            elif happened is Happened.ARRIVED:
                changed[path] = True
            elif happened is Happened.DIRECTORY_CAME:
                for each, _ in self._walk(path):
                    changed.setdefault(each, True)
            elif happened is Happened.DIRECTORY_LEFT:
                self._watches.remove_below(path)
                for each in self.files.below(path):
                    self._drop(each)
                self._may_be_empty(path)
            else:
                self.lost_events = True
                METRICS.increment("symbol_cache.overflows")
        for path, is_complete in changed.items():
            self._look_at(path, now, is_complete)
        if hits:
            METRICS.increment("symbol_cache.hits", hits)

    def evict(self) -> Iterator[str]:
        """Remove the files unused for longest until the others keep to the limit; their paths."""
        while self.files.bytes > self._limit:
            # One that was opened this very moment is not the oldest any more.
            self.handle(self._watches.read(0))
            oldest = self.files.oldest()
            if self.lost_events or oldest is None or self.files.bytes <= self._limit:
                return
            path, file = oldest
            try:
                self._directory.remove(path)
            except OSError as error:
                # The others must not wait for it; this one comes up again after them.
                self.files.use(path, time.monotonic())
                if time.monotonic() >= self._next_log:
                    self._next_log = time.monotonic() + _LOG_INTERVAL
                    logger.warning("symbol cache: %.200r cannot be removed: %s", path, error.strerror)
                return
            METRICS.increment("symbol_cache.evictions")
            METRICS.increment("symbol_cache.evicted_bytes", file.size)
            self._drop(path)
            yield path

    def remove_empty_directories(self) -> None:
        """Remove those that have stayed empty."""
        now = time.monotonic()
        due = [path for path, (time_, _) in self._empty.items() if time_ <= now]
        for path in due:
            _, changed = self._empty.pop(path)
            if self._directory.changed(path) != changed:
                self._watch_emptiness(path)
            elif self._directory.remove_empty(path):
                self._may_be_empty(path)

    def _walk(self, top: str) -> Iterator[tuple[str, stat_result]]:
        """Every file at and below ``top``; its directories are watched."""
        for path, status in self._directory.walk(top, self._watch):
            if status is None:
                self._watch_emptiness(path)
            else:
                yield path, status

    def _watch(self, descriptor: int, path: str) -> None:
        self._watches.add(descriptor, path)
        self._opened_directories += 1
        if self._opened_directories % _COLLECT_EVERY == 0:
            self._watches.collect()

    def _look_at(self, path: str, now: float, is_complete: bool) -> None:
        status = self._directory.file(path)
        if status is None:
            self._drop(path)
            return
        self.files.put(path, status.st_size, now)
        if is_complete:
            self._listener.arrived(path)

    def _drop(self, path: str) -> None:
        if self.files.drop(path):
            self._listener.gone(path)
        self._may_be_empty(path)

    def _may_be_empty(self, path: str) -> None:
        """Something that lay in a directory is gone."""
        self._watch_emptiness(path.rpartition("/")[0])

    def _watch_emptiness(self, directory: str) -> None:
        if directory and directory not in self._empty:
            changed = self._directory.changed(directory)
            if changed is not None:
                self._empty[directory] = (time.monotonic() + self._empty_directory_time, changed)
