"""The directory of an index: which file is the index, and what is known of it.

    current              the name of the file in use, such as crashes-1.sqlite
    complete             there as long as the index has all crashes: the name of that file
    completing           the same, while it gets what it lacks
    damaged              there if the file cannot be used: why
    building             the name of a file that is being built, to be the next one
    boot                 the boot of the machine in which the file was last opened to be written
    waiting.jsonl        what could not be written into the file yet
    crashes-N.sqlite     an index, with SQLite's -wal and -shm

A file is never replaced by another of the same name, because SQLite keeps files beside it: the next one has the next
number.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from socorro_processor.machine.locks import FileLock
from socorro_processor.machine.regular_file import replacing

_NAME = re.compile(r"crashes-([1-9][0-9]{0,8})\.sqlite", re.ASCII)
_LONGEST = 2000  # bytes of a mark
_DIRECTORY_MODE = 0o750
_FILE_MODE = 0o640

Identity = tuple[int, int, int]


class IndexDirectory:
    """The files of an index. The methods raise OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.waiting = self.path / "waiting.jsonl"
        self._current = self.path / "current"
        self._complete = self.path / "complete"
        self._completing = self.path / "completing"
        self._damaged = self.path / "damaged"
        self._boot = self.path / "boot"
        self._building = self.path / "building"
        self._seen: tuple[Identity, str] | None = None

    def current(self) -> str | None:
        """Return the name of the file in use; None if there is none. Costs microseconds if it has not changed."""
        try:
            status = self._current.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        identity = status.st_dev, status.st_ino, status.st_mtime_ns
        if self._seen is None or self._seen[0] != identity:
            name = _read(self._current)
            if not _NAME.fullmatch(name):
                return None
            self._seen = identity, name
        return self._seen[1]

    def is_complete(self) -> bool:
        return self._complete.exists() and _read(self._complete) == self.current()

    def mark_complete(self) -> None:
        if name := self.current():
            self._write(self._complete, name)

    def mark_incomplete(self) -> None:
        """This works even if the disk is full."""
        self._complete.unlink(missing_ok=True)
        self._completing.unlink(missing_ok=True)

    def begin_completing(self) -> None:
        """Note that from now on the file in use gets all that it lacks."""
        if name := self.current():
            self._write(self._completing, name)

    def end_completing(self) -> bool:
        """Mark the index as complete; return False if it was marked as incomplete since ``begin_completing``."""
        try:
            self._completing.replace(self._complete)
        except FileNotFoundError:
            return False
        return self.is_complete()

    def damage(self) -> str:
        """Return why the file in use cannot be used; empty if that is not known."""
        if not self._damaged.exists():
            return ""
        name, _, why = _read(self._damaged).partition(": ")
        return why if name == self.current() else ""

    def mark_damaged(self, why: str) -> None:
        if name := self.current():
            self._write(self._damaged, f"{name}: {why}")

    def building(self) -> str | None:
        """Return the name of the file that is being built; None if none is."""
        if not self._building.exists():
            return None
        name = _read(self._building)
        return name if _NAME.fullmatch(name) else None

    def begin_building(self) -> str:
        """Return the name of a new file that is to be built."""
        name = self.next_name()
        self._write(self._building, name)
        return name

    def give_up_building(self) -> None:
        if name := self.building():
            self._building.unlink(missing_ok=True)
            self.remove_file(name)

    def end_building(self, name: str) -> None:
        """Use a file that is whole, and remove the one before."""
        before = self.current()
        self.use(name)
        self._building.unlink(missing_ok=True)
        self._damaged.unlink(missing_ok=True)
        if before is not None and before != name:
            self.remove_file(before)

    def note_boot(self, name: str, boot: str) -> None:
        """Note that a file is written during this boot of the machine.

        If what an earlier boot wrote was not brought to the disk, a power cut may have undone some of it.
        """
        before = _read(self._boot) if self._boot.exists() else ""
        if before != boot:
            wal = self.path / f"{name}-wal"
            if before and wal.exists() and wal.stat().st_size:
                self.mark_incomplete()
            self._write(self._boot, boot)

    def use(self, name: str) -> None:
        self._write(self._current, name)

    def next_name(self) -> str:
        """Return a name that no file of this index has, even one that is gone."""
        names = [path.name for path in self.path.iterdir()]
        # A database may be gone, and its -wal left.
        names += [name.removesuffix("-wal").removesuffix("-shm") for name in names]
        matches = map(_NAME.fullmatch, [*names, self.current() or "", self.building() or ""])
        return f"crashes-{max((int(match[1]) for match in matches if match), default=0) + 1}.sqlite"

    def remove_file(self, name: str) -> None:
        for suffix in ("", "-wal", "-shm"):
            (self.path / f"{name}{suffix}").unlink(missing_ok=True)

    def make(self, *, parents: bool = False) -> None:
        """Make the directory, if it is missing.

        Without ``parents`` that in which it is must be there: if it is not, its file system may not be mounted, and
        nothing may be written in its place.
        """
        self.path.mkdir(mode=_DIRECTORY_MODE, parents=parents, exist_ok=True)

    def make_file(self, name: str) -> Path:
        """Make an empty file for SQLite, which keeps its mode for the files beside it."""
        path = self.path / name
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, _FILE_MODE))
        return path

    def lock(self, *, wait: bool = True) -> FileLock:
        """Lock the choice of the file in use. Raises BlockingIOError without ``wait``."""
        return FileLock(self.path / "lock", wait=wait)

    def lock_building(self) -> FileLock:
        """Lock the building of an index. Raises BlockingIOError if another process builds one."""
        return FileLock(self.path / "building.lock")

    def _write(self, mark: Path, text: str) -> None:
        with replacing(mark, _FILE_MODE) as file:
            file.write(text.encode("utf-8", "backslashreplace")[:_LONGEST])


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_LONGEST).decode("utf-8", "replace").strip()
