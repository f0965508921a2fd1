"""Guard the SQLite files of this project, which may be removed or replaced while they are open.

A connection in WAL mode has three files open: the database, its ``-wal`` and its ``-shm``. If somebody removes or
replaces one of them, SQLite goes on with the file that it has open: nobody sees what it then commits, and it is lost at
the end. Worse, the next process creates a new ``-wal``, and two of them over one database damage it. So:

- ``wait_until_whole`` comes before a file is opened, so that it is not opened beside a connection whose files were
  removed;
- ``FileGuard.check`` comes after a commit, before anybody is told of it. It also notices files that were emptied in
  place (``> queue.sqlite-wal``, the beginning of a ``cp`` over one): SQLite would go on writing behind the hole;
- ``FileGuard.rescue`` saves what the connection still has to where it can be found.

Nothing here opens a database file directly: closing any descriptor of it would release the locks that SQLite has on it
in this process.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
import struct
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path

Identity = tuple[int, int]
"""Device and inode."""

WAL, SHM = "-wal", "-shm"

_LOOK_INTERVAL = 0.01  # seconds

_WAL_HEADER, _FRAME_HEADER = 32, 24
"""Bytes before all frames of a ``-wal``, and before each page (fileformat2, "WAL File Format")."""
_INDEX_HEADER = struct.Struct("=12xBxHI")
"""The beginning of a ``-shm`` (walformat, "The WAL-Index File Format"): whether it is initialized; bytes of a page, 1
for 65536; committed frames of the ``-wal``."""


class SQLiteFileLost(Exception):
    """A file that a connection has open is not the file at its path any more."""


def wait_until_whole(path: Path, timeout: float) -> None:
    """Return once the file may be opened; wait while a process has it open whose ``-wal`` or ``-shm`` was removed.

    Raises SQLiteFileLost after ``timeout`` seconds, sqlite3.Error if the file cannot be read, or OSError.
    """
    real = path.resolve()
    deadline = time.monotonic() + timeout
    while not _is_whole(real) and not _is_unused(real):
        if time.monotonic() > deadline:
            raise SQLiteFileLost(
                f"{real}{WAL} or {real}{SHM} was removed while another process uses the file: end that process"
            )
        time.sleep(_LOOK_INTERVAL)


class FileGuard:
    """Watches the files that a connection has open. For one thread at a time."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        """The guard closes the connection (see ``leave``). Raises SQLiteFileLost, sqlite3.Error or OSError."""
        self._connection = connection
        self._real = path.resolve()
        # A link that now leads elsewhere is another file too. The files beside it are named after the real file.
        self._names = {"": path, WAL: _beside(self._real, WAL), SHM: _beside(self._real, SHM)}
        self._paths = {suffix: str(name) for suffix, name in self._names.items()}
        """The same as text: an idle queue checks its files many times a second."""
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        # SQLite opens the other files only when it first reads the database.
        connection.execute("PRAGMA schema_version").fetchone()
        # A file system that cannot share memory between processes allows no WAL.
        suffixes = ("", WAL, SHM) if mode == "wal" else ("",)
        open_files = _open_files()
        self._emptied: str | None = None
        self._identities: dict[str, Identity] = {}
        for suffix in suffixes:
            identity = _identity(self._names[suffix])
            if identity is None or identity not in open_files:
                _never_close(connection)
                raise SQLiteFileLost(f"{self._names[suffix]} was removed or replaced while it was opened")
            self._identities[suffix] = identity
        # SQLite's own descriptor, which is open as long as the connection.
        self._index = open_files[self._identities[SHM]] if SHM in self._identities else None

    def check(self) -> None:
        """Raise SQLiteFileLost if an open file is not the one at its path, or OSError if that cannot be known.

        Costs microseconds. If it raises nothing, everything committed before is in the files that others see.
        """
        sizes = {}
        for suffix, identity in self._identities.items():
            status = _status(self._paths[suffix])
            if status is None or (status.st_dev, status.st_ino) != identity:
                how = "was removed" if status is None else "was replaced by another file"
                raise SQLiteFileLost(f"{self._names[suffix]} {how} while it was in use")
            sizes[suffix] = status.st_size
        self._emptied = self._find_emptied(sizes)
        if self._emptied is not None:
            raise SQLiteFileLost(f"{self._names[self._emptied]} was emptied or cut while it was in use")

    def rescue(self) -> str:
        """Save what the connection has and the files may lack; return a sentence on where it is. Call ``leave`` next.

        It is saved into the database if that is safe: if the database is still there, and no other process can have
        begun another ``-wal``. Otherwise a whole copy is made beside it.
        """
        try:
            if self._emptied == WAL:
                # SQLite might copy half of a transaction into the database.
                return f"what only that file had is lost, everything else is in {self._real}: start again"
            if self._emptied is None and self._is_only_generation():
                ((busy, pages, copied),) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                # Another process that reads or writes, or is frozen, only keeps the `-wal` from being emptied.
                if not busy or pages == copied:
                    return f"everything confirmed is in {self._real}: start again"
            copy = f"{self._real}.rescued-{time.time_ns()}"
            try:
                self._connection.execute("VACUUM INTO ?", (copy,))
            finally:
                self._protect_other_database()
        except (sqlite3.Error, OSError) as error:
            return f"cannot save what only the lost file had: {error}"
        return f"everything confirmed is in {copy}: put it in place, and start again"

    def leave(self) -> None:
        """Close the connection without harming the files of others."""
        if self._emptied is not None or (self._is_at("") and not self._is_only_generation()):
            _never_close(self._connection)
        else:
            self._connection.close()

    def _find_emptied(self, sizes: Mapping[str, int]) -> str | None:
        """Return the suffix of a file that is shorter than it must be; None if there is none.

        ``sizes`` of the files, in bytes, were taken just before.
        """
        if self._index is None:
            return None
        if not sizes[""]:
            return ""
        size, before = sizes[WAL], None
        # Look again if another connection has just added to the `-wal`, or restarted and cut it.
        while size < (committed := self._committed()):
            if committed == before:
                return WAL
            size, before = Path(self._paths[WAL]).stat().st_size, committed
        return None

    def _committed(self) -> int:
        """Return the smallest number of bytes that the ``-wal`` must have."""
        assert self._index is not None
        is_initialized, page, frames = _INDEX_HEADER.unpack(os.pread(self._index, _INDEX_HEADER.size, 0))
        page_size = 1 << 16 if page == 1 else page
        return _WAL_HEADER + frames * (_FRAME_HEADER + page_size) if is_initialized and frames else 0

    def _protect_other_database(self) -> None:
        """Remove the ``-wal`` if another or an emptied database is in the place of this one: SQLite would apply it
        there, and damage that database."""
        is_another = not self._is_at("") and _identity(self._names[""]) is not None
        if is_another or self._emptied == "":
            for suffix in (SHM, WAL):
                if suffix in self._identities and self._is_at(suffix):
                    self._names[suffix].unlink()

    def _is_only_generation(self) -> bool:
        """Return True if nobody can have opened the database with another ``-wal`` or ``-shm``."""
        return self._is_at("") and all(
            self._is_at(suffix) or _identity(self._names[suffix]) is None for suffix in self._identities
        )

    def _is_at(self, suffix: str) -> bool:
        return _identity(self._names[suffix]) == self._identities[suffix]


def _never_close(connection: sqlite3.Connection) -> None:
    """Keep a connection open until the process ends.

    The last connection to be closed removes the ``-wal`` by name, which may now be another database's. Only from 3.12
    on can Python keep SQLite from that.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def _beside(real: Path, suffix: str) -> Path:
    return real.with_name(f"{real.name}{suffix}")


def _is_whole(real: Path) -> bool:
    try:
        # A database that is just being created has no `-wal` yet.
        return not real.stat().st_size or all(_identity(_beside(real, suffix)) for suffix in (WAL, SHM))
    except FileNotFoundError:
        return True


def _is_unused(real: Path) -> bool:
    """Return True if no connection has the database open: each would have a lock that excludes this one.

    If there is a ``-wal`` that nobody has open, its content is in the database afterwards.
    """
    with closing(sqlite3.connect(real, timeout=0.0, isolation_level=None)) as connection:
        try:
            # With this, the first read of a database in WAL mode needs it exclusively. One that is just being created
            # is not in WAL mode, and may be shared.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA schema_version").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")):
                # A user who may only read creates no `-wal`.
                return True
            if error.sqlite_errorname.startswith("SQLITE_BUSY"):
                return False
            raise
    return True


def _identity(name: Path) -> Identity | None:
    """Return the identity of the file at a path; None if there is no file."""
    status = _status(str(name))
    return (status.st_dev, status.st_ino) if status else None


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 - pathlib would take as long again
    except (FileNotFoundError, NotADirectoryError):
        return None


def _open_files() -> dict[Identity, int]:
    """Return a descriptor for each file that this process has open."""
    descriptors = {}
    for descriptor in Path("/proc/self/fd").iterdir():
        # Other threads may close theirs meanwhile, and that of this listing is closed.
        with suppress(OSError):
            status = os.fstat(int(descriptor.name))
            descriptors[status.st_dev, status.st_ino] = int(descriptor.name)
    return descriptors
