"""Room on disks: how large the disk of a directory is, how much of it is free, and how that is said."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

_UNITS = (("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10))


class DiskSpace(NamedTuple):
    """The disk (file system) of a directory, in bytes."""

    device: int
    """The number by which the kernel tells disks apart."""
    size: int
    """0 if the file system does not say, as some in a network."""
    free: int
    """As far as this user may use it."""


def disk_of(directory: Path) -> DiskSpace:
    """Return the disk of a directory or, if it does not exist yet, of its nearest parent. Raises OSError."""
    nearest = directory.absolute()
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    status = os.statvfs(nearest)
    return DiskSpace(nearest.stat().st_dev, status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize)


def in_words(number: int) -> str:
    """Return a number of bytes for people, in the units of options: ``50 GB``, ``1.5 MB``, ``700 bytes``."""
    for unit, factor in _UNITS:
        if number >= factor:
            shown = number / factor
            return f"{shown:.0f} {unit}" if shown >= 100 or number % factor == 0 else f"{shown:.1f} {unit}"
    return f"{number} bytes"
