"""A file that keeps disk space for uploads, and gives it up when the disk is full.

Whatever fills a disk, usually another program, does so before anyone can act. With the reserve the collector goes on
taking crashes meanwhile.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

logger = logging.getLogger(__name__)

NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT))
"""The errors of a file system that has no room."""

PIECE = 16 << 20
"""The number of bytes that the reserve loses or regains at once. If it all went at once, another program could take
what no upload needs yet."""


class Reserve:
    """A preallocated file of up to ``wanted`` bytes. May be used from any thread.

    A file system without preallocation, or one that writes each change elsewhere (btrfs, ZFS), keeps no space for it.
    """

    def __init__(self, path: Path, wanted: int, allocate: Callable[[int, int, int], None] = os.posix_fallocate) -> None:
        """Open the file, which may be that of an earlier process. Raises OSError; never because the disk is full."""
        self.wanted = wanted
        self._path = path
        self._allocate = allocate
        self._lock = threading.Lock()
        self._descriptor = -1
        self._size = 0
        self._has_failed = False
        self._open()

    @property
    def size(self) -> int:
        """The number of bytes that are kept now."""
        return self._size

    def fill(self) -> bool:
        """Grow to the size that is wanted, or as far as there is room. Return True if nothing is lacking.

        Call it at the start, too: the file may be a copy that has a size, but no space.
        """
        with self._lock:
            if self._descriptor < 0:
                self._open()
            while self._descriptor >= 0 and self._size < self.wanted:
                target = min(self._size + PIECE, self.wanted)
                try:
                    self._allocate(self._descriptor, 0, target)
                except OSError as error:
                    # What was allocated before it failed would stay.
                    os.ftruncate(self._descriptor, self._size)
                    if error.errno not in NO_ROOM and not self._has_failed:
                        self._has_failed = True
                        logger.warning("no space can be kept in %s: %s", self._path, error.strerror)
                    return False
                self._size = target
            return self._size >= self.wanted

    def give_up_piece(self) -> bool:
        """Give a piece back to the file system. Return False if there is none left, or that would not help."""
        with self._lock:
            status = os.statvfs(self._path.parent)
            is_out_of_files = status.f_files > 0 and status.f_ffree == 0
            if not self._size or is_out_of_files:
                return False
            self._size = max(0, self._size - PIECE)
            os.ftruncate(self._descriptor, self._size)
            logger.warning("the disk of %s is full: %d bytes of the reserve are left", self._path.parent, self._size)
            return True

    def close(self) -> None:
        """Close the file, which keeps its space for the next process."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._descriptor = os.open(self._path, flags, 0o600)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            return
        if os.fstat(self._descriptor).st_size > self.wanted:
            os.ftruncate(self._descriptor, self.wanted)
