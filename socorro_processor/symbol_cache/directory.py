"""The directory of the symbol cache, in which no link is ever followed.

Paths are relative to it, with ``/`` between their parts; ``""`` is the directory itself. Each part is
opened from the one before, so that a link put in its place never leads out of the cache.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from socorro_processor.machine.locks import lock_open_file

logger = logging.getLogger(__name__)

MAXIMUM_DEPTH = 32
"""Deeper directories are left alone. The Breakpad layout has two levels."""

# A descriptor that only names a directory: opening one makes no inotify event.
_NAME = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class CacheDirectory:
    """An open cache directory. Every method raises OSError, but not if a file or directory is gone."""

    def __init__(self, path: Path) -> None:
        """Open the directory, and make it if it is missing."""
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def lock(self) -> bool:
        """Lock the directory until it is closed or this process ends.

        Return False if another process has the lock, or the path no longer leads to it.
        """
        try:
            lock_open_file(self._root)
        except BlockingIOError:
            return False
        return self.is_current()

    def is_current(self) -> bool:
        """Return True if its path still leads to it."""
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self._root))
        except OSError:
            return False

    def close(self) -> None:
        os.close(self._root)

    def file(self, path: str) -> os.stat_result | None:
        """Return the status of a regular file; None if there is none."""
        with suppress(FileNotFoundError, NotADirectoryError), self._parent(path) as (parent, name):
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            return status if stat.S_ISREG(status.st_mode) else None
        return None

    def remove(self, path: str) -> None:
        """Remove a file."""
        with suppress(FileNotFoundError, NotADirectoryError), self._parent(path) as (parent, name):
            os.unlink(name, dir_fd=parent)

    def changed(self, path: str) -> float | None:
        """Return when an entry last came into a directory or left it, in seconds since 1970; None if it is gone."""
        with suppress(FileNotFoundError, NotADirectoryError), self._named(path) as descriptor:
            return os.fstat(descriptor).st_mtime
        return None

    def remove_empty(self, path: str) -> bool:
        """Remove a directory if it is empty, in one step of the kernel. Return False if it stays."""
        try:
            with self._parent(path) as (parent, name):
                os.rmdir(name, dir_fd=parent)
        except OSError:  # not empty, gone, or the root of a mount
            return False
        return True

    def walk(self, path: str, watch: Callable[[int, str], None]) -> Iterator[tuple[str, os.stat_result | None]]:
        """Yield every regular file at and below ``path`` and, with None as status, every empty directory.

        ``watch`` is called with an open descriptor of each directory and its path, before it is read.
        """
        with suppress(FileNotFoundError, NotADirectoryError), self._named(path) as descriptor:
            yield from self._walk(descriptor, ".", path, watch)

    def _walk(
        self, parent: int, name: str, path: str, watch: Callable[[int, str], None]
    ) -> Iterator[tuple[str, os.stat_result | None]]:
        if path.count("/") >= MAXIMUM_DEPTH:
            logger.warning("left alone because it is too deep in the symbol cache: %.200r", path)
            return
        try:
            descriptor = os.open(name, _LIST, dir_fd=parent)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:  # a link (ELOOP), or one that we may not read
            logger.warning("left alone in the symbol cache: %.200r: %s", path, error.strerror)
            return
        try:
            watch(descriptor, path)
            directories = []
            is_empty = True
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    is_empty = False
                    if entry.is_dir(follow_symlinks=False):
                        directories.append(entry.name)
                    elif entry.is_file(follow_symlinks=False):
                        with suppress(FileNotFoundError):
                            yield f"{path}/{entry.name}" if path else entry.name, entry.stat(follow_symlinks=False)
            if is_empty:
                yield path, None
            for each in directories:
                yield from self._walk(descriptor, each, f"{path}/{each}" if path else each, watch)
        finally:
            os.close(descriptor)

    @contextmanager
    def _named(self, path: str) -> Iterator[int]:
        """Open the directory at ``path``."""
        descriptor = self._root
        try:
            for part in path.split("/") if path else ():
                deeper = os.open(part, _NAME, dir_fd=descriptor)
                if descriptor != self._root:
                    os.close(descriptor)
                descriptor = deeper
            yield descriptor
        finally:
            if descriptor != self._root:
                os.close(descriptor)

    @contextmanager
    def _parent(self, path: str) -> Iterator[tuple[int, str]]:
        """Open the parent of ``path``; yield its descriptor and the name in it."""
        parent, _, name = path.rpartition("/")
        with self._named(parent) as descriptor:
            yield descriptor, name
