"""The list of the crashes in a spool: in the order of their arrival, and by crash id."""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from socorro_processor.crash_id import check_crash_id, without_throttle_digit
from socorro_processor.errors import InvalidCrashID

_NAME = re.compile(r"(\d{12})-([0-9a-f-]{36})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entry:
    """The file of a crash."""

    name: str
    """The number of its arrival and the crash id."""
    crash_id: str
    size: int
    arrived: float
    """The time of its last change, as ``time.time``."""


def entry_name(number: int, crash_id: str) -> str:
    return f"{number:012d}-{crash_id}"


def number_of(name: str) -> int:
    """Return the number of arrival in a name that begins as that of an entry does; 0 if it does not."""
    match = _NAME.match(name)
    return int(match[1]) if match else 0


def entries_in(directory: Path) -> Iterator[Entry]:
    """Yield an entry for each file of a crash there, in no order; other files are not ours. Raises OSError."""
    with os.scandir(directory) as files:
        for file in files:
            match = _NAME.fullmatch(file.name)
            with suppress(InvalidCrashID, FileNotFoundError):
                if match:
                    status = file.stat(follow_symlinks=False)
                    yield Entry(file.name, check_crash_id(match[2]), status.st_size, status.st_mtime)


class Entries:
    """Entries in the order of their arrival. Lock it: it is for one thread at a time."""

    def __init__(self) -> None:
        # A plain dict becomes slow where the first one is removed again and again.
        self._by_name: OrderedDict[str, Entry] = OrderedDict()
        self._names: dict[str, str] = {}
        self.size = 0
        """The bytes of all files."""

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def add(self, entry: Entry) -> None:
        """Add an entry behind all others, unless it is there."""
        if entry.name not in self._by_name:
            self._by_name[entry.name] = entry
            self._names[without_throttle_digit(entry.crash_id)] = entry.name
            self.size += entry.size

    def add_in_order(self, entries: Iterable[Entry]) -> None:
        """Add entries where they belong by their numbers."""
        for entry in entries:
            self.add(entry)
        self._by_name = OrderedDict(sorted(self._by_name.items()))

    def forget(self, entry: Entry) -> None:
        """Drop an entry, if it is there."""
        if self._by_name.pop(entry.name, None) is None:
            return
        self.size -= entry.size
        key = without_throttle_digit(entry.crash_id)
        if self._names.get(key) == entry.name:
            del self._names[key]

    def find(self, crash_id: str) -> Entry | None:
        """Return the entry with a crash id; its throttle digit may be another."""
        name = self._names.get(without_throttle_digit(crash_id))
        return self._by_name[name] if name else None

    def oldest(self, maximum: int) -> list[Entry]:
        """Return the entries that arrived first."""
        return list(islice(self._by_name.values(), maximum))
