"""Read files that an operator names, if they are regular files; write files in full, and replace them atomically.

Reading a pipe in the place of a file could block for ever, and a device may have no end.
"""

from __future__ import annotations

import errno
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

MAXIMUM_SIZE = 100_000_000  # bytes

NOT_OURS = frozenset((errno.EACCES, errno.EISDIR, errno.ELOOP, errno.ENXIO, errno.EPERM))
"""The errors of opening, for writing, another user's file, or a directory, socket or link."""


class NotAFile(OSError):
    """The path leads to something other than a regular file, or to a file that is too large."""


def read_regular_file(path: Path, maximum_size: int = MAXIMUM_SIZE) -> bytes:
    """Return the whole content. Follows symbolic links. Raises OSError."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise NotAFile(0, "it is not a regular file", str(path))
        content = file.read(maximum_size + 1)
        if len(content) > maximum_size:
            raise NotAFile(0, f"it is larger than {maximum_size} bytes", str(path))
        return content


def write_all(descriptor: int, data: bytes) -> None:
    """Write all data. If there is room for only a part, that is written, and the next write raises OSError."""
    while data:
        data = data[os.write(descriptor, data) :]


@contextmanager
def replacing(
    path: Path, mode: int = 0o666, *, temporary: Path | None = None, durable: bool = True
) -> Iterator[BinaryIO]:
    """Open a new file, which replaces ``path``, with its mode, at the end of the block, or is removed if that fails.

    ``mode``: used, less the umask, if there is no ``path``. ``temporary``: the path of the file until then; what a
    killed writer left there is overwritten, so there may be only one writer at a time. Without it, each new file has a
    unique name beside ``path``. ``durable``: after a power cut there is the whole old or the whole new file; otherwise
    it may be empty. Raises OSError.
    """
    new = os.O_EXCL if temporary is None else os.O_TRUNC
    temporary = temporary or path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | new
    try:
        with os.fdopen(os.open(temporary, flags, mode), "wb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            temporary.chmod(path.stat().st_mode & 0o777)
        temporary.replace(path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
