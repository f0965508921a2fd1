"""The memory that a walk may use if no operator says so: the machine's, divided by the walks at once.

    share = memory_share(walks=4)
    share.bytes, str(share)

A minidump of 5 MB can make a stackwalker ask for gigabytes. Where several do so at once, the kernel would kill
whatever it likes; a walk that is refused more memory ends by itself, and its crash is saved with a note.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

LARGEST = 4 << 30
"""Bytes. As JSON that may be printed and with a symbol file of 1.5 GB that is read in full no walk needs more."""

SMALLEST = 256 << 20
"""Bytes: twice the address space that the largest of the real dumps takes. With less, sound dumps would fail."""

_FOR_WALKS = 0.75
"""The share of memory for walks; the rest is for the processor and the system."""

Read = Callable[[str], str]
"""Returns the text of a file of the system's. Raises OSError."""


def read_file(path: str) -> str:
    return Path(path).read_text()


@dataclass(frozen=True)
class MemoryShare:
    """The memory of one walk."""

    bytes: int
    walks: int
    memory: int | None
    """Bytes that there are for all of this process's kind; None where that cannot be found out."""

    @property
    def is_too_small(self) -> bool:
        """True where all walks at once may use more than there is."""
        return self.memory is not None and self.bytes * self.walks > self.memory * _FOR_WALKS

    def __str__(self) -> str:
        if self.memory is None:
            return f"{_megabytes(self.bytes)}, since this machine does not say how much memory it has"
        walks = "walk" if self.walks == 1 else "walks"
        return f"{_megabytes(self.bytes)}, of {_megabytes(self.memory)} for {self.walks} {walks} at once"


def memory_share(walks: int, largest: int = LARGEST, read: Read = read_file) -> MemoryShare:
    """Return what each of so many walks at once may use: never more than ``largest``, nor less than SMALLEST."""
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
                # Version 2. Above `high` everything in the group is slowed down until it is of no use.
                yield from _of_group(_GROUPS, group, ("memory.max", "memory.high"), read)
            elif "memory" in controllers.split(","):
                yield from _of_group(_GROUPS / "memory", group, ("memory.limit_in_bytes",), read)


def _of_group(mount: Path, group: str, names: tuple[str, ...], read: Read) -> Iterator[int]:
    """The limits of a group and of those around it. In a container the group's own path need not be there."""
    own = PurePosixPath("/", group)
    for path in (own, *own.parents):
        for name in names:
            # It is `max`, or there is no such file at the root.
            with suppress(OSError, ValueError):
                yield int(read(str(mount / str(path).lstrip("/") / name)))


def _megabytes(size: int) -> str:
    return f"{size >> 20} MB"
