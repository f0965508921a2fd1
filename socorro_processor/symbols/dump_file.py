"""Read a binary that may be hostile: nothing is read beyond its end."""

from __future__ import annotations

import os
from pathlib import Path

from socorro_processor.errors import SocorroError

_READ_AHEAD_SIZE = 32 << 10
"""Bytes."""


class NotUnderstood(SocorroError):
    """The file is not a minidump or binary, is damaged, or is of an unknown kind."""


class DumpFile:
    """An open file, which its context closes."""

    def __init__(self, path: Path) -> None:
        """Raises NotUnderstood."""
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (OSError, ValueError) as error:
            raise NotUnderstood(f"cannot be read: {_why(error)}") from error
        try:
            self.size = os.fstat(self._descriptor).st_size
        except OSError as error:
            os.close(self._descriptor)
            raise NotUnderstood(f"cannot be read: {_why(error)}") from error

    def __enter__(self) -> DumpFile:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def read(self, at: int, size: int, what: str) -> bytes:
        """Return exactly ``size`` bytes. Raises NotUnderstood."""
        if not 0 <= at <= self.size - size:
            raise NotUnderstood(f"{what}: {size} bytes at {at} of a file of {self.size}")
        try:
            data = os.pread(self._descriptor, size, at)
        except OSError as error:
            raise NotUnderstood(f"cannot be read: {_why(error)}") from error
        if len(data) != size:
            raise NotUnderstood(f"{what}: the file became shorter")
        return data


class ReadAhead:
    """Reads a file ahead, because the next read is likely just after the last one."""

    def __init__(self, file: DumpFile, what: str) -> None:
        self._file = file
        self._what = what
        self._at, self._data = 0, b""

    def read(self, at: int, size: int) -> bytes:
        """Return exactly ``size`` bytes. Raises NotUnderstood."""
        offset = at - self._at
        if not 0 <= offset <= len(self._data) - size:
            self._data = self._file.read(at, max(size, min(_READ_AHEAD_SIZE, self._file.size - at)), self._what)
            self._at, offset = at, 0
        return self._data[offset : offset + size]


def limit(count: int, maximum: int, what: str) -> None:
    """Raise NotUnderstood if ``count`` is over ``maximum``."""
    if count > maximum:
        raise NotUnderstood(f"{count} {what}, but at most {maximum} are read")


def _why(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
