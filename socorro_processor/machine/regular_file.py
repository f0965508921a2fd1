"""Files that an operator names: read, where they are files, written to the end, and replaced as a whole.

Of what else may be in their place a pipe would be waited for for ever, and a device may have no end.
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

MAXIMUM_SIZE = 100_000_000

NOT_OURS = frozenset((errno.EACCES, errno.EISDIR, errno.ELOOP, errno.ENXIO, errno.EPERM))
"""Said to who opens for writing a file of another user, or what is none: a directory, a socket."""


class NotAFile(OSError):
    """It is not a regular file, or is larger than any file that is meant."""


def read_regular_file(path: Path, maximum_size: int = MAXIMUM_SIZE) -> bytes:
    """All of it. Symbolic links are followed. Raises OSError."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise NotAFile(0, "it is no regular file", str(path))
        content = file.read(maximum_size + 1)
        if len(content) > maximum_size:
            raise NotAFile(0, f"it is larger than {maximum_size} bytes", str(path))
        return content


def write_all(descriptor: int, data: bytes) -> None:
    """To its end: where there is room for a part, that is written, and the next write says why there is no more.

    Raises OSError.
    """
    while data:
        data = data[os.write(descriptor, data) :]


@contextmanager
def replacing(
    path: Path, mode: int = 0o666, *, temporary: Path | None = None, durable: bool = True
) -> Iterator[BinaryIO]:
    """A new file that takes the place of ``path`` at the end of the block, with its mode; gone where that fails.

    ``mode``: where there is no ``path``; the umask takes from it. ``temporary``: where the file is until then; what a
    killed writer left there is overwritten, so there may be only one writer at a time. Without it, each new file has a
    name of its own beside ``path``. ``durable``: after a power cut it is the old file or the new one, whole; otherwise
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
