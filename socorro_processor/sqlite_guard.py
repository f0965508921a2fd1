"""Every SQLite file of this project is guarded here: it may be removed or replaced while it is open.

A connection in WAL mode has three files open: the database, its ``-wal`` and its ``-shm``. Where a hand removes one of
them or puts another in its place, SQLite goes on with the one that it has: what it commits then is seen by nobody,
and gone at the end. Worse, the next process makes a new ``-wal``, and two of them over one database damage it. So:

- ``wait_until_whole`` comes before a file is opened: it is not opened beside a connection whose files were removed;
- ``FileGuard.check`` comes after a commit and before anybody is told of it;
- ``FileGuard.rescue`` brings what the connection still has to where it is found again.

Nothing here opens a file of SQLite's by hand: to close any descriptor of the database would let go of the locks that
SQLite has on it in this process.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

Identity = tuple[int, int]
"""Device and inode."""

WAL, SHM = "-wal", "-shm"

_LOOK_INTERVAL = 0.01


class SQLiteFileLost(Exception):
    """A file that a connection has open is no more what its name says."""


def wait_until_whole(path: Path, timeout: float) -> None:
    """Return once the file may be opened; wait while others have it open whose ``-wal`` or ``-shm`` was removed.

    Raises SQLiteFileLost after so many seconds, sqlite3.Error where the file cannot be read, OSError.
    """
    real = path.resolve()
    deadline = time.monotonic() + timeout
    while not _is_whole(real) and not _is_nobodys(real):
        if time.monotonic() > deadline:
            raise SQLiteFileLost(
                f"{real}{WAL} or {real}{SHM} was removed while another process uses the file: end that process"
            )
        time.sleep(_LOOK_INTERVAL)


class FileGuard:
    """Knows the files that a connection has open. For one thread at a time."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        """The guard closes the connection: see ``leave``. Raises SQLiteFileLost, sqlite3.Error, OSError."""
        self._connection = connection
        self._real = path.resolve()
        # A link that leads elsewhere now is another file, too; what is beside it has the name of the real one.
        self._names = {"": path, WAL: _beside(self._real, WAL), SHM: _beside(self._real, SHM)}
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        # What is beside the database is opened only when it is read for the first time.
        connection.execute("PRAGMA schema_version").fetchone()
        # A file system that cannot share memory between processes allows no WAL.
        suffixes = ("", WAL, SHM) if mode == "wal" else ("",)
        held = _held()
        self._identities: dict[str, Identity] = {}
        for suffix in suffixes:
            identity = _identity(self._names[suffix])
            if identity is None or identity not in held:
                _never_close(connection)
                raise SQLiteFileLost(f"{self._names[suffix]} was removed or replaced while it was opened")
            self._identities[suffix] = identity

    def check(self) -> None:
        """Raise SQLiteFileLost where a file is not what is at its name; OSError where that cannot be known.

        Costs microseconds. What was committed before a check that finds nothing is in the files that others see.
        """
        for suffix, identity in self._identities.items():
            there = _identity(self._names[suffix])
            if there != identity:
                how = "was removed" if there is None else "was replaced by another file"
                raise SQLiteFileLost(f"{self._names[suffix]} {how} while it was in use")

    def rescue(self) -> str:
        """Save what the connection has and the files may not; say in words where it is. Then ``leave`` it.

        It goes into the database where that is safe: the database is still there, and no other process can have begun
        another ``-wal``. Else into a whole copy beside it.
        """
        try:
            if self._is_only_generation():
                ((busy, pages, copied),) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                # Another process that is at work, or frozen in it, keeps the `-wal` from being emptied, and no more.
                if not busy or pages == copied:
                    return f"all that was confirmed is in {self._real}: start again"
            copy = f"{self._real}.rescued-{time.time_ns()}"
            self._connection.execute("VACUUM INTO ?", (copy,))
            self._part_from_another_database()
        except (sqlite3.Error, OSError) as error:
            return f"what only the lost file had could not be saved: {error}"
        return f"all that was confirmed is in {copy}: see to it, and start again"

    def leave(self) -> None:
        """Close the connection, without harm to the files of others."""
        if self._is_at("") and not self._is_only_generation():
            _never_close(self._connection)
        else:
            self._connection.close()

    def _part_from_another_database(self) -> None:
        """SQLite would apply the ``-wal`` of this one to the one that has taken its place, and damage it."""
        if not self._is_at("") and _identity(self._names[""]) is not None:
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
    """Leave it to the end of the process.

    The last connection that is closed removes the ``-wal`` by its name, which may be another's. Python can only tell
    SQLite not to from 3.12 on.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def _beside(real: Path, suffix: str) -> Path:
    return real.with_name(f"{real.name}{suffix}")


def _is_whole(real: Path) -> bool:
    try:
        # A database that is only being made has no `-wal` yet.
        return not real.stat().st_size or all(_identity(_beside(real, suffix)) for suffix in (WAL, SHM))
    except FileNotFoundError:
        return True


def _is_nobodys(real: Path) -> bool:
    """Return True if no connection has the database open: each has a lock on it that excludes this one.

    Where there is a ``-wal`` that nobody has open, its content is in the database afterwards.
    """
    with closing(sqlite3.connect(real, timeout=0.0, isolation_level=None)) as connection:
        try:
            # So a first look at a database in WAL mode needs it alone; any other, such as one that is being made, may
            # be shared.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA schema_version").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")):
                # Whoever may only read makes no `-wal`.
                return True
            if error.sqlite_errorname.startswith("SQLITE_BUSY"):
                return False
            raise
    return True


def _identity(name: Path) -> Identity | None:
    """Return None where there is no such file."""
    try:
        status = name.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino


def _held() -> set[Identity]:
    """All that this process has open."""
    held = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        # Other threads close theirs meanwhile, and the one of this list is closed.
        with suppress(OSError):
            status = os.fstat(int(descriptor.name))
            held.add((status.st_dev, status.st_ino))
    return held
