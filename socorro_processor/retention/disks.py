"""Notice early that a disk is getting full: that of crashes, search index, queue or spool."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from socorro_processor.configuration import DotDict
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.machine.disk_space import DiskSpace, disk_of, in_words
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.search.crash_search import index_place

_PART = 20
"""By default a disk is low with less than this part of it free: 5 %."""
_LEAST, _MOST = 2 << 30, 20 << 30
"""But not with more than 20 GB free, and always with less than 2 GB."""
_MARGIN = 1.1
"""A factor: a disk that was low counts as low until this much more is free, so that it is not said again and again."""


def disk_places(values: DotDict) -> dict[str, Path]:
    """Return the directories on this machine that grow with crashes, by what is there."""
    places = {}
    if issubclass(values.source.crashstorage_class, FileSystemCrashStorage):
        places["crashes"] = Path(values.source.root)
    if place := index_place(values):
        places["index"] = place[0]
    if issubclass(values.new_crash_source.new_crash_source_class, SQLiteCrashQueue):
        places["queue"] = Path(values.new_crash_source.path).parent
    places["spool"] = Path(values.collector.spool)
    return places


@dataclass(frozen=True)
class LowDisk:
    """A disk with little room."""

    places: tuple[str, ...]
    """The things that are on it."""
    space: DiskSpace
    wanted: int
    """Bytes that should be free."""

    def __str__(self) -> str:
        *others, last = self.places
        names = f"{', '.join(others)} and {last}" if others else last
        size = f" of {in_words(self.space.size)}" if self.space.size else ""
        return (
            f"the disk of {names} is low: {in_words(self.space.free)}{size} are free, less than "
            f"{in_words(self.wanted)} (retention.disk_low)"
        )


class DiskWatch:
    """Looks at disks, and remembers which are low. For one thread at a time."""

    def __init__(
        self, places: Mapping[str, Path], low: int | None, look_at: Callable[[Path], DiskSpace] = disk_of
    ) -> None:
        """``low`` is the option ``retention.disk_low``: bytes; 0 for never, None for automatic."""
        self._places = places
        self._low = low
        self._look_at = look_at
        self._were_low: set[int] = set()

    def look(self) -> list[LowDisk]:
        """Return the disks that are low; those that cannot be asked are left out."""
        disks: dict[int, tuple[DiskSpace, list[str]]] = {}
        for name, path in self._places.items():
            # A disk that is away is the fault of a store, a queue or the spool, which say so.
            with suppress(OSError):
                space = self._look_at(path)
                METRICS.gauge("disk.free", space.free, place=name)
                disks.setdefault(space.device, (space, []))[1].append(name)
        low = list(self._low_ones(disks))
        METRICS.gauge("disk.low", len(low))
        self._were_low = {disk.space.device for disk in low}
        return low

    def _low_ones(self, disks: Mapping[int, tuple[DiskSpace, list[str]]]) -> Iterator[LowDisk]:
        for device, (space, names) in disks.items():
            wanted = wanted_room(space.size) if self._low is None else self._low
            margin = _MARGIN if device in self._were_low else 1
            if space.free < wanted * margin:
                yield LowDisk(tuple(names), space, wanted)


def wanted_room(size: int) -> int:
    """Return the bytes that should be free on a disk of this size if nobody says how many."""
    return min(max(size // _PART, _LEAST), _MOST)
