"""The file of the embedded queue: its transactions, and descriptions of its errors.

All threads of a process share one connection, behind a lock. SQLite has only one writer at a time anyway, and threads
that wait for a lock are woken in turn, while connections that wait for each other sleep and try again.
"""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from socorro_processor.crashqueue.sqlite.schema import bring_up_to_date, empty_file, is_up_to_date
from socorro_processor.errors import CrashQueueError
from socorro_processor.machine.sqlite_guard import SHM, WAL, FileGuard, SQLiteFileLost, open_guarded, use_wal
from socorro_processor.machine.writable_directory import check_room, check_writable

_READING = "BEGIN"

logger = logging.getLogger(__name__)

REMEDIES = (
    ("SQLITE_BUSY", "another program keeps it locked; it works again once that program unlocks it"),
    ("SQLITE_FULL", "its disk is full: make room there"),
    ("SQLITE_IOERR", "its disk cannot be read or written: see the kernel's log"),
    ("SQLITE_READONLY", "this user must be allowed to write the file and its directory"),
    ("SQLITE_CANTOPEN", "its directory must exist, and this user must be allowed to write there"),
    ("SQLITE_NOTADB", "it is not an SQLite file: name another path, or move it away while no processor runs"),
    (
        "SQLITE_CORRUPT",
        "it is damaged: stop all processors, move it away, save what `sqlite3 FILE .recover` can read, start again",
    ),
)


def _describe_error(error: sqlite3.Error) -> str:
    name: str = getattr(error, "sqlite_errorname", "")
    remedies = [remedy for prefix, remedy in REMEDIES if name.startswith(prefix)]
    return "; ".join([f"{error} ({name})" if name else str(error), *remedies])


def body_of(text: str) -> bytes:
    """Return a crash id as it is stored: any text, even one that is not valid Unicode."""
    return text.encode("utf-8", "surrogatepass")


def text_of(body: bytes) -> str:
    """Return a body as text: a crash id, or, if ``body_of`` cannot have returned it, a readable form."""
    try:
        return body.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return _readable(body)


def _readable(text: bytes) -> str:
    return text.decode("utf-8", "backslashreplace")


def examine_file(path: Path, busy_timeout: float) -> str:
    """Look at the file and at what is beside it; return what will be created. Changes nothing.

    Raises as SQLiteFile does if it could not open the file.
    """
    try:
        check_writable(path.parent)
        check_room(path.parent)
        if not path.exists():
            return f"{path.absolute()} will be made"
        if not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
            raise PermissionError(errno.EACCES, "this user must be allowed to read and write it")
        return _examine(path, busy_timeout)
    except OSError as error:
        named = f" ({error.filename})" if error.filename else ""
        raise CrashQueueError(f"cannot open the queue {path}: {error.strerror}{named}") from error
    except sqlite3.Error as error:
        raise CrashQueueError(f"cannot open the queue {path}: {_describe_error(error)}") from error


def _examine(path: Path, busy_timeout: float) -> str:
    beside = [Path(f"{path.resolve()}{suffix}").exists() for suffix in (WAL, SHM)]
    if any(beside) and not all(beside):
        # Reading the file would create the other one.
        logger.warning("cannot examine %s without changing it: %s or %s is missing beside it", path, WAL, SHM)
        return ""
    # A file that nobody has open is read without a lock: a lock would create files beside it.
    mode = "mode=ro" if any(beside) else "mode=ro&immutable=1"
    uri = f"file:{quote(str(path.absolute()))}?{mode}"
    with closing(sqlite3.connect(uri, uri=True, timeout=busy_timeout, isolation_level=None)) as connection:
        is_whole = is_up_to_date(connection, path)
    return "" if is_whole else f"the tables of {path.absolute()} will be made or brought up to date"


class SQLiteFile:
    """The open file, created if it does not exist. Methods may be called from any thread.

    ``busy_timeout``: seconds to wait for another process's transaction. Without ``create``, a missing file is read as
    an empty one, until the first transaction, here or in another process, creates it. The methods and the constructor
    raise CrashQueueError, or ConfigurationError if the file belongs to another program.
    """

    def __init__(self, path: Path, busy_timeout: float, *, create: bool = True) -> None:
        self.path = path
        self.lost = ""
        """Why this process can never use the file again; empty while it can (see ``sqlite_guard``)."""
        self._busy_timeout = busy_timeout
        self._lock = threading.Lock()
        self._seen_version = 0
        self._connection: sqlite3.Connection | None = None
        self._guard: FileGuard
        self._is_absent = not create and not path.exists()
        if self._is_absent:
            examine_file(path, busy_timeout)
        else:
            self._connection, self._guard = self._open()

    def transaction(self, doing: str, *, durable: bool = False) -> AbstractContextManager[sqlite3.Connection]:
        """Commit all statements of the block, or none. ``doing`` is for the error's message.

        ``durable``: the transaction survives a loss of power. Others may be undone by one, though never by the death of
        a process. That is enough for a take, which the loss would end anyway, and for an ack, without which the crash
        is only processed once more.
        """
        return self._scope(doing, "BEGIN IMMEDIATE", "FULL" if durable else "NORMAL")

    def reading(self, doing: str) -> AbstractContextManager[sqlite3.Connection]:
        """Read one snapshot of the file. Does not wait for a writer."""
        return self._scope(doing, _READING, "NORMAL")

    def changed(self) -> bool:
        """Return True if another process may have changed the file since the last call. Costs microseconds."""
        try:
            with self._lock:
                if self._connection is None:
                    return False
                self._check("look for changes")
                version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except (sqlite3.Error, CrashQueueError):
            # The next look at the file fails too, and reports it.
            return False
        changed: bool = version != self._seen_version
        self._seen_version = version
        return changed

    def look(self) -> None:
        """Look whether the files are still those at their paths, unless another thread uses them, and does so itself.

        For a process whose threads are all busy with something else. Costs microseconds.
        """
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self._connection is not None:
                with suppress(CrashQueueError):
                    self._check("look at the files")
        finally:
            self._lock.release()

    def close(self) -> None:
        """Close the file, once the current transaction has ended."""
        with self._lock:
            self._is_absent = False
            if self._connection is not None:
                try:
                    self._check("close")
                except CrashQueueError as error:
                    logger.error("%s", error)
                if self._connection is not None:
                    self._guard.leave()
                    self._connection = None

    @contextmanager
    def _scope(self, doing: str, begin: str, synchronous: str) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._is_absent:
                if begin == _READING and not self.path.exists():
                    with closing(empty_file()) as empty:
                        yield empty
                    return
                self._connection, self._guard = self._open()
                self._is_absent = False
            connection = self._connection
            if connection is None:
                raise CrashQueueError(f"cannot {doing}: {self.lost or f'the queue {self.path} is closed'}")
            self._check(doing)
            try:
                connection.execute(f"PRAGMA synchronous = {synchronous}")
                connection.execute(begin)
                yield connection
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise CrashQueueError(f"cannot {doing}: the queue {self.path}: {_describe_error(error)}") from error
            finally:
                if connection.in_transaction:
                    with suppress(sqlite3.Error):
                        connection.execute("ROLLBACK")
            # A commit into a file that was removed is worthless: do not report success.
            self._check(doing)

    def _check(self, doing: str) -> None:
        try:
            self._guard.check()
        except OSError as error:
            raise CrashQueueError(f"cannot {doing}: cannot access the queue {self.path}: {error}") from error
        except SQLiteFileLost as error:
            self.lost = f"the queue {self.path} is lost: {error}; nothing more is confirmed; {self._guard.rescue()}"
            self._guard.leave()
            self._connection = None
            raise CrashQueueError(f"cannot {doing}: {self.lost}") from error

    def _open(self) -> tuple[sqlite3.Connection, FileGuard]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection, guard = open_guarded(self.path, self._busy_timeout, self._connect)
            try:
                self._bring_up_to_date(connection)
            except BaseException:
                guard.leave()
                raise
            return connection, guard
        except (OSError, SQLiteFileLost) as error:
            raise CrashQueueError(f"cannot open the queue {self.path}: {error}") from error
        except sqlite3.Error as error:
            raise CrashQueueError(f"cannot open the queue {self.path}: {_describe_error(error)}") from error

    def _connect(self) -> sqlite3.Connection:
        deadline = time.monotonic() + self._busy_timeout
        connection = sqlite3.connect(
            self.path, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False
        )
        try:
            # A stranger may have stored any bytes as text.
            connection.text_factory = _readable
            # Raises if the file is another program's, before anything is changed.
            is_up_to_date(connection, self.path)
            use_wal(connection, deadline)
        except BaseException:
            connection.close()
            raise
        return connection

    def _bring_up_to_date(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_size_limit = 16777216")
        if not is_up_to_date(connection, self.path):
            connection.execute("BEGIN IMMEDIATE")
            # This looks again, under the lock: another process may have created the tables meanwhile.
            bring_up_to_date(connection, self.path)
            connection.execute("COMMIT")
