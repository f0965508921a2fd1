"""The few calls of the operating system that the spool writes with, in one place, so that a test can make them fail."""

from __future__ import annotations

import os
from pathlib import Path


class Disk:
    """Writes files durably. Every method raises OSError."""

    def create(self, path: Path) -> int:
        """Create a file that only its owner may read. Return its descriptor."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        """Write as much as there is room for. Return the number of bytes."""
        return os.write(descriptor, data)

    def synchronize(self, descriptor: int) -> None:
        """Return once the file is on the disk."""
        os.fsync(descriptor)

    def rename(self, path: Path, target: Path) -> None:
        path.rename(target)

    def synchronize_directory(self, directory: Path) -> None:
        """Return once the names in the directory are on the disk."""
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
