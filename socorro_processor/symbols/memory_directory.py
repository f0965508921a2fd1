"""Directories in memory for slices, and what a killed process left there."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

IN_MEMORY = Path("/dev/shm")  # in it a directory of our own  # nosec B108


class MemoryDirectory:
    """A directory of this process in memory, where the system has such; else among its temporary files.

    It is locked for as long as the process lives: one that is not belongs to a process that has ended,
    and is removed when the next one makes its own.
    """

    def __init__(self, base: Path | None = None) -> None:
        """Raises OSError."""
        base = base or _base()
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        remove_abandoned(base)
        self._lock: int | None = None
        while self._lock is None:
            self.path = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=base))
            # Until it is locked, another process may take it for an abandoned one.
            self._lock = _locked(self.path)

    def new(self) -> str:
        """An empty directory. Raises OSError."""
        return tempfile.mkdtemp(dir=self.path)

    def close(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def remove_abandoned(base: Path | None = None) -> None:
    """Remove what killed processes left there. Raises OSError."""
    base = base or _base()
    if not base.exists():
        return
    if base.is_symlink() or base.stat().st_uid != os.getuid():
        raise PermissionError(f"{base} belongs to somebody else")
    for path in base.iterdir():
        lock = _locked(path)
        if lock is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(lock)


def _base() -> Path:
    memory = IN_MEMORY if os.access(IN_MEMORY, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
    return memory / f"socorro-slices-{os.getuid()}"


def _locked(directory: Path) -> int | None:
    """The descriptor of a directory, locked; None where another holds it, or has removed it."""
    descriptor = None
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if directory.stat().st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    if descriptor is not None:
        os.close(descriptor)
    return None
