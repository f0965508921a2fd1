"""Walks whose result differs from the reference, kept for whoever looks into them.

Each is a file, ``<crash id>.<dump name>.json``: the first difference, and what both walks printed. It tells as
much about a crash as its processed crash does, so only its owner may read it, and it is removed after some days.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from socorro_processor.crash_id import check_crash_id
from socorro_processor.errors import InvalidCrashID
from socorro_processor.machine.regular_file import replacing
from socorro_processor.serialization import encode

logger = logging.getLogger(__name__)

MAXIMUM_NUMBER = 20
MAXIMUM_SIZE = 16 << 20
"""Bytes of a file; for a larger walk only the difference is kept."""
MAXIMUM_TOTAL = 64 << 20
"""Bytes of all files."""

_LONGEST_DIFFERENCE = 1000
"""Characters."""
_DAY = 24 * 3600.0
_HOUR = 3600.0
_SUFFIX = ".json"


class DifferentWalk(NamedTuple):
    """A walk and its reference. The names of the fields are those of the JSON."""

    crash_id: str
    dump: str
    """The dump's name."""
    stackwalker: str
    """Its output for ``--version``."""
    difference: str
    own: Mapping[str, Any]
    reference: Mapping[str, Any]


class DifferentWalks:
    """A directory of different walks, made with the first. May be used by several threads and processors at once.

    A directory that cannot be written or read is logged, once until it can be; no method raises for that.
    """

    def __init__(self, directory: Path, days: int, clock: Callable[[], float] = time.time) -> None:
        """``days``: the age at which a walk is removed."""
        self._directory = directory
        self._days = days
        self._clock = clock
        self._lock = threading.Lock()
        self._last_look = 0.0
        self._failed = False

    def keep(self, walk: DifferentWalk) -> Path | None:
        """Keep a walk, in place of an earlier one of the same dump, and remove those over the limits.

        Return the path of its file; None if it could not be kept.
        """
        with self._lock:
            try:
                path = self._directory / f"{check_crash_id(walk.crash_id)}.{walk.dump}{_SUFFIX}"
                content = self._content(walk)
                self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                with replacing(path, 0o600) as file:
                    file.write(content)
                self._remove_old()
            except (OSError, InvalidCrashID) as error:
                self._cannot_be_kept(error)
                return None
            self._failed = False
            return path

    def remove_old(self) -> None:
        """Remove walks over the limits of age, number and size; it looks once an hour."""
        with self._lock:
            # A clock may be set back.
            if abs(self._clock() - self._last_look) < _HOUR:
                return
            try:
                self._remove_old()
            except FileNotFoundError:
                pass
            except OSError as error:
                self._cannot_be_kept(error)

    def _content(self, walk: DifferentWalk) -> bytes:
        kept = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="seconds")
        record = {"kept": kept, **walk._asdict(), "difference": walk.difference[:_LONGEST_DIFFERENCE]}
        content = encode(record)
        if len(content) <= MAXIMUM_SIZE:
            return content
        left_out = f"the walks, which are over {MAXIMUM_SIZE >> 20} MB together"
        return encode({**record, "own": None, "reference": None, "left_out": left_out})

    def _remove_old(self) -> None:
        """Keep the newest walks that the limits allow."""
        now = self._last_look = self._clock()
        number = size = 0
        for path, status in sorted(self._files(), key=lambda file: file[1].st_mtime_ns, reverse=True):
            age = abs(now - status.st_mtime)
            if path.name.startswith("."):
                # Another processor is writing this file, or was killed while it did.
                stays = age < _HOUR
            else:
                number += 1
                size += status.st_size
                stays = age < self._days * _DAY and number <= MAXIMUM_NUMBER and size <= MAXIMUM_TOTAL
            if not stays:
                path.unlink(missing_ok=True)

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        """Yield our files in the directory, which may have others too."""
        for path in list(self._directory.iterdir()):
            try:
                check_crash_id(path.name.removeprefix(".").partition(".")[0])
                status = path.lstat()
                if _SUFFIX in path.name and stat.S_ISREG(status.st_mode):
                    yield path, status
            except (InvalidCrashID, FileNotFoundError):
                continue

    def _cannot_be_kept(self, error: Exception) -> None:
        if not self._failed:
            logger.warning(
                "cannot keep walks that differ in %s, or remove them: %s; set verify_walks_path to a directory that "
                "can be written",
                self._directory,
                error,
            )
        self._failed = True
