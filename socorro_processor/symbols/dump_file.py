"""The file of a minidump, whatever is written in it: nothing is read beyond its end."""

from __future__ import annotations

import os
from pathlib import Path

from socorro_processor.errors import SocorroError

_NEAR = 32 << 10


class NotUnderstood(SocorroError):
    """The file is no minidump, is damaged, or is of a kind that is not known here."""


class DumpFile:
    """A context, which closes it."""

    def __init__(self, path: Path) -> None:
        """Raises NotUnderstood."""
        self._near_at, self._near = 0, b""
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (OSError, ValueError) as error:
            raise NotUnderstood(f"cannot read the dump: {_why(error)}") from error
        try:
            self.size = os.fstat(self._descriptor).st_size
        except OSError as error:
            os.close(self._descriptor)
            raise NotUnderstood(f"cannot read the dump: {_why(error)}") from error

    def __enter__(self) -> DumpFile:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def read(self, at: int, size: int, what: str) -> bytes:
        """Exactly ``size`` bytes. Raises NotUnderstood."""
        if not 0 <= at <= self.size - size:
            raise NotUnderstood(f"{what}: {size} bytes at {at} of a file of {self.size}")
        try:
            data = os.pread(self._descriptor, size, at)
        except OSError as error:
            raise NotUnderstood(f"cannot read the dump: {_why(error)}") from error
        if len(data) != size:
            raise NotUnderstood(f"{what}: the file became shorter")
        return data

    def read_one_of_many(self, at: int, size: int, what: str) -> bytes:
        """As ``read``, where the next one most likely stands close behind."""
        offset = at - self._near_at
        if not 0 <= offset <= len(self._near) - size:
            self._near = self.read(at, max(size, min(_NEAR, self.size - at)), what)
            self._near_at, offset = at, 0
        return self._near[offset : offset + size]


def limit(count: int, maximum: int, what: str) -> None:
    """Raises NotUnderstood."""
    if count > maximum:
        raise NotUnderstood(f"{count} {what}, {maximum} at most are read")


def _why(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
