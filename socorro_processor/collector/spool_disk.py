"""Write into the spool: give up the reserve where there is no room, and remember whether the disk works."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NoReturn, TypeVar

from socorro_processor.collector.disk import Disk
from socorro_processor.collector.reserve import NO_ROOM, Reserve
from socorro_processor.errors import SocorroError

logger = logging.getLogger(__name__)

T = TypeVar("T")


class SpoolFull(SocorroError):
    """The disk of the spool has no room, and the reserve is used up. It passes: the upload may be sent again."""


class SpoolFailing(SocorroError):
    """The disk of the spool does not work. It passes: the upload may be sent again."""


class SpoolFile:
    """An upload that is arriving: a sink for the bytes of its files. Used by one thread at a time."""

    def __init__(self, path: Path, descriptor: int, write: Callable[[int, bytes], None]) -> None:
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

    def discard(self) -> None:
        """Close and remove the file, unless it is closed already. One that was renamed stays."""
        if self.is_open:
            self.close()
            with suppress(OSError):
                self.path.unlink(missing_ok=True)


class SpoolDisk:
    """The disk of a spool. May be used from any thread. Its methods raise SpoolFull and SpoolFailing."""

    def __init__(self, directory: Path, reserve: int, disk: Disk) -> None:
        """``reserve`` is in bytes. Raises OSError if the file of the reserve cannot be used."""
        self._directory = directory
        self._disk = disk
        self._reserve = Reserve(directory / "reserve", reserve)
        self._failure = ""

    @property
    def failure(self) -> str:
        """Why nothing could be written when it was last tried; empty if it could."""
        return self._failure

    @property
    def reserve(self) -> Reserve:
        return self._reserve

    def create(self, path: Path) -> SpoolFile:
        return SpoolFile(path, self._with_room(lambda: self._disk.create(path), "create a file in"), self.write)

    def write(self, descriptor: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._with_room(partial(self._disk.write, descriptor, rest), "write in") :]

    def synchronize(self, file: SpoolFile) -> None:
        self._once(lambda: self._disk.synchronize(file.descriptor))

    def rename(self, path: Path, target: Path) -> None:
        self._with_room(lambda: self._disk.rename(path, target), "rename a file in")

    def synchronize_directory(self, directory: Path) -> None:
        self._once(lambda: self._disk.synchronize_directory(directory))

    def note_success(self) -> None:
        """Note that an upload was kept."""
        self._failure = ""

    def check(self, path: Path) -> None:
        """Write a small file and remove it again. Raises nothing: ``failure`` tells how it went."""
        file: SpoolFile | None = None
        with suppress(SpoolFull, SpoolFailing):
            try:
                file = self.create(path)
                file.write(b"\0" * 4096)
                self.synchronize(file)
                self.note_success()
            finally:
                if file is not None:
                    file.discard()

    def fill_reserve(self) -> None:
        """Regain the reserve, as far as there is room. Raises nothing."""
        try:
            self._reserve.fill()
        except OSError as error:
            logger.warning("the reserve of %s cannot be regained: %s", self._directory, error.strerror)

    def _with_room(self, operation: Callable[[], T], doing: str) -> T:
        """Do what needs room; give up the reserve for it."""
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
        reason = f"cannot {doing} the spool {self._directory}: {error.strerror or error}"
        if not self._failure:
            logger.error("%s; uploads are answered with 503", reason)
        self._failure = reason
        raise (SpoolFull if error.errno in NO_ROOM else SpoolFailing)(reason) from error
