"""Remember the files that a source does not have, so as not to ask for them again for a while.

Each has an empty file, so that all processes know it, and later runs too.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path


class KnownMissing:
    """A directory of missing files. May be used by several threads and processes at once.

    If the directory cannot be used, nothing is known.
    """

    def __init__(self, directory: Path, ttl: float, clock: Callable[[], float] = time.time) -> None:
        """``ttl``: seconds until a source is asked again."""
        self._directory = directory
        self._ttl = ttl
        self._clock = clock
        self._last_sweep = 0.0

    def knows(self, source: str, path: str) -> bool:
        try:
            age = self._clock() - os.stat(self._file(source, path)).st_mtime  # noqa: PTH116 - ten times as quick as Path's
        except OSError:
            return False
        return 0 <= age < self._ttl

    def remember(self, source: str, path: str) -> None:
        self._sweep()
        with contextlib.suppress(OSError):
            self._directory.mkdir(parents=True, exist_ok=True)
            file = self._file(source, path)
            Path(file).touch()
            os.utime(file, (self._clock(), self._clock()))

    def forget(self, source: str, path: str) -> None:
        with contextlib.suppress(OSError):
            Path(self._file(source, path)).unlink()

    def _file(self, source: str, path: str) -> str:
        return f"{self._directory}/{hashlib.blake2b(f'{source} {path}'.encode(), digest_size=16).hexdigest()}"

    def _sweep(self) -> None:
        """Remove expired entries, once per ``ttl``."""
        now = self._clock()
        if now - self._last_sweep < self._ttl:
            return
        self._last_sweep = now
        with contextlib.suppress(OSError), os.scandir(self._directory) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if now - entry.stat().st_mtime >= self._ttl:
                        Path(entry.path).unlink()
