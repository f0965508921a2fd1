"""Every SQLite file of this project is guarded here: it may be removed or replaced while it is open.

A connection in WAL mode has three files open: the database, its ``-wal`` and its ``-shm``. Where a hand removes one of
them or puts another in its place, SQLite goes on with the one that it has: what it commits then is seen by nobody,
and gone at the end. Worse, the next process makes a new ``-wal``, and two of them over one database damage it. So:

- ``wait_until_whole`` comes before a file is opened: it is not opened beside a connection whose files were removed;
- ``FileGuard.check`` comes after a commit and before anybody is told of it. It also sees files that were emptied in
  their places (``> queue.sqlite-wal``, the beginning of a ``cp`` over one): SQLite would go on behind the hole;
- ``FileGuard.rescue`` brings what the connection still has to where it is found again.

Nothing here opens a file of SQLite's by hand: to close any descriptor of the database would let go of the locks that
SQLite has on it in this process.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
import struct
import time
from contextlib import closing, suppress
from pathlib import Path

Identity = tuple[int, int]
"""Device and inode."""

WAL, SHM = "-wal", "-shm"

_LOOK_INTERVAL = 0.01

_WAL_HEADER, _FRAME_HEADER = 32, 24
"""Bytes before all frames of a ``-wal``, and before each page (fileformat2, "WAL File Format")."""
_INDEX_HEADER = struct.Struct("=12xBxHI")
"""The beginning of a ``-shm`` (walformat, "The WAL-Index File Format"): is it made; bytes of a page, 1 for 65536;
frames of the ``-wal`` that are committed."""


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
        self._emptied: str | None = None
        self._identities: dict[str, Identity] = {}
        for suffix in suffixes:
            identity = _identity(self._names[suffix])
            if identity is None or identity not in held:
                _never_close(connection)
                raise SQLiteFileLost(f"{self._names[suffix]} was removed or replaced while it was opened")
            self._identities[suffix] = identity
        # SQLite's own, which it has open for as long as the connection.
        self._index = held[self._identities[SHM]] if SHM in self._identities else None

    def check(self) -> None:
        """Raise SQLiteFileLost where a file is not what is at its name; OSError where that cannot be known.

        Costs microseconds. What was committed before a check that finds nothing is in the files that others see.
        """
        for suffix, identity in self._identities.items():
            there = _identity(self._names[suffix])
            if there != identity:
                how = "was removed" if there is None else "was replaced by another file"
                raise SQLiteFileLost(f"{self._names[suffix]} {how} while it was in use")
        self._emptied = self._find_emptied()
        if self._emptied is not None:
            raise SQLiteFileLost(f"{self._names[self._emptied]} was emptied or cut while it was in use")

    def rescue(self) -> str:
        """Save what the connection has and the files may not; say in words where it is. Then ``leave`` it.

        It goes into the database where that is safe: the database is still there, and no other process can have begun
        another ``-wal``. Else into a whole copy beside it.
        """
        try:
            if self._emptied == WAL:
                # What SQLite would bring into the database may be half of a transaction.
                return f"what only that file had is gone, all else is in {self._real}: start again"
            if self._emptied is None and self._is_only_generation():
                ((busy, pages, copied),) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                # Another process that is at work, or frozen in it, keeps the `-wal` from being emptied, and no more.
                if not busy or pages == copied:
                    return f"all that was confirmed is in {self._real}: start again"
            copy = f"{self._real}.rescued-{time.time_ns()}"
            try:
                self._connection.execute("VACUUM INTO ?", (copy,))
            finally:
                self._part_from_another_database()
        except (sqlite3.Error, OSError) as error:
            return f"what only the lost file had could not be saved: {error}"
        return f"all that was confirmed is in {copy}: see to it, and start again"

    def leave(self) -> None:
        """Close the connection, without harm to the files of others."""
        if self._emptied is not None or (self._is_at("") and not self._is_only_generation()):
            _never_close(self._connection)
        else:
            self._connection.close()

    def _find_emptied(self) -> str | None:
        """Return which file has less in it than there must be, by its suffix."""
        if self._index is None:
            return None
        if not self._names[""].stat().st_size:
            return ""
        before = None
        # Asked again where another connection has just begun the `-wal` anew, and cut it.
        while (committed := self._committed()) != before:
            if self._names[WAL].stat().st_size >= committed:
                return None
            before = committed
        return WAL

    def _committed(self) -> int:
        """Bytes that the ``-wal`` has at least."""
        assert self._index is not None
        is_made, page, frames = _INDEX_HEADER.unpack(os.pread(self._index, _INDEX_HEADER.size, 0))
        page_size = 1 << 16 if page == 1 else page
        return _WAL_HEADER + frames * (_FRAME_HEADER + page_size) if is_made and frames else 0

    def _part_from_another_database(self) -> None:
        """SQLite would apply the ``-wal`` of this one to the one that has taken its place, or begins empty in it, and
        damage it."""
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


def _held() -> dict[Identity, int]:
    """All that this process has open, each with a descriptor."""
    held = {}
    for descriptor in Path("/proc/self/fd").iterdir():
        # Other threads close theirs meanwhile, and the one of this list is closed.
        with suppress(OSError):
            status = os.fstat(int(descriptor.name))
            held[status.st_dev, status.st_ino] = int(descriptor.name)
    return held
