"""Has the indexes of a symbol cache built: by a short-lived child, one at a time.

The first that is asked for tells which stackwalker is to judge symbol files; from then on each file that comes
is indexed, too.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Container
from contextlib import suppress
from pathlib import Path

from socorro_processor.metrics import METRICS
from socorro_processor.symbols.index_directory import IndexDirectory, IndexRequest

logger = logging.getLogger(__name__)

_MAXIMUM_WAITING = 10_000
_MAXIMUM_FAILED = 10_000
_NICENESS = 10
_TIME = 900.0
"""Seconds that an index may take."""
# A program, no import: numpy is for those who need it, not for the manager.
_PROGRAM = "socorro_processor.symbols.index_process"


class CacheIndexer:
    """From one thread; nothing here waits."""

    def __init__(self, cache: Path, indexes: IndexDirectory) -> None:
        self._cache = cache
        self._indexes = indexes
        self._waiting: dict[str, None] = {}
        self._failed: set[str] = set()
        """These are built anew only when the file has come anew."""
        self._stackwalker: tuple[str, str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._path = ""
        self._started = 0.0

    def arrived(self, path: str) -> None:
        """A file has come."""
        self._failed.discard(path)
        if self._stackwalker is not None and path.endswith(".sym"):
            self._want(path)

    def gone(self, path: str) -> None:
        self._failed.discard(path)
        self._waiting.pop(path, None)

    def work(self, files: Container[str]) -> str | None:
        """Go on, for these that are there; one whose index may have changed. Call it again and again."""
        for request in self._indexes.requests():
            self._take(request)
        done = self._finished() if self._process is not None else None
        while self._process is None and self._waiting and self._stackwalker is not None:
            path = next(iter(self._waiting))
            del self._waiting[path]
            if path in files:
                self._start(path, *self._stackwalker)
        return done

    def close(self) -> None:
        """What is being built is left."""
        if self._process is not None:
            _end(self._process)
            self._process = None

    def _take(self, request: IndexRequest) -> None:
        self._stackwalker = (request.stackwalker, request.version)
        if request.path not in self._failed:
            self._want(request.path)

    def _want(self, path: str) -> None:
        if len(self._waiting) < _MAXIMUM_WAITING:
            self._waiting[path] = None

    def _start(self, path: str, stackwalker: str, version: str) -> None:
        self._path, self._started = path, time.monotonic()
        try:
            file = self._indexes.file(path)
            file.parent.mkdir(parents=True, exist_ok=True)
            self._process = subprocess.Popen(
                [sys.executable, "-m", _PROGRAM, str(self._cache / path), str(file), stackwalker, version],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            self._failure(str(error))
            return
        with suppress(OSError):  # the manager's own priority is not for this
            os.setpriority(os.PRIO_PROCESS, self._process.pid, _NICENESS)

    def _finished(self) -> str | None:
        assert self._process is not None
        seconds = time.monotonic() - self._started
        code = self._process.poll()
        if code is None and seconds < _TIME:
            return None
        process, self._process = self._process, None
        said = _end(process)
        if code == 0:
            METRICS.increment("symbols.indexed")
            METRICS.duration("symbols.indexing", seconds)
        else:
            self._failure(f"not done after {_TIME:g} s" if code is None else said or f"exit code {code}")
        return self._path

    def _failure(self, reason: str) -> None:
        METRICS.increment("symbols.index_failed")
        logger.warning("no index of %.300r, it is used in full: %s", self._path, reason)
        if len(self._failed) < _MAXIMUM_FAILED:
            self._failed.add(self._path)


def _end(process: subprocess.Popen[bytes]) -> str:
    """End it, with the stackwalker that it may have asked; its last word."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    said = process.communicate()[1].decode(errors="replace").strip()
    return said.rsplit("\n", 1)[-1]
