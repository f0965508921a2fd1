"""The directory beside the symbol cache in which symbol files are until they are whole."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from socorro_processor.machine.locks import FileLock

_LOCK, _PART = ".lock", ".part"
_INTERVAL = 0.02
_ATTEMPTS = 100


class Staging:
    """Every method raises OSError. May be used by several threads and processes at once."""

    def __init__(self, directory: Path, cache: Path) -> None:
        """Both are on one file system."""
        self.directory = directory
        self._cache = cache

    @contextlib.contextmanager
    def alone(self, path: str, seconds: float, stopped: Callable[[], bool] = lambda: False) -> Iterator[bool]:
        """Yield True if no other thread or process is getting that file; wait for that up to ``seconds``."""
        lock = self._lock(self._name(path) + _LOCK, seconds, stopped)
        if lock is None:
            yield False
            return
        with lock:
            try:
                yield True
            finally:
                with contextlib.suppress(OSError):
                    lock.remove()

    def write(self, path: str, fill: Callable[[BinaryIO], object]) -> None:
        """Let ``fill`` write a file, then put it into the cache as ``path``. Only for who is alone at it."""
        part = Path(self._name(path) + _PART)
        try:
            # The stackwalker may run as another user, in a sandbox.
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            with os.fdopen(descriptor, "wb") as file:
                fill(file)
                file.flush()
                # Else it may be an empty one in the cache after a power cut, for ever.
                os.fsync(file.fileno())
            self._move(part, self._cache / path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise

    def clean(self) -> None:
        """Remove what a process left that was killed."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for left in {path.with_suffix("") for suffix in (_PART, _LOCK) for path in self.directory.glob(f"*{suffix}")}:
            with contextlib.suppress(BlockingIOError), FileLock(Path(f"{left}{_LOCK}")) as lock:
                Path(f"{left}{_PART}").unlink(missing_ok=True)
                lock.remove()

    def _move(self, part: Path, target: Path) -> None:
        # Not by `replacing`, which removes the new file when it cannot be renamed: this one is tried again.
        for attempt in range(_ATTEMPTS):
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                part.replace(target)
                return
            except (FileNotFoundError, FileExistsError):
                # The manager of the cache removes directories that are empty: then the one that was there just now
                # is none any more.
                if attempt == _ATTEMPTS - 1:
                    raise

    def _lock(self, name: str, seconds: float, stopped: Callable[[], bool]) -> FileLock | None:
        end = time.monotonic() + seconds
        while True:
            try:
                return FileLock(Path(name))
            except BlockingIOError:
                if time.monotonic() >= end or stopped():
                    return None
            time.sleep(_INTERVAL)

    def _name(self, path: str) -> str:
        return f"{self.directory}/{hashlib.blake2b(path.encode(), digest_size=16).hexdigest()}"
