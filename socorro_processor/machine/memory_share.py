"""The memory that a walk may use by default: the machine's, divided by the number of walks at once.

    share = memory_share(walks=4)
    share.bytes, str(share)

A minidump of 5 MB can make a stackwalker ask for gigabytes. If several did so at once, the kernel would kill processes
of its choice. A walk that is refused memory ends on its own, and its crash is saved with a note.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

LARGEST = 4 << 30
"""Bytes. No walk needs more, even if it reads a symbol file of 1.5 GB in full, and prints as much as it may."""

SMALLEST = 256 << 20
"""Bytes: twice the address space for the largest real dump. With less, sound dumps would fail."""

_FOR_WALKS = 0.75
"""The share of memory for walks; the rest is for the processor and the system."""

Read = Callable[[str], str]
"""A function that returns the text of a system file. Raises OSError."""


def read_file(path: str) -> str:
    return Path(path).read_text()


@dataclass(frozen=True)
class MemoryShare:
    """The memory of one walk."""

    bytes: int
    walks: int
    memory: int | None
    """Bytes of this machine or container; None if that cannot be found out."""

    @property
    def is_too_small(self) -> bool:
        """True if all walks together may use more memory than there is."""
        return self.memory is not None and self.bytes * self.walks > self.memory * _FOR_WALKS

    def __str__(self) -> str:
        if self.memory is None:
            return f"{_megabytes(self.bytes)}, because this machine does not tell how much memory it has"
        walks = "walk" if self.walks == 1 else "walks"
        return f"{_megabytes(self.bytes)}, of {_megabytes(self.memory)} for {self.walks} {walks} at once"


def memory_share(walks: int, largest: int = LARGEST, read: Read = read_file) -> MemoryShare:
    """Return the memory for each of ``walks`` at once: at most ``largest`` bytes, at least SMALLEST."""
    memory = available_memory(read)
    share = largest if memory is None else int(memory * _FOR_WALKS / walks)
    return MemoryShare(min(max(share, SMALLEST), largest), walks, memory)


def available_memory(read: Read = read_file) -> int | None:
    """Return the bytes of memory of this machine, or of the smallest control group (container) around this process."""
    limits = list(_limits(read))
    return min(limits) if limits else None


_MEM_TOTAL = re.compile(r"^MemTotal: *(\d+) kB$", re.MULTILINE)
_GROUPS = Path("/sys/fs/cgroup")


def _limits(read: Read) -> Iterator[int]:
    with suppress(OSError):
        if total := _MEM_TOTAL.search(read("/proc/meminfo")):
            yield int(total[1]) * 1024
    with suppress(OSError):
        for line in read("/proc/self/cgroup").splitlines():
            _, controllers, group = line.split(":", 2)
            if not controllers:
                # Version 2. Above `high`, the kernel slows everything in the group down until it is useless.
                yield from _of_group(_GROUPS, group, ("memory.max", "memory.high"), read)
            elif "memory" in controllers.split(","):
                yield from _of_group(_GROUPS / "memory", group, ("memory.limit_in_bytes",), read)


def _of_group(mount: Path, group: str, names: tuple[str, ...], read: Read) -> Iterator[int]:
    """Yield the limits of a group and of its parents. In a container, the path of the group may be missing."""
    own = PurePosixPath("/", group)
    for path in (own, *own.parents):
        for name in names:
            # The limit may be `max`, and the root has no such file.
            with suppress(OSError, ValueError):
                yield int(read(str(mount / str(path).lstrip("/") / name)))


def _megabytes(size: int) -> str:
    return f"{size >> 20} MB"
