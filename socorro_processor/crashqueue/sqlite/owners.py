"""The processors that are alive on this machine: the leases of the embedded queue rest on it.

A processor holds a lock (flock) on a file of its own for as long as it lives. The kernel lets go
of it at the very moment the process ends, however it ends, so that nobody has to wait for a
timeout to know that a killed processor's crashes are free.
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
    """Return the seconds since this machine booted, sleep included. No change of the wall clock moves it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """Return the id of this boot: boot times compare only under the same id."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class OwnerFile:
    """The file whose lock says that its owner lives; it also tells about those of others.

    Each file's name in ``directory`` is the name of its owner. All methods raise OSError.
    """

    def __init__(self, directory: Path) -> None:
        self.name = uuid.uuid4().hex
        self._directory = directory
        self._lock: FileLock | None = None

    @property
    def path(self) -> Path:
        return self._directory / self.name

    def claim(self) -> None:
        """Create and lock the file; does nothing where that is done already."""
        if self._lock is None:
            self._directory.mkdir(parents=True, exist_ok=True)
            # Who finds the file before it is locked, and buries it, is done in an instant.
            self._lock = FileLock(self.path, wait=True)

    def give_up(self) -> None:
        """Remove the file and let go of its lock."""
        if self._lock is not None:
            lock, self._lock = self._lock, None
            with lock:
                lock.remove()

    def all_names(self) -> set[str]:
        """Return the owners that have a file, alive or not."""
        try:
            return {entry.name for entry in self._directory.iterdir() if _NAME.fullmatch(entry.name)}
        except FileNotFoundError:
            return set()

    def remove_if_dead(self, name: str, action: Callable[[], None]) -> bool:
        """Do ``action`` and remove the file, if nobody locks the file of this owner; return True if it was so.

        The lock is held meanwhile, so that an owner that has only just made its file cannot begin
        to use it under the hands of one who takes it for dead. One without a file, or with one that
        cannot be opened, is not judged: only the end of its lease says that it is gone.
        """
        try:
            # Shared, so that two who ask at the same time do not take each other for the owner.
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
    """A small thread that calls one function every ``seconds`` until it is stopped.

    A beat that breaks off, whatever it was of, is logged; the next one must be able to do its work.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, beat: Callable[[], None]) -> None:
        """Begin; a second start does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, args=(beat,), name="queue-heartbeat", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Return once the last beat has ended. Not to be called by the beat itself."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, beat: Callable[[], None]) -> None:
        broke_off = False
        while not self._stopped.wait(self._seconds):
            try:
                beat()
                broke_off = False
            except Exception as error:
                # Once, not each second. If memory is short, the log may get none either.
                if not broke_off:
                    with suppress(MemoryError):
                        logger.error("the queue's heartbeat broke off, it goes on: %s", stack_of(error))
                broke_off = True
