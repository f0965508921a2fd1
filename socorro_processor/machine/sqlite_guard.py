"""Guard the SQLite files of this project, which may be removed or replaced while they are open.

A connection in WAL mode has three files open: the database, its ``-wal`` and its ``-shm``. If somebody removes or
replaces one of them, SQLite goes on with the file that it has open: nobody sees what it then commits, and it is lost at
the end. Worse, the next process creates a new ``-wal``, and two of them over one database damage it. So:

- ``open_guarded`` opens a file, but not beside a connection whose files were removed;
- ``FileGuard.check`` comes after a commit, before anybody is told of it. It also notices files that were emptied in
  place (``> queue.sqlite-wal``, the beginning of a ``cp`` over one): SQLite would go on writing behind the hole;
- ``FileGuard.rescue`` saves what the connection still has to where it can be found.

Processes open, rescue and leave the files of a directory in turn: each holds a lock (``flock(2)``) on the directory,
and so sees no half of what another does.

Nothing here opens a database file directly: closing any descriptor of it would release the locks that SQLite has on it
in this process.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import sqlite3
import stat
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from socorro_processor.machine.locks import FileLock

Identity = tuple[int, int]
"""Device and inode."""

WAL, SHM = "-wal", "-shm"

_LOOK_INTERVAL = 0.01  # seconds
_PIECE = 1 << 20  # bytes

_WAL_HEADER, _FRAME_HEADER = 32, 24
"""Bytes before all frames of a ``-wal``, and before each page (fileformat2, "WAL File Format")."""
_INDEX_HEADER = struct.Struct("=12xBxHI")
"""The beginning of a ``-shm`` (walformat, "The WAL-Index File Format"): whether it is initialized; bytes of a page, 1
for 65536; committed frames of the ``-wal``."""

_OF_DATABASE, _OF_INDEX = (0x40000000 + 2, 510), (128, 1)
"""First byte and number of bytes on which each connection has a lock: in the database (fileformat2, "The Lock-Byte
Page"), and in the ``-shm`` ("dead man switch")."""
_FLOCK = struct.Struct("=hh4xqqi4x")
"""``struct flock`` of 64-bit Linux: type, whence, first byte, number of bytes, process."""

_LONGEST_TURN = 30.0
"""Seconds in which another process has opened, rescued or left a file; then it is frozen."""


class SQLiteFileLost(Exception):
    """A file that a connection has open is not the file at its path any more."""


class _ReplacedWhileOpened(SQLiteFileLost):
    """So it is with a file that was just opened: the one with the suffix."""

    def __init__(self, suffix: str) -> None:
        super().__init__(suffix)
        self.suffix = suffix


def open_guarded(
    path: Path, timeout: float, connect: Callable[[], sqlite3.Connection]
) -> tuple[sqlite3.Connection, FileGuard]:
    """Open a file and guard it; wait while a process has it open whose ``-wal`` or ``-shm`` was removed.

    ``connect`` opens the file, reads it, and may create an empty one, but writes nothing else; it may be called several
    times. Raises SQLiteFileLost after ``timeout`` seconds, what ``connect`` raises, sqlite3.Error if the file cannot be
    read, or OSError.
    """
    real = path.resolve()
    deadline = time.monotonic() + timeout
    while True:
        with _turn(real.parent, deadline) as is_ours:
            if not is_ours:
                raise SQLiteFileLost(
                    f"another process, which may be frozen, is opening or saving a file in {real.parent}"
                )
            if _is_whole(real) or _is_unused(real):
                guarded = _open_once(path, connect)
                if guarded is not None:
                    return guarded
        if time.monotonic() > deadline:
            raise SQLiteFileLost(
                f"{real}{WAL} or {real}{SHM} was removed while another process uses the file: end that process"
            )
        time.sleep(_LOOK_INTERVAL)


def use_wal(connection: sqlite3.Connection, deadline: float) -> None:
    """Let readers go on while somebody writes: set WAL mode. Raises sqlite3.Error, if busy only after the deadline."""
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # SQLite does not wait before this statement, which another process may be executing.
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_INTERVAL)


def _open_once(path: Path, connect: Callable[[], sqlite3.Connection]) -> tuple[sqlite3.Connection, FileGuard] | None:
    """Open a file that seemed whole; None if its other files were removed just then. Raises as ``open_guarded``."""
    names = [_beside(path.resolve(), suffix) for suffix in (WAL, SHM)]
    before = [_identity(name) for name in names]
    connection = connect()
    steps_back = True
    try:
        guard = FileGuard(connection, path)
        is_new = [_identity(name) for name in names] != before
        steps_back = guard.is_beside_others(is_new=is_new)
        return None if steps_back else (connection, guard)
    except _ReplacedWhileOpened as error:
        if error.suffix:
            return None
        # Closing it could remove the files of the other database.
        _never_close(connection)
        steps_back = False
        raise SQLiteFileLost(f"{path} was removed or replaced while it was opened") from error
    finally:
        if steps_back:
            # Nobody else can have the files that are new: it is not their turn.
            for name, identity in zip(names, before, strict=True):
                if _identity(name) != identity:
                    name.unlink(missing_ok=True)
            connection.close()


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
                raise _ReplacedWhileOpened(suffix)
            self._identities[suffix] = identity
        # SQLite's own, which are open as long as the connection.
        self._descriptors = {suffix: open_files[identity] for suffix, identity in self._identities.items()}

    def is_beside_others(self, *, is_new: bool) -> bool:
        """Return True if another process has the database open with other files, or is just closing it.

        ``is_new``: this connection has created one of its files.
        """
        if SHM not in self._descriptors or not _is_locked(self._descriptors[""], *_OF_DATABASE):
            return False
        return is_new or not _is_locked(self._descriptors[SHM], *_OF_INDEX)

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
            with _turn(self._real.parent, time.monotonic() + _LONGEST_TURN) as is_ours:
                if self._emptied == WAL:
                    # SQLite might copy half of a transaction into the database.
                    return f"what only that file had is lost, everything else is in {self._real}: start again"
                if is_ours and self._emptied is None and self._is_only_generation() and self._checkpoint():
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
        with _turn(self._real.parent, time.monotonic() + _LONGEST_TURN) as is_ours:
            is_beside_another = self._is_at("") and not (is_ours and self._is_only_generation())
            if self._emptied is not None or is_beside_another:
                _never_close(self._connection)
                # It is never used again, and keeps nobody from the files that are there now.
                fcntl.fcntl(self._descriptors[""], fcntl.F_SETLK, _FLOCK.pack(fcntl.F_UNLCK, 0, *_OF_DATABASE, 0))
            else:
                self._connection.close()

    def _checkpoint(self) -> bool:
        """Copy all that is committed from a ``-wal`` that may be removed into the database; return True if all is.

        A process that is killed meanwhile leaves half of it there, so the ``-wal`` is put in place before.
        """
        if WAL not in self._identities:
            return True
        with suppress(OSError):
            self._put_back_wal()
        deadline = time.monotonic() + _LONGEST_TURN
        while True:
            ((busy, pages, copied),) = self._connection.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
            # -1: another process makes one just now. If it is killed, this one has to go on.
            if pages >= 0 or time.monotonic() > deadline:
                break
            time.sleep(_LOOK_INTERVAL)
        # Another process that reads or writes, or is frozen, may keep the last from being copied.
        is_whole: bool = pages >= 0 and (not busy or pages == copied)
        if is_whole and not self._is_at(WAL):
            self._names[WAL].unlink(missing_ok=True)
        return is_whole

    def _put_back_wal(self) -> None:
        """Put a copy of the ``-wal`` in its place if it was removed. Raises OSError."""
        if self._is_at(WAL):
            return
        copy = self._names[WAL].with_name(f"{self._names[WAL].name}-copy")
        # Nobody else makes one: it is not their turn. If one is left, its maker was killed.
        copy.unlink(missing_ok=True)
        try:
            with copy.open("xb") as file:
                os.fchmod(file.fileno(), stat.S_IMODE(self._names[""].stat().st_mode))
                position = 0
                while piece := os.pread(self._descriptors[WAL], _PIECE, position):
                    file.write(piece)
                    position += len(piece)
            # Not synchronized: that takes longer than all else, and is only for a loss of power, after which nothing is
            # left of the removed file either.
            copy.replace(self._names[WAL])
        finally:
            copy.unlink(missing_ok=True)

    def _find_emptied(self, sizes: Mapping[str, int]) -> str | None:
        """Return the suffix of a file that is shorter than it must be; None if there is none.

        ``sizes`` of the files, in bytes, were taken just before.
        """
        if SHM not in self._descriptors:
            return None
        if not sizes[""]:
            return ""
        size, before = sizes[WAL], None
        # Look again if another connection has just added to the `-wal`, or restarted and cut it.
        while size < (committed := self._committed()):
            if committed == before:
                return WAL
            status = _status(self._paths[WAL])
            if status is None:
                # It was removed just now, as the next check finds.
                return None
            size, before = status.st_size, committed
        return None

    def _committed(self) -> int:
        """Return the smallest number of bytes that the ``-wal`` must have."""
        is_initialized, page, frames = _INDEX_HEADER.unpack(os.pread(self._descriptors[SHM], _INDEX_HEADER.size, 0))
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
        """Return True if nobody has the database open with another ``-wal`` or ``-shm``."""
        if not self._is_at(""):
            return False
        if WAL not in self._identities:
            return True
        try:
            return self._is_harmless_wal() and self._is_harmless_index()
        except OSError:
            return False

    def _is_harmless_wal(self) -> bool:
        """Return True if no ``-wal`` is in the place of this one, or an empty one, or a copy that was put back."""
        if self._is_at(WAL):
            return True
        try:
            with self._names[WAL].open("rb") as file:
                header = file.read(_WAL_HEADER)
        except FileNotFoundError:
            return True
        # Two of them have different salts in their headers.
        return not header or header == os.pread(self._descriptors[WAL], _WAL_HEADER, 0)

    def _is_harmless_index(self) -> bool:
        """Return True if no ``-shm`` is in the place of this one, or one that a process left that was killed."""
        if self._is_at(SHM):
            return True
        try:
            with self._names[SHM].open("rb") as file:
                return not _is_locked(file.fileno(), *_OF_INDEX)
        except FileNotFoundError:
            return True

    def _is_at(self, suffix: str) -> bool:
        return _identity(self._names[suffix]) == self._identities[suffix]


@contextmanager
def _turn(directory: Path, deadline: float) -> Iterator[bool]:
    """Keep other processes of this project from opening, rescuing or leaving a file in the directory meanwhile.

    Yields False if one of them, or a lack of descriptors, keeps this process from that until the deadline. A directory
    that cannot be locked at all is not.
    """
    lock = None
    is_ours = True
    while lock is None:
        try:
            lock = FileLock(directory, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EMFILE, errno.ENFILE):
                break
            if time.monotonic() > deadline:
                is_ours = False
                break
            time.sleep(_LOOK_INTERVAL)
    try:
        yield is_ours
    finally:
        if lock is not None:
            lock.close()


def _is_locked(descriptor: int, first: int, count: int) -> bool:
    """Return True if another process has a lock on any of these bytes."""
    asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, first, count, 0)
    kind, *_ = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    return bool(kind != fcntl.F_UNLCK)


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
