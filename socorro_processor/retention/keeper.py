"""The thread that keeps a store within its bounds while a server runs.

It works for a few hundredths of a second at a time and rests twice as long, so that no crash waits for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from socorro_processor.configuration import DotDict, components
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.errors import SocorroError
from socorro_processor.fields import FieldTable
from socorro_processor.machine.locks import FileLock
from socorro_processor.monitoring.audit import AuditLog
from socorro_processor.removal import NeededCrashes
from socorro_processor.retention.bounds import Bounds
from socorro_processor.retention.retention import LEDGER, Retention, Round
from socorro_processor.retention.store import RetainedStore
from socorro_processor.search.crash_search import index_place
from socorro_processor.search.sqlite.crashstorage import SQLiteSearchIndex
from socorro_processor.search.sqlite.reading import SQLiteCrashIndex

logger = logging.getLogger(__name__)

INTERVAL = 60.0
"""Seconds between two rounds, or LOOKS times as long as a look at the store takes, if that is more."""
LOOKS = 50

STEP = 0.05
"""Seconds of work before a rest."""
REST = 2
"""A rest is this many times as long as the work before."""

STOP_TIME = 10.0
"""Seconds that ``stop`` waits for the crash that is being removed."""

Tell = Callable[[Round | None, str], object]
"""Is told of each round, or, with None, why there was none."""


def bounded_root(values: DotDict) -> Path | None:
    """Return the directory that has all crashes of a configuration; None if they are elsewhere, or in several."""
    if not issubclass(values.source.crashstorage_class, FileSystemCrashStorage):
        return None
    sections = [values.source, *(section for _, section in components(values.destination, FileSystemCrashStorage))]
    roots = {Path(section.root).resolve() for section in sections}
    return roots.pop() if len(roots) == 1 else None


class _Stopped(Exception):
    """The server ends."""


class Keeper:
    """Keeps the bounds of a configuration whose crashes are in one directory (``bounded_root``)."""

    def __init__(
        self,
        values: DotDict,
        bounds: Bounds,
        queue: CrashQueueBase,
        is_spooled: Callable[[str], bool],
        tell: Tell,
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """``queue`` may be used by others at once; ``is_spooled`` says if the collector still has a crash."""
        self._values = values
        self._bounds = bounds
        self._queue = queue
        self._is_spooled = is_spooled
        self._tell = tell
        self._wall_clock = wall_clock
        self._stopped = threading.Event()
        self._worked_since = 0.0
        self._lock: FileLock | None = None
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the round that is being done. The next process goes on where it ends."""
        self._stopped.set()
        self._thread.join(STOP_TIME)
        if self._thread.is_alive():
            logger.warning("a crash is still being removed; the next start finishes that")

    def _run(self) -> None:
        with ExitStack() as closing_parts:
            store = closing_parts.enter_context(closing(RetainedStore(self._values.source)))
            audit = closing_parts.enter_context(closing(AuditLog(self._values.logging, needs_file=False)))
            retention = self._retention(store, audit, closing_parts)
            closing_parts.callback(self._release)
            while True:
                pause = INTERVAL
                try:
                    if self._is_ours(store):
                        done = retention.run(self._wall_clock())
                        pause = max(INTERVAL, LOOKS * done.looked)
                        self._tell(done, "")
                except _Stopped:
                    return
                except SocorroError as error:
                    self._tell(None, str(error))
                except Exception as error:
                    # It must go on: nothing else removes old crashes.
                    logger.exception("a bug: the bounds of %s cannot be kept", store)
                    self._tell(None, f"a bug: {type(error).__name__}, see the log")
                if self._stopped.wait(pause):
                    return

    def _retention(self, store: RetainedStore, audit: AuditLog, closing_parts: ExitStack) -> Retention:
        index = reader = None
        if place := index_place(self._values):
            path, section = place
            index = closing_parts.enter_context(closing(SQLiteSearchIndex(section, path=path)))
            reader = closing_parts.enter_context(closing(SQLiteCrashIndex(path, FieldTable.of(section))))
        return Retention(store, self._bounds, self._needed, audit, index=index, reader=reader, pace=self._pace)

    def _needed(self, crash_ids: Sequence[str]) -> set[str]:
        # The spool comes first: a crash leaves it only once it is in the queue.
        spooled = {crash_id for crash_id in crash_ids if self._is_spooled(crash_id)}
        return spooled | NeededCrashes(self._queue).among(crash_ids)

    def _is_ours(self, store: RetainedStore) -> bool:
        """Return False if there is no crash yet, or another server keeps the bounds of this store."""
        if self._lock is None and store.exists():
            path = (store.root / LEDGER).with_name("lock")
            try:
                path.parent.mkdir(mode=0o750, exist_ok=True)
                self._lock = FileLock(path)
            except BlockingIOError:
                logger.debug("another server keeps the bounds of %s", store)
            except OSError as error:
                raise SocorroError(f"cannot use {path}: {error.strerror}") from error
        self._worked_since = time.monotonic()
        return self._lock is not None

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()

    def _pace(self) -> None:
        """Rest, if that is due. Raises _Stopped."""
        worked = time.monotonic() - self._worked_since
        if self._stopped.wait(worked * REST if worked > STEP else 0):
            raise _Stopped
        if worked > STEP:
            self._worked_since = time.monotonic()
