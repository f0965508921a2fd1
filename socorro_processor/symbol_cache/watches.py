"""Watch a tree of directories with Linux's inotify (man 7 inotify), with one watch per directory."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator
from enum import Enum, auto
from pathlib import Path

from inotify_simple import INotify, flags, masks

logger = logging.getLogger(__name__)


class Happened(Enum):
    """The kind of an event."""

    OPENED = auto()
    """A file was opened."""
    CHANGED = auto()
    """A file may have come, grown, shrunk or gone: only the disk knows."""
    ARRIVED = auto()
    """Like CHANGED, and the file is complete: it was closed after writing, or moved here."""
    DIRECTORY_CAME = auto()
    DIRECTORY_LEFT = auto()
    """A directory was moved away with its content. (A deleted directory was empty before.)"""
    OVERFLOWED = auto()
    """Events were lost."""


Event = tuple[Happened, str]

_SETTINGS = {errno.ENOSPC: "fs.inotify.max_user_watches", errno.EMFILE: "fs.inotify.max_user_instances"}
"""The kernel's settings that limit inotify, by the error that it gives."""

# Integers, because the attributes of an enumeration are slow.
_OPEN = int(flags.OPEN)
_IS_DIRECTORY = int(flags.ISDIR)
_IGNORED = int(flags.IGNORED)
_OVERFLOW = int(flags.Q_OVERFLOW)
_MOVED_FROM = int(flags.MOVED_FROM)
_CAME = flags.CREATE | flags.MOVED_TO
_DONE = flags.CLOSE_WRITE | flags.MOVED_TO
_MASK = (
    flags.CREATE
    | flags.MODIFY
    | flags.CLOSE_WRITE
    | flags.OPEN
    | masks.MOVE
    | flags.DELETE
    | flags.ONLYDIR
    | flags.EXCL_UNLINK
)


class Watches:
    """The watches of a tree, for one thread.

    If the kernel's limits refuse a watch, the log says which setting to raise, ``complete`` is false, and the
    caller must scan the disk. Other failures raise OSError.
    """

    def __init__(self) -> None:
        self.complete = True
        self._was_told = False
        self._paths: dict[int, str] = {}
        self._pending: list[Event] = []
        try:
            self._inotify: INotify | None = INotify()
        except OSError as error:
            self._refused(error)
            self._inotify = None

    def __len__(self) -> int:
        return len(self._paths)

    def begin(self) -> None:
        """Prepare for a scan, which adds all directories, known ones again."""
        self._was_told = self._was_told and not self.complete
        self.complete = self._inotify is not None

    def add(self, descriptor: int, path: str) -> None:
        """Watch an open directory, whose name in events is ``path``."""
        if self._inotify is None:
            return
        try:
            # Not the path, which may lead to another directory by now.
            watch = self._inotify.add_watch(f"/proc/self/fd/{descriptor}", _MASK)
        except FileNotFoundError:  # it was deleted
            return
        except OSError as error:
            self._refused(error)
            return
        self._paths[watch] = path

    def remove_below(self, path: str) -> None:
        """Stop watching a directory and those in it."""
        assert self._inotify is not None
        prefix = f"{path}/"
        for watch, watched in list(self._paths.items()):
            if watched == path or watched.startswith(prefix):
                del self._paths[watch]
                # Its directory may be gone meanwhile, and the watch with it.
                try:
                    self._inotify.rm_watch(watch)
                except OSError as error:
                    if error.errno != errno.EINVAL:
                        raise

    def read(self, timeout: float, delay: float = 0.0) -> Iterator[Event]:
        """Yield the events since the last call, in order.

        Wait up to ``timeout`` seconds for the first event, then ``delay`` seconds for others: waking up for each
        costs more than handling it.
        """
        pending, self._pending = self._pending, []
        yield from pending
        if self._inotify is None:
            return
        yield from self._events(0 if pending else int(timeout * 1000), int(delay * 1000))

    def collect(self) -> None:
        """Empty the kernel's queue, whose size is limited, and keep the events for the next ``read``."""
        if self._inotify is not None:
            self._pending += self._events(0, 0)

    def close(self) -> None:
        if self._inotify is not None:
            self._inotify.close()

    def _events(self, timeout: int, delay: int) -> Iterator[Event]:
        assert self._inotify is not None
        for watch, mask, _, name in self._inotify.read(timeout, delay or None):
            directory = self._paths.get(watch)
            if mask & _OVERFLOW:
                yield Happened.OVERFLOWED, ""
            elif directory is None or mask & _IGNORED:
                self._paths.pop(watch, None)
            elif not mask & _IS_DIRECTORY:
                path = f"{directory}/{name}" if directory else name
                if mask & _OPEN:
                    yield Happened.OPENED, path
                else:
                    yield Happened.ARRIVED if mask & _DONE else Happened.CHANGED, path
            elif mask & (_CAME | _MOVED_FROM):
                path = f"{directory}/{name}" if directory else name
                yield Happened.DIRECTORY_CAME if mask & _CAME else Happened.DIRECTORY_LEFT, path

    def _refused(self, error: OSError) -> None:
        setting = _SETTINGS.get(error.errno or 0)
        if setting is None:
            raise error
        self.complete = False
        if not self._was_told:
            self._was_told = True
            logger.warning(
                "inotify refused a watch after %d: %s; the symbol cache is scanned once a minute instead. "
                "Raise the sysctl %s (now %s) above the number of directories in the cache",
                len(self),
                os.strerror(error.errno or 0),
                setting,
                Path("/proc/sys", *setting.split(".")).read_text().strip(),
            )
