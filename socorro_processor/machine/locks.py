"""A lock on a file, which the kernel releases when its holder dies: a file that nobody holds was left by a dead one.

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
    """A lock (``flock(2)``) that is held until it is closed or this process ends, however it ends.

    It is a lock on the file that the path leads to: if that was removed or replaced while this one was opened or
    waited for, the new one is tried. Programs that this process starts do not inherit it. A second FileLock of this
    process is another holder.
    """

    def __init__(
        self,
        path: Path,
        flags: int = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW,
        *,
        wait: bool = False,
        shared: bool = False,
    ) -> None:
        """Open the file with ``flags`` (``open(2)``), a new one for its user only, and lock it.

        ``wait``: wait for another holder to release it. ``shared``: several may hold it at once, if all of them share.

        Raises BlockingIOError if another holds it and there is no ``wait``, FileNotFoundError if there is no file and
        ``flags`` do not create one, and other OSErrors if it cannot be opened or locked.
        """
        self.path = path
        self.descriptor = -1
        follow = not flags & os.O_NOFOLLOW
        while self.descriptor < 0:
            descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
            try:
                lock_open_file(descriptor, wait=wait, shared=shared)
                # A lock on a file that is no longer there protects nothing.
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
        """Remove the file, before ``close``: who waits for it locks a new one. Does nothing if it is gone."""
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Release it. To be called once."""
        os.close(self.descriptor)

    def __enter__(self) -> FileLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def lock_open_file(descriptor: int, *, wait: bool = False, shared: bool = False) -> None:
    """Lock a file or directory that is already open, until it is closed; ``wait`` and ``shared`` as in FileLock.

    The caller has to check that its path still leads to it. Raises BlockingIOError if another holds it, and OSError.
    """
    fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
