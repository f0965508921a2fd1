"""A directory for the temporary files of each processor; if that is killed, a later start removes it."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
import uuid
from pathlib import Path

from socorro_processor.errors import ProcessingEnvironmentError
from socorro_processor.machine.locks import FileLock
from socorro_processor.machine.orphans import kill_orphans, mark_children, unmark_children
from socorro_processor.machine.regular_file import NOT_OURS
from socorro_processor.machine.writable_directory import check_room, check_writable

logger = logging.getLogger(__name__)


class ProcessDirectory:
    """The directory ``<base>/<name>/``, owned by this process as long as it holds the lock of ``<base>/<name>.lock``.

    The lock file is created first and removed last, so that a directory whose lock is free belongs to
    a process that has ended. The next start kills the stackwalkers that still run in it, and removes it.
    """

    def __init__(self, base: str = "") -> None:
        """Create ``base`` if it is missing; if empty, it is a private directory in the system's temporary one.

        Raises ProcessingEnvironmentError if it cannot be used.
        """
        self._base = _path_of(base)
        try:
            self._base.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_owner(base)
            self._remove_abandoned()
            self._lock = self._new_lock()
            self.path = self._lock.path.with_suffix("")
            self.path.mkdir(mode=0o700)
            mark_children(self.path)
        except OSError as error:
            raise _unusable(self._base, error) from error

    def crash_directory(self) -> tempfile.TemporaryDirectory[str]:
        """Return a new directory for one crash, removed at the end of its context."""
        try:
            # It may be gone: systemd-tmpfiles and others remove what has not been used for days.
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            return tempfile.TemporaryDirectory(dir=self.path, ignore_cleanup_errors=True)
        except OSError as error:
            raise ProcessingEnvironmentError(f"cannot make a directory in {self.path}: {error.strerror}") from error

    def close(self) -> None:
        """Remove the directory and everything in it, and kill the child processes that are left."""
        unmark_children()
        # A companion that was killed may have left some, and no later start looks for them.
        if orphans := kill_orphans(self.path.name):
            logger.warning("killed child processes that were left behind: %d", orphans)
        _remove(self.path, self._lock)
        self._lock.close()

    def _new_lock(self) -> FileLock:
        while True:
            # A processor that starts at this moment may have locked the file as abandoned.
            with contextlib.suppress(BlockingIOError):
                return FileLock(self._base / f"{os.getpid()}-{uuid.uuid4().hex[:8]}.lock")

    def _remove_abandoned(self) -> None:
        for path in self._base.glob("*.lock"):
            try:
                lock = FileLock(path, os.O_RDWR | os.O_NOFOLLOW)
            except (BlockingIOError, FileNotFoundError):
                continue
            except OSError as error:
                if error.errno not in NOT_OURS:
                    raise
                logger.warning("cannot open %s, left as it is: %s", path, error.strerror)
                continue
            with lock:
                if orphans := kill_orphans(path.stem):
                    logger.warning("killed what a killed processor had left behind, processes: %d", orphans)
                _remove(path.with_suffix(""), lock)
            logger.info("removed the temporary files of a processor that was killed: %s", path.with_suffix(""))


def examine(base: str) -> tuple[Path, str]:
    """Return the directory that contains those of processes, and what will be made there; change nothing.

    Raises ProcessingEnvironmentError as ProcessDirectory does.
    """
    path = _path_of(base)
    try:
        is_there = check_writable(path)
        check_room(path)
        if is_there:
            _check_owner(base)
    except OSError as error:
        raise _unusable(path, error) from error
    return path, "" if is_there else f"{path.absolute()} will be made"


def _path_of(base: str) -> Path:
    return Path(base) if base else Path(tempfile.gettempdir(), f"socorro-processor-{os.getuid()}")


def _check_owner(base: str) -> None:
    path = _path_of(base)
    if not base and (path.is_symlink() or path.stat().st_uid != os.getuid()):
        raise ProcessingEnvironmentError(f"{path} belongs to somebody else: set app.temporary_directory")


def _unusable(path: Path, error: OSError) -> ProcessingEnvironmentError:
    return ProcessingEnvironmentError(
        f"cannot make a directory for temporary files in {path}: {error.strerror}; make room there, or set "
        "app.temporary_directory"
    )


def _remove(directory: Path, lock: FileLock) -> None:
    """Remove both; the lock file last, and only if nothing is left for a later start to remove."""
    shutil.rmtree(directory, ignore_errors=True)
    if not directory.exists():
        with contextlib.suppress(OSError):
            lock.remove()
