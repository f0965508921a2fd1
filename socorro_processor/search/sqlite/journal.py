"""The journal of what could not be written into the index yet: a JSON object a line, in order.

The first line has a random name. The index's file remembers, in the transaction that writes the changes, how much of
which journal it has: so each line is written once, whoever dies when.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from socorro_processor.crash_id import check_crash_id
from socorro_processor.crashstorage.indexed_crash import IndexedCrash
from socorro_processor.errors import InvalidCrashID
from socorro_processor.machine.locks import FileLock
from socorro_processor.machine.regular_file import write_all
from socorro_processor.serialization import NotJSON, decode, encode

MAXIMUM_SIZE = 64 << 20
"""Bytes; about 30,000 crashes. Later ones are left to the building of the index."""

_LONGEST_LINE = 1 << 20
_MODE = 0o640


class JournalFull(OSError):
    """The journal has its maximum size."""


class Removal(NamedTuple):
    """A crash that is to be removed from the index."""

    crash_id: str


Change = IndexedCrash | Removal


class Position(NamedTuple):
    """A place in a journal: its name, and the bytes before."""

    name: str = ""
    offset: int = 0


class Journal:
    """Methods raise OSError. Only ``append`` and ``size`` may be called without the lock."""

    def __init__(self, path: Path, maximum_size: int = MAXIMUM_SIZE) -> None:
        self._path = path
        self._lock = path.with_suffix(".lock")
        self._maximum_size = maximum_size

    def size(self) -> int:
        """Return the number of bytes; 0 if there is no journal. Costs a microsecond."""
        try:
            return self._path.stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return 0

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from reading and changing the journal."""
        with FileLock(self._lock, wait=True):
            yield

    def append(self, change: Change) -> None:
        """Add a change. Raises JournalFull."""
        line = encode(_as_json(change)) + b"\n"
        with self.locked():
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)
            try:
                size = os.fstat(descriptor).st_size
                if size + len(line) > self._maximum_size:
                    raise JournalFull(0, f"it has its maximum size, {self._maximum_size} bytes", str(self._path))
                if not size:
                    line = encode({"journal": secrets.token_hex(8)}) + b"\n" + line
                elif os.pread(descriptor, 1, size - 1) != b"\n":
                    # A writer died, or found no room, in the midst of a line.
                    line = b"\n" + line
                write_all(descriptor, line)
            finally:
                os.close(descriptor)

    def read(self, after: Position, number: int) -> tuple[list[Change | None], Position, bool]:
        """Return the next changes, the position after them, and True if there are no more.

        None stands for a line that cannot be read. A position in another journal is the beginning of this one.
        """
        changes: list[Change | None] = []
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return [], after, True
        with file:
            heading = file.readline(_LONGEST_LINE)
            name = _name(heading)
            offset = after.offset if after.name == name else len(heading)
            file.seek(offset)
            while len(changes) < number:
                line = file.readline(_LONGEST_LINE)
                if not line:
                    return changes, Position(name, offset), True
                offset += len(line)
                if line != b"\n":
                    changes.append(_read(line))
            return changes, Position(name, offset), False

    def waiting(self, after: Position) -> int:
        """Return the number of changes after a position."""
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return 0
        with file:
            heading = file.readline(_LONGEST_LINE)
            file.seek(after.offset if after.name == _name(heading) else len(heading))
            return sum(1 for line in file if line.strip())

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


def _as_json(change: Change) -> dict[str, Any]:
    return {"remove": change.crash_id} if isinstance(change, Removal) else {"save": asdict(change)}


def _name(heading: bytes) -> str:
    try:
        value = decode(heading)
    except NotJSON:
        return ""
    return str(value.get("journal", "")) if isinstance(value, Mapping) else ""


def _read(line: bytes) -> Change | None:
    """Return the change of a line; None if the line is not one of ``append``."""
    try:
        value = decode(line)
        if "remove" in value:
            return Removal(check_crash_id(value["remove"]))
        saved = value["save"]
        crash = IndexedCrash(
            check_crash_id(saved["crash_id"]),
            int(saved["moment"]),
            saved["signature"],
            saved["installation"],
            {str(name): each for name, each in saved["values"].items() if isinstance(each, str | int | float)},
        )
    except (NotJSON, InvalidCrashID, KeyError, TypeError, ValueError, AttributeError):
        return None
    is_whole = isinstance(crash.signature, str | None) and isinstance(crash.installation, int | None)
    return crash if is_whole else None
