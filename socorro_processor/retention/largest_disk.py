"""The size of a store's disk, as it was when it was largest.

Some file systems (ZFS, thin volumes, quotas) say a smaller size while others fill the same disk. A bound that went down
with it would remove crashes that fitted yesterday; so it goes up only. The size is kept beside the store's crashes.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from socorro_processor.machine.disk_space import disk_of
from socorro_processor.machine.regular_file import read_regular_file, replacing

logger = logging.getLogger(__name__)

FILE = "retention/largest_disk"
_LONGEST = 30
"""Bytes of the file: a number."""


def largest_disk(root: Path) -> int:
    """Return the size of the disk of a store, in bytes, or the largest that was found at earlier calls.

    0 if the file system never said one. Raises OSError if the disk does not answer.
    """
    now, before = disk_of(root).size, _read(root / FILE)
    if now > before and root.is_dir():
        _write(root / FILE, now)
    elif now < before:
        logger.info(
            "the disk of %s has shrunk from %d to %d bytes: the bound stays that of the larger", root, before, now
        )
    return max(now, before)


def _read(file: Path) -> int:
    """Return what was written; 0 if nothing was, or it is damaged."""
    with suppress(OSError, ValueError):
        text = read_regular_file(file, _LONGEST).decode("ascii")
        return int(text) if text.isdigit() else 0
    return 0


def _write(file: Path, size: int) -> None:
    try:
        file.parent.mkdir(mode=0o750, exist_ok=True)
        with replacing(file) as new:
            new.write(f"{size}".encode())
    except OSError as error:
        # Without it the bound is that of today's disk.
        logger.warning("the size of the disk cannot be noted in %s: %s", file, error)
