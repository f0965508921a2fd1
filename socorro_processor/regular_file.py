"""Reading a file that an operator names, and nothing else that may be in its place: a pipe would be waited for
for ever, and a device may have no end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

MAXIMUM_SIZE = 100_000_000


class NotAFile(OSError):
    """What is there is no file, or larger than any that is meant."""


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
