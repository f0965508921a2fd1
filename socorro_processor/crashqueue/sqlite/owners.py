"""Which processors on this machine are alive; the leases of the embedded queue depend on it.

A processor locks (flock) its own file for as long as it lives. The kernel releases the lock as soon as the process
ends, in whatever way, so the crashes of a killed processor are free without a timeout.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from socorro_processor.machine.locks import FileLock
from socorro_processor.machine.regular_file import NOT_OURS
from socorro_processor.monitoring.log import stack_of

logger = logging.getLogger(__name__)

_NAME = re.compile("[0-9a-f]{32}")

_CANNOT_BE_JUDGED = NOT_OURS | {errno.ENOENT}


def boot_time() -> float:
    """Return the seconds since this machine booted, sleep included. Setting the wall clock does not change it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """Return the id of this boot: boot times compare only under the same id."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class OwnerFile:
    """The file whose lock shows that its owner lives. Also examines the files of other owners.

    Each file in ``directory`` is named after its owner. All methods raise OSError.
    """

    def __init__(self, directory: Path) -> None:
        self.name = uuid.uuid4().hex
        self._directory = directory
        self._lock: FileLock | None = None

    @property
    def path(self) -> Path:
        return self._directory / self.name

    def claim(self) -> None:
        """Create and lock the file, unless that is done already."""
        if self._lock is None:
            self._directory.mkdir(parents=True, exist_ok=True)
            # Another owner may lock the file first, to remove it, but only for an instant.
            self._lock = FileLock(self.path, wait=True)

    def give_up(self) -> None:
        """Remove the file and release its lock."""
        if self._lock is not None:
            lock, self._lock = self._lock, None
            with lock:
                lock.remove()

    def all_names(self) -> set[str]:
        """Return the names of the owners that have a file, alive or not."""
        try:
            return {entry.name for entry in self._directory.iterdir() if _NAME.fullmatch(entry.name)}
        except FileNotFoundError:
            return set()

    def remove_if_dead(self, name: str, action: Callable[[], None]) -> bool:
        """If nobody locks the file of this owner, run ``action``, remove the file, and return True.

        The lock is held meanwhile, so that an owner that has only just created its file cannot begin to use it. An
        owner without a file, or whose file cannot be opened, is not judged: only the end of its lease shows its death.
        """
        try:
            # Shared, so that two processes that ask at the same time do not take each other for the owner.
            lock = FileLock(self._directory / name, os.O_RDWR | os.O_NOFOLLOW, shared=True)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in _CANNOT_BE_JUDGED:
                return False
            raise
        with lock:
            action()
            lock.remove()
        return True


class Heartbeat:
    """A thread that calls a function every ``seconds`` until it is stopped.

    A beat that raises is logged; the next one must be able to do its work.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, beat: Callable[[], None]) -> None:
        """Start the thread; a second start does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, args=(beat,), name="queue-heartbeat", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop the thread, and return once the last beat has ended. Not to be called by the beat itself."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, beat: Callable[[], None]) -> None:
        has_failed = False
        while not self._stopped.wait(self._seconds):
            try:
                beat()
                has_failed = False
            except Exception as error:
                # Logged once, not each second. If memory is short, logging may fail too.
                if not has_failed:
                    with suppress(MemoryError):
                        logger.error("a heartbeat of the queue failed, the next one follows: %s", stack_of(error))
                has_failed = True
