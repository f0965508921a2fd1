"""A directory of uploads that were answered, and are yet to be handed over to store and queue.

================  ==========================================================================
below the spool   content
================  ==========================================================================
``writing``       uploads that are arriving; what is there at a start was never answered
``ready``         answered uploads, a file each, named by number of arrival and crash id
``aside``         uploads that could not be handed over, or whose file is damaged
``moving``        copies of large dumps on their way to the store
``reserve``       disk space for uploads while the disk is full
``lock``          locked by the process that uses the spool
================  ==========================================================================
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NoReturn, TypeVar

from socorro_processor.collector.disk import Disk
from socorro_processor.collector.reserve import NO_ROOM, Reserve
from socorro_processor.collector.spooled_crash import Contents, DamagedCrash, SpooledCrash
from socorro_processor.crash_id import check_crash_id, without_throttle_digit
from socorro_processor.errors import ConfigurationError, InvalidCrashID, SocorroError
from socorro_processor.machine.locks import FileLock
from socorro_processor.monitoring.metrics import METRICS

logger = logging.getLogger(__name__)

T = TypeVar("T")

Step = Callable[[str], None]
"""A function that is told each step once it is done; a test lets the process die there."""

SPOOL_STEPS = ("begun", "written", "closed with its contents", "synchronized", "renamed", "directory synchronized")
"""The steps of an upload, in order; it is answered after the last."""

DAMAGED = ".damaged"
REASON = ".why"
"""The ends of names in ``aside``: a damaged file, and the words about the file beside it."""

_NAME = re.compile(r"(\d{12})-([0-9a-f-]{36})", re.ASCII)


class SpoolFull(SocorroError):
    """The disk of the spool has no room, and the reserve is used up. It passes: the upload may be sent again."""


class SpoolFailing(SocorroError):
    """The disk of the spool does not work. It passes: the upload may be sent again."""


class NotInSpool(SocorroError):
    """A crash is not in the spool any more: it was handed over or set aside, or somebody removed its file."""


class SpoolFile:
    """An upload that is arriving: a sink for the bytes of its files. Used by one thread at a time."""

    def __init__(self, path: Path, descriptor: int, write: Callable[[int, bytes | memoryview], None]) -> None:
        self.path = path
        self.descriptor = descriptor
        self.size = 0
        self._write = write

    @property
    def is_open(self) -> bool:
        return self.descriptor >= 0

    def write(self, data: bytes) -> None:
        """Append bytes. Raises SpoolFull, SpoolFailing; the upload cannot be accepted then."""
        self._write(self.descriptor, data)
        self.size += len(data)

    def close(self) -> None:
        if self.is_open:
            os.close(self.descriptor)
            self.descriptor = -1


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in ``ready``."""

    name: str
    crash_id: str
    size: int
    arrived: float
    """The time of its last change, as ``time.time``."""


def no_step(name: str) -> None:
    """Do nothing: the Step of production."""


class Spool:
    """A spool that this process alone uses. May be used from any thread."""

    def __init__(
        self,
        directory: Path,
        reserve: int,
        *,
        disk: Disk | None = None,
        step: Step = no_step,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Open a spool, and make it if there is none. ``reserve`` is in bytes.

        Uploads that were arriving when an earlier process ended are removed: nobody was promised anything.

        Raises ConfigurationError, which says what to do, if the directory cannot be used.
        """
        self.directory = directory.absolute()
        self._disk = disk or Disk()
        self._step = step
        self._wall_clock = wall_clock
        self._changed = threading.Condition()
        self._changes = 0
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._names: dict[str, str] = {}
        self._aside: dict[str, str] = {}
        self._size = 0
        self._number = 0
        self._failure = ""
        try:
            self._writing, self._ready, self._set_aside, self.moving = (
                self._make(name) for name in ("writing", "ready", "aside", "moving")
            )
            self._lock = FileLock(self.directory / "lock")
        except BlockingIOError:
            raise ConfigurationError(
                f"another collector uses the spool {self.directory}: stop it, or set collector.spool"
            ) from None
        except OSError as error:
            raise ConfigurationError(
                f"cannot use the spool {self.directory}: {error.strerror}; let this user write there, or set "
                "collector.spool"
            ) from error
        try:
            self._reserve = Reserve(self.directory / "reserve", reserve)
            self._recover()
        except OSError as error:
            self._lock.close()
            raise ConfigurationError(f"cannot use the spool {self.directory}: {error.strerror}") from error
        self.fill_reserve()

    def begin(self) -> SpoolFile:
        """Return a new file for an upload. Raises SpoolFull, SpoolFailing."""
        path = self._writing / uuid.uuid4().hex
        descriptor = self._with_room(lambda: self._disk.create(path), "create a file in")
        self._step("begun")
        return SpoolFile(path, descriptor, self._write)

    def commit(self, file: SpoolFile, contents: Contents) -> Entry:
        """Complete an upload; return once it cannot be lost. Raises SpoolFull, SpoolFailing, and then keeps nothing."""
        try:
            entry = self._commit(file, contents)
        finally:
            self.discard(file)
        with self._changed:
            self._add(entry)
            self._failure = ""
            self._note_change()
        return entry

    def discard(self, file: SpoolFile) -> None:
        """Forget an upload. Changes nothing if it was committed or discarded before."""
        if file.is_open:
            file.close()
            with suppress(OSError):
                file.path.unlink(missing_ok=True)

    def find(self, crash_id: str) -> Entry | None:
        """Return the entry with a crash id; its throttle digit may be another."""
        with self._changed:
            name = self._names.get(without_throttle_digit(crash_id))
            return self._entries[name] if name else None

    def find_set_aside(self, crash_id: str) -> Contents | None:
        """Return the contents of a crash that was set aside, also with another throttle digit.

        Return None if there is none, or its file is damaged.
        """
        with self._changed:
            name = self._aside.get(without_throttle_digit(crash_id))
        if name is None:
            return None
        try:
            with SpooledCrash(self._set_aside / name) as crash:
                crash.check()
                return crash.contents
        except (DamagedCrash, OSError):
            return None

    def open(self, entry: Entry) -> SpooledCrash:
        """Open the crash of an entry. Raises DamagedCrash, NotInSpool, SpoolFailing."""
        with self._changed:
            if entry.name not in self._entries:
                raise NotInSpool(entry.name)
        try:
            return SpooledCrash(self._ready / entry.name)
        except FileNotFoundError:
            with self._changed:
                self._forget(entry)
            raise NotInSpool(entry.name) from None
        except OSError as error:
            raise SpoolFailing(f"cannot read {self._ready / entry.name}: {error.strerror}") from error

    def oldest(self, maximum: int) -> list[Entry]:
        """Return the entries that arrived first."""
        with self._changed:
            return list(islice(self._entries.values(), maximum))

    def write_copy(self, descriptor: int, data: bytes) -> None:
        """Write a part of a copy in ``moving``. Raises SpoolFull, SpoolFailing."""
        self._write(descriptor, data)

    def remove(self, entry: Entry) -> None:
        """Remove a crash that was handed over. Raises SpoolFailing."""
        try:
            (self._ready / entry.name).unlink(missing_ok=True)
        except OSError as error:
            raise SpoolFailing(f"cannot remove {self._ready / entry.name}: {error.strerror}") from error
        with self._changed:
            self._forget(entry)

    def set_aside(self, entry: Entry, reason: str, *, is_damaged: bool = False) -> None:
        """Keep a crash where an operator finds it, with words beside it, and hand it over no more. Raises SpoolFailing.

        An operator puts it back by moving the file into ``ready``.
        """
        name = entry.name + (DAMAGED if is_damaged else "")
        try:
            (self._ready / entry.name).rename(self._set_aside / name)
        except FileNotFoundError:  # another thread was first
            with self._changed:
                self._forget(entry)
            return
        except OSError as error:
            raise SpoolFailing(f"cannot set {self._ready / entry.name} aside: {error.strerror}") from error
        with self._changed:
            self._forget(entry)
            if not is_damaged:
                self._aside[without_throttle_digit(entry.crash_id)] = name
        # The log has the same words: there may be no room for another file.
        with suppress(OSError):
            (self._set_aside / (entry.name + REASON)).write_text(reason + "\n")

    def look_again(self) -> None:
        """Find the files that an operator put back into ``ready``, or took out of ``aside``. Raises SpoolFailing."""
        try:
            found = {entry.name: entry for entry in self._entries_in(self._ready)}
            aside = {without_throttle_digit(entry.crash_id): entry.name for entry in self._entries_in(self._set_aside)}
        except OSError as error:
            raise SpoolFailing(f"cannot list {self.directory}: {error.strerror}") from error
        with self._changed:
            if found.keys() <= self._entries.keys():
                self._aside = aside
                return
        with self._changed:
            # An entry that was handed over since the listing has no file any more.
            new = [found[name] for name in found.keys() - self._entries.keys() if (self._ready / name).exists()]
            for entry in new:
                self._add(entry)
            self._aside = aside
            self._entries = OrderedDict(sorted(self._entries.items()))
            self._note_change()

    def fill_reserve(self) -> None:
        """Regain the reserve, as far as there is room. Call it now and then."""
        try:
            self._reserve.fill()
        except OSError as error:
            logger.warning("the reserve of %s cannot be regained: %s", self.directory, error.strerror)

    def check(self) -> None:
        """Write a small file: note that the disk works again, or does not work. Raises nothing."""
        file: SpoolFile | None = None
        try:
            file = self.begin()
            file.write(b"\0" * 4096)
            self._disk.synchronize(file.descriptor)
            self._failure = ""
        except (SpoolFull, SpoolFailing):
            pass  # `_with_room` has noted it
        except OSError as error:
            self._note_failure(f"cannot write in {self.directory}: {error.strerror}")
        finally:
            if file is not None:
                self.discard(file)

    @property
    def changes(self) -> int:
        """The number of changes so far, for ``wait``."""
        return self._changes

    def wait(self, seconds: float, changes: int) -> None:
        """Wait until there are more changes than ``changes``: something was added, or ``wake`` was called."""
        with self._changed:
            self._changed.wait_for(lambda: self._changes > changes, seconds)

    def wake(self) -> None:
        """End each ``wait``."""
        with self._changed:
            self._note_change()

    @property
    def failure(self) -> str:
        """Why the disk took no upload when it was last tried; empty if it did."""
        return self._failure

    @property
    def depth(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """The bytes of all crashes to hand over."""
        return self._size

    @property
    def reserve(self) -> int:
        """The bytes of the reserve."""
        return self._reserve.size

    @property
    def reserve_wanted(self) -> int:
        return self._reserve.wanted

    @property
    def oldest_age(self) -> float:
        """Seconds since the oldest crash in the spool arrived; 0 if there is none."""
        with self._changed:
            entry = next(iter(self._entries.values()), None)
        return max(0.0, self._wall_clock() - entry.arrived) if entry else 0.0

    def count_set_aside(self) -> int:
        """Return the number of crashes that were set aside, damaged ones included."""
        with suppress(OSError):
            return sum(not path.name.endswith(REASON) for path in self._set_aside.iterdir())
        return 0

    def close(self) -> None:
        """Let another process use the spool."""
        self._reserve.close()
        self._lock.close()

    def _commit(self, file: SpoolFile, contents: Contents) -> Entry:
        self._step("written")
        file.write(contents.encoded())
        self._step("closed with its contents")
        # Before the rename: after a power cut there must be no name in `ready` for a file that is not whole.
        with METRICS.timer("collector.synchronize"):
            self._once(lambda: self._disk.synchronize(file.descriptor))
        self._step("synchronized")
        with self._changed:
            self._number += 1
            entry = Entry(f"{self._number:012d}-{contents.crash_id}", contents.crash_id, file.size, self._wall_clock())
        ready = self._ready / entry.name
        self._with_room(lambda: self._disk.rename(file.path, ready), "rename a file in")
        self._step("renamed")
        # Before the answer: the name could still be lost.
        try:
            self._once(lambda: self._disk.synchronize_directory(self._ready))
        except SocorroError:
            with suppress(OSError):
                ready.unlink()
            raise
        self._step("directory synchronized")
        return entry

    def _write(self, descriptor: int, data: bytes | memoryview) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._with_room(partial(self._disk.write, descriptor, rest), "write in") :]

    def _with_room(self, operation: Callable[[], T], doing: str) -> T:
        """Do what needs room on the disk; give up the reserve for it. Raises SpoolFull, SpoolFailing."""
        while True:
            try:
                return operation()
            except OSError as error:
                if error.errno not in NO_ROOM or not self._reserve.give_up_piece():
                    self._fail(error, doing)

    def _once(self, synchronize: Callable[[], None]) -> None:
        """Synchronize, and do not try again: a second try may succeed although data was lost in the first."""
        try:
            synchronize()
        except OSError as error:
            if error.errno in NO_ROOM:
                self._reserve.give_up_piece()
            self._fail(error, "write to the disk of")

    def _fail(self, error: OSError, doing: str) -> NoReturn:
        reason = f"cannot {doing} the spool {self.directory}: {error.strerror or error}"
        self._note_failure(reason)
        raise (SpoolFull if error.errno in NO_ROOM else SpoolFailing)(reason) from error

    def _note_failure(self, failure: str) -> None:
        if not self._failure:
            logger.error("%s; uploads are answered with 503", failure)
        self._failure = failure

    def _make(self, name: str) -> Path:
        path = self.directory / name
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def _recover(self) -> None:
        half = 0
        for directory in (self._writing, self.moving):
            for path in directory.iterdir():
                path.unlink()
                half += directory == self._writing
        for entry in sorted(self._entries_in(self._ready), key=lambda entry: entry.name):
            self._add(entry)
        aside = list(self._entries_in(self._set_aside))
        self._aside = {without_throttle_digit(entry.crash_id): entry.name for entry in aside}
        names = [*self._entries, *(path.name for path in self._set_aside.iterdir())]
        self._number = max((int(match[1]) for name in names if (match := _NAME.match(name))), default=0)
        # A rename that was not yet on the disk when the machine lost power may be undone by now.
        self._disk.synchronize_directory(self._ready)
        if self._entries or half:
            logger.info(
                "the spool %s has %d crashes to hand over; %d uploads had not arrived in full, and were removed",
                self.directory,
                len(self._entries),
                half,
            )

    def _entries_in(self, directory: Path) -> Iterator[Entry]:
        """Yield the entries of the files there; other files are not ours."""
        with os.scandir(directory) as files:
            for file in files:
                match = _NAME.fullmatch(file.name)
                with suppress(InvalidCrashID, FileNotFoundError):
                    if match:
                        status = file.stat(follow_symlinks=False)
                        yield Entry(file.name, check_crash_id(match[2]), status.st_size, status.st_mtime)

    def _add(self, entry: Entry) -> None:
        if entry.name in self._entries:
            return
        self._entries[entry.name] = entry
        self._names[without_throttle_digit(entry.crash_id)] = entry.name
        self._size += entry.size

    def _forget(self, entry: Entry) -> None:
        if self._entries.pop(entry.name, None) is None:
            return
        self._size -= entry.size
        key = without_throttle_digit(entry.crash_id)
        if self._names.get(key) == entry.name:
            del self._names[key]

    def _note_change(self) -> None:
        self._changes += 1
        self._changed.notify_all()
