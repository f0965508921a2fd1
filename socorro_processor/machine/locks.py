"""A lock on a file, which the kernel releases when its holder dies: a file without a holder was left by a dead process.

For example:

    with FileLock(path):
        ...
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path


class FileLock:
    """A lock (``flock(2)``) that is held until it is closed, or this process ends in any way.

    It locks the file that is at the path: if that is removed or replaced while it is being opened or waited for, the
    new file is locked. Programs that this process starts do not inherit the lock. A second FileLock of this process is
    another holder.
    """

    def __init__(
        self,
        path: Path,
        flags: int = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW,
        *,
        wait: bool = False,
        shared: bool = False,
    ) -> None:
        """Open the file with ``flags`` (``open(2)``), and lock it. Only its user can open a new file.

        ``wait``: wait for another holder to release the lock. ``shared``: several may hold it at once, if all share.

        Raises BlockingIOError if there is another holder and no ``wait``, FileNotFoundError if there is no file and
        ``flags`` do not create one, and other OSErrors if the file cannot be opened or locked.
        """
        self.path = path
        self.descriptor = -1
        follow = not flags & os.O_NOFOLLOW
        while self.descriptor < 0:
            descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
            try:
                lock_open_file(descriptor, wait=wait, shared=shared)
                # A lock on a file that was removed protects nothing.
                with suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=follow)):
                        self.descriptor = descriptor
            except OSError as error:
                error.filename = str(path)
                raise
            finally:
                if self.descriptor < 0:
                    os.close(descriptor)

    def remove(self) -> None:
        """Remove the file, if it exists. Call it before ``close``: whoever waits for the lock then locks a new file."""
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Release the lock. Call it only once."""
        os.close(self.descriptor)

    def __enter__(self) -> FileLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def lock_open_file(descriptor: int, *, wait: bool = False, shared: bool = False) -> None:
    """Lock an open file or directory until it is closed; ``wait`` and ``shared`` are as in FileLock.

    The caller must check that the path still leads to it. Raises BlockingIOError if there is another holder, else
    OSError.
    """
    fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
