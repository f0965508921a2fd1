"""Files that a source does not have: it is not asked for them again for a while.

One empty file for each, so that all processes know, and a later run does too.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path


class KnownMissing:
    """May be used by several threads and processes at once. Where the directory fails, nothing is known."""

    def __init__(self, directory: Path, ttl: float, clock: Callable[[], float] = time.time) -> None:
        """``ttl``: seconds until a source is asked again."""
        self._directory = directory
        self._ttl = ttl
        self._clock = clock
        self._swept = 0.0

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
        """Remove what is outdated, once in the time in which all becomes so."""
        now = self._clock()
        if now - self._swept < self._ttl:
            return
        self._swept = now
        with contextlib.suppress(OSError), os.scandir(self._directory) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if now - entry.stat().st_mtime >= self._ttl:
                        Path(entry.path).unlink()
