"""The directory beside the symbol cache for symbol files that are not yet whole."""

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
_LOCK_INTERVAL = 0.02
"""Seconds."""
_MOVE_ATTEMPTS = 100


class Staging:
    """A staging directory. Every method raises OSError. May be used by several threads and processes at once."""

    def __init__(self, directory: Path, cache: Path) -> None:
        """``directory`` and ``cache`` are on one file system."""
        self.directory = directory
        self._cache = cache

    @contextlib.contextmanager
    def alone(self, path: str, seconds: float, stopped: Callable[[], bool] = lambda: False) -> Iterator[bool]:
        """Wait up to ``seconds`` to be the only thread on this machine that gets a file. Yield False if that fails."""
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
        """Let ``fill`` write a file, then put it into the cache as ``path``. Call it within ``alone``."""
        part = Path(self._name(path) + _PART)
        try:
            # The stackwalker may run as another user, in a sandbox.
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            with os.fdopen(descriptor, "wb") as file:
                fill(file)
                file.flush()
                # Otherwise a power cut may leave an empty file in the cache for ever.
                os.fsync(file.fileno())
            self._move(part, self._cache / path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise

    def clean(self) -> None:
        """Remove the files of processes that were killed."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for left in {path.with_suffix("") for suffix in (_PART, _LOCK) for path in self.directory.glob(f"*{suffix}")}:
            with contextlib.suppress(BlockingIOError), FileLock(Path(f"{left}{_LOCK}")) as lock:
                Path(f"{left}{_PART}").unlink(missing_ok=True)
                lock.remove()

    def _move(self, part: Path, target: Path) -> None:
        # Not with `replacing`, which removes a new file that it cannot rename: this one is tried again.
        for attempt in range(_MOVE_ATTEMPTS):
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                part.replace(target)
                return
            except (FileNotFoundError, FileExistsError):
                # The manager of the cache may have removed the empty directory in between.
                if attempt == _MOVE_ATTEMPTS - 1:
                    raise

    def _lock(self, name: str, seconds: float, stopped: Callable[[], bool]) -> FileLock | None:
        end = time.monotonic() + seconds
        while True:
            try:
                return FileLock(Path(name))
            except BlockingIOError:
                if time.monotonic() >= end or stopped():
                    return None
            time.sleep(_LOCK_INTERVAL)

    def _name(self, path: str) -> str:
        return f"{self.directory}/{hashlib.blake2b(path.encode(), digest_size=16).hexdigest()}"
