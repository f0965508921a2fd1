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
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from socorro_processor.collector.disk import Disk
from socorro_processor.collector.spool_disk import SpoolDisk, SpoolFailing, SpoolFile, SpoolFull
from socorro_processor.collector.spool_entries import Entries, Entry, entries_in, entry_name, number_of
from socorro_processor.collector.spooled_crash import Contents, DamagedCrash, SpooledCrash
from socorro_processor.crash_id import without_throttle_digit
from socorro_processor.errors import ConfigurationError, SocorroError
from socorro_processor.machine.locks import FileLock
from socorro_processor.monitoring.metrics import METRICS

__all__ = ["SPOOL_STEPS", "Entry", "NotInSpool", "Spool", "SpoolFailing", "SpoolFile", "SpoolFull", "Step", "no_step"]

logger = logging.getLogger(__name__)

Step = Callable[[str], None]
"""A function that is told each step once it is done; a test lets the process die there."""

SPOOL_STEPS = ("begun", "written", "closed with its contents", "synchronized", "renamed", "directory synchronized")
"""The steps of an upload, in order; it is answered after the last."""

DAMAGED = ".damaged"
REASON = ".why"
"""The ends of names in ``aside``: a damaged file, and the words about the file beside it."""


class NotInSpool(SocorroError):
    """A crash is not in the spool any more: it was handed over or set aside, or somebody removed its file."""


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
        self._step = step
        self._wall_clock = wall_clock
        self._changed = threading.Condition()
        self._changes = 0
        self._entries = Entries()
        self._aside: dict[str, str] = {}
        self._number = 0
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
            self._disk = SpoolDisk(self.directory, reserve, disk or Disk())
            self._recover()
        except OSError as error:
            self._lock.close()
            raise ConfigurationError(f"cannot use the spool {self.directory}: {error.strerror}") from error
        self._disk.fill_reserve()

    def begin(self) -> SpoolFile:
        """Return a new file for an upload. Raises SpoolFull, SpoolFailing."""
        file = self._disk.create(self._writing / uuid.uuid4().hex)
        self._step("begun")
        return file

    def commit(self, file: SpoolFile, contents: Contents) -> Entry:
        """Complete an upload; return once it cannot be lost. Raises SpoolFull, SpoolFailing, and then keeps nothing."""
        try:
            entry = self._commit(file, contents)
        finally:
            file.discard()
        self._disk.note_success()
        with self._changed:
            self._entries.add(entry)
            self._note_change()
        return entry

    def find(self, crash_id: str) -> Entry | None:
        """Return the entry with a crash id; its throttle digit may be another."""
        with self._changed:
            return self._entries.find(crash_id)

    def holds(self, crash_id: str) -> bool:
        """Return True if a crash is yet to be handed over, or was set aside; its throttle digit may be another."""
        with self._changed:
            return self._entries.find(crash_id) is not None or without_throttle_digit(crash_id) in self._aside

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
                self._entries.forget(entry)
            raise NotInSpool(entry.name) from None
        except OSError as error:
            raise SpoolFailing(f"cannot read {self._ready / entry.name}: {error.strerror}") from error

    def oldest(self, maximum: int) -> list[Entry]:
        """Return the entries that arrived first."""
        with self._changed:
            return self._entries.oldest(maximum)

    def write_copy(self, descriptor: int, data: bytes) -> None:
        """Write a part of a copy in ``moving``. Raises SpoolFull, SpoolFailing."""
        self._disk.write(descriptor, data)

    def remove(self, entry: Entry) -> None:
        """Remove a crash that was handed over. Raises SpoolFailing."""
        try:
            (self._ready / entry.name).unlink(missing_ok=True)
        except OSError as error:
            raise SpoolFailing(f"cannot remove {self._ready / entry.name}: {error.strerror}") from error
        with self._changed:
            self._entries.forget(entry)

    def set_aside(self, entry: Entry, reason: str, *, is_damaged: bool = False) -> None:
        """Keep a crash where an operator finds it, with words beside it, and hand it over no more. Raises SpoolFailing.

        An operator puts it back by moving the file into ``ready``.
        """
        name = entry.name + (DAMAGED if is_damaged else "")
        try:
            (self._ready / entry.name).rename(self._set_aside / name)
        except FileNotFoundError:  # another thread was first
            with self._changed:
                self._entries.forget(entry)
            return
        except OSError as error:
            raise SpoolFailing(f"cannot set {self._ready / entry.name} aside: {error.strerror}") from error
        with self._changed:
            self._entries.forget(entry)
            if not is_damaged:
                self._aside[without_throttle_digit(entry.crash_id)] = name
        # The log has the same words: there may be no room for another file.
        with suppress(OSError):
            (self._set_aside / (entry.name + REASON)).write_text(reason + "\n")

    def look_again(self) -> None:
        """Find the files that an operator put back into ``ready``, or took out of ``aside``. Raises SpoolFailing."""
        try:
            found = list(entries_in(self._ready))
            aside = {without_throttle_digit(entry.crash_id): entry.name for entry in entries_in(self._set_aside)}
        except OSError as error:
            raise SpoolFailing(f"cannot list {self.directory}: {error.strerror}") from error
        with self._changed:
            self._aside = aside
            # A crash that was handed over since the listing has no file any more.
            new = [entry for entry in found if entry.name not in self._entries and (self._ready / entry.name).exists()]
            if new:
                self._entries.add_in_order(new)
                self._note_change()

    def look_after_disk(self) -> None:
        """See whether a disk that failed works again, and regain the reserve. Call it now and then."""
        if self._disk.failure:
            self._disk.check(self._writing / "check")
        self._disk.fill_reserve()

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
        return self._disk.failure

    @property
    def depth(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """The bytes of all crashes to hand over."""
        return self._entries.size

    @property
    def reserve(self) -> int:
        """The bytes of the reserve."""
        return self._disk.reserve.size

    @property
    def reserve_wanted(self) -> int:
        return self._disk.reserve.wanted

    @property
    def oldest_age(self) -> float:
        """Seconds since the oldest crash in the spool arrived; 0 if there is none."""
        with self._changed:
            oldest = self._entries.oldest(1)
        return max(0.0, self._wall_clock() - oldest[0].arrived) if oldest else 0.0

    def count_set_aside(self) -> int:
        """Return the number of crashes that were set aside, damaged ones included."""
        with suppress(OSError):
            return sum(not path.name.endswith(REASON) for path in self._set_aside.iterdir())
        return 0

    def close(self) -> None:
        """Let another process use the spool."""
        self._disk.reserve.close()
        self._lock.close()

    def _commit(self, file: SpoolFile, contents: Contents) -> Entry:
        self._step("written")
        file.write(contents.encoded())
        self._step("closed with its contents")
        # Before the rename: after a power cut there must be no name in `ready` for a file that is not whole.
        with METRICS.timer("collector.synchronize"):
            self._disk.synchronize(file)
        self._step("synchronized")
        with self._changed:
            self._number += 1
            name = entry_name(self._number, contents.crash_id)
        ready = self._ready / name
        self._disk.rename(file.path, ready)
        self._step("renamed")
        # Before the answer: the name could still be lost.
        try:
            self._disk.synchronize_directory(self._ready)
        except SocorroError:
            with suppress(OSError):
                ready.unlink()
            raise
        self._step("directory synchronized")
        return Entry(name, contents.crash_id, file.size, self._wall_clock())

    def _make(self, name: str) -> Path:
        path = self.directory / name
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def _recover(self) -> None:
        """Remove what was arriving when an earlier process ended; find what it had answered. Raises OSError."""
        half = list(self._writing.iterdir())
        for path in (*half, *self.moving.iterdir()):
            path.unlink()
        self._entries.add_in_order(entries_in(self._ready))
        self._aside = {without_throttle_digit(entry.crash_id): entry.name for entry in entries_in(self._set_aside)}
        paths = (*self._ready.iterdir(), *self._set_aside.iterdir())
        self._number = max((number_of(path.name) for path in paths), default=0)
        if self._entries or half:
            logger.info(
                "the spool %s has %d crashes to hand over; %d uploads had not arrived in full, and were removed",
                self.directory,
                len(self._entries),
                len(half),
            )

    def _note_change(self) -> None:
        self._changes += 1
        self._changed.notify_all()
