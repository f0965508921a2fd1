"""Records that the manager keeps beside a symbol cache: the order of use, and its status.

They are outside the cache, because every file in it is a symbol file. Each is replaced in one step; if one is
damaged or missing, nothing else is lost.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from socorro_processor.machine.locks import FileLock
from socorro_processor.machine.regular_file import replacing


@dataclass(frozen=True)
class Status:
    """The status that ``socorro symbols status`` shows."""

    pid: int
    started: float
    """Seconds since 1970, like all times here."""
    limit: int
    bytes: int
    files: int
    hits: int
    """Uses of files that were there, since the start; several openings at once count once."""
    evictions: int
    """Files removed to make room, since the start."""
    evicted_bytes: int
    overflows: int
    """Times that events were lost, and the cache was scanned instead."""
    oldest: float | None
    """The last use of the file to be removed next; None if there is no file."""
    watching: bool
    """False if inotify has too few watches, and the cache is scanned once a minute."""


class CacheRecords:
    """The files ``order`` and ``status.json`` in a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def save_order(self, used: Iterable[tuple[str, float]]) -> None:
        """Save paths, each with the time of its last use. Raises OSError."""
        # A name may contain any byte but NUL, even line ends.
        text = "\0".join(f"{time:.3f} {path}" for path, time in used)
        self._replace("order", os.fsencode(text))

    def order(self) -> dict[str, float]:
        """Return the order that was saved last."""
        used: dict[str, float] = {}
        with suppress(OSError):
            for entry in os.fsdecode((self._directory / "order").read_bytes()).split("\0"):
                time, _, path = entry.partition(" ")
                with suppress(ValueError):
                    used[path] = float(time)
        return used

    def save_status(self, status: Status) -> None:
        """Save the status. Raises OSError."""
        self._replace("status.json", json.dumps(asdict(status)).encode())

    def status(self) -> Status | None:
        """Return the status that was saved last; None if there is none."""
        try:
            read = json.loads((self._directory / "status.json").read_bytes())
            return Status(**{field.name: read[field.name] for field in fields(Status)})
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _replace(self, name: str, content: bytes) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        temporary = self._directory / f".{name}.writing"
        with replacing(self._directory / name, temporary=temporary, durable=False) as file:
            file.write(content)


def records_of(cache: Path, directory: str) -> CacheRecords:
    """Return the records of a cache, in ``directory`` or, if that is empty, beside the cache. Raises ValueError."""
    records = Path(directory) if directory else cache.with_name(f"{cache.name}.state")
    if records.resolve().is_relative_to(cache.resolve()):
        raise ValueError(f"{records} is in the symbol cache {cache} itself: set state_path to another directory")
    return CacheRecords(records)


def is_managed(cache: Path) -> bool:
    """Return True if a manager runs for this cache directory. Raises OSError."""
    try:
        FileLock(cache, os.O_RDONLY | os.O_DIRECTORY, shared=True).close()
    except BlockingIOError:
        return True
    return False
