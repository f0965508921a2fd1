"""Can a directory be written, or made where there is none? Nothing is written to find that out.

The answers are those for this user and this moment. Quotas are not looked at.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path


def check_writable(directory: Path) -> bool:
    """Return False where the directory has yet to be made; raise OSError where it cannot be made, or not be written."""
    nearest = _nearest(directory)
    if not nearest.is_dir():
        raise _error(errno.ENOTDIR, nearest)
    if os.statvfs(nearest).f_flag & os.ST_RDONLY:
        raise _error(errno.EROFS, nearest)
    if not os.access(nearest, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        raise _error(errno.EACCES, nearest)
    return nearest == directory.absolute()


def check_room(directory: Path) -> None:
    """Raise OSError where the file system of the directory is full."""
    nearest = _nearest(directory)
    status = os.statvfs(nearest)
    # Some file systems do not count files, or anything.
    if (status.f_blocks and not status.f_bavail) or (status.f_files and not status.f_favail):
        raise _error(errno.ENOSPC, nearest)


def _nearest(path: Path) -> Path:
    """Return what there is of a path: itself, or of its parents the last that is there."""
    nearest = path.absolute()
    while not os.path.lexists(nearest):
        nearest = nearest.parent
    return nearest


def _error(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), str(path))
