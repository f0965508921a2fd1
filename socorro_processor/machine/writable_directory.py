"""Check, without writing, that a directory can be written, or made if it does not exist.

The answers are for this user and this moment. Quotas are not checked.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path


def check_writable(directory: Path) -> bool:
    """Return True if the directory exists. Raise OSError if it cannot be written or made."""
    nearest = _nearest(directory)
    if not nearest.is_dir():
        raise _error(errno.ENOTDIR, nearest)
    if os.statvfs(nearest).f_flag & os.ST_RDONLY:
        raise _error(errno.EROFS, nearest)
    if not os.access(nearest, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        raise _error(errno.EACCES, nearest)
    return nearest == directory.absolute()


def check_room(directory: Path) -> None:
    """Raise OSError if the file system of the directory is full."""
    nearest = _nearest(directory)
    status = os.statvfs(nearest)
    # Some file systems do not count files, or do not count at all.
    if (status.f_blocks and not status.f_bavail) or (status.f_files and not status.f_favail):
        raise _error(errno.ENOSPC, nearest)


def _nearest(path: Path) -> Path:
    """Return the path, or its nearest parent, that exists."""
    nearest = path.absolute()
    while not os.path.lexists(nearest):
        nearest = nearest.parent
    return nearest


def _error(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), str(path))
