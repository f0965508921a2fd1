"""The file of the embedded queue: its tables, its transactions, and its errors in words.

One connection for all threads of a process, behind a lock. SQLite has one writer at a time anyway;
threads that wait for a lock are woken in turn, while connections that wait for each other sleep
and try again.
"""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from socorro_processor.errors import ConfigurationError, CrashQueueError
from socorro_processor.machine.sqlite_guard import SHM, WAL, FileGuard, SQLiteFileLost, wait_until_whole
from socorro_processor.machine.writable_directory import check_room, check_writable

# Bodies are strangers' words: blobs, because text can hold no lone surrogates. AUTOINCREMENT, so
# that an id names one crash for ever, and an ack that comes late never meets another one.
SCHEMA_1 = (
    """CREATE TABLE crash (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        body BLOB NOT NULL,
        queue TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delayed', 'in flight')),
        attempts INTEGER NOT NULL DEFAULT 0, -- those that failed or killed their processor
        retries INTEGER NOT NULL DEFAULT 0,
        deaths INTEGER NOT NULL DEFAULT 0,   -- attempts that ended with the death of the processor
        due REAL, due_boot TEXT,             -- of the latest retry, in seconds of that boot; NULL: not tried yet
        takes INTEGER NOT NULL DEFAULT 0,    -- tells one delivery from the next
        owner TEXT,                          -- who has it in flight
        begun INTEGER NOT NULL DEFAULT 0     -- whether the attempt in flight has begun
    )""",
    """CREATE TABLE owner (
        name TEXT PRIMARY KEY,
        boot TEXT NOT NULL,
        expires REAL NOT NULL                -- the lease of all that it has in flight
    )""",
    """CREATE TABLE kept (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        state TEXT NOT NULL CHECK (state IN ('parked', 'rejected')),
        body BLOB NOT NULL,
        queue TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        reason TEXT NOT NULL,
        time INTEGER NOT NULL                -- microseconds since 1970, UTC
    )""",
    "CREATE INDEX crash_waiting ON crash (queue, id) WHERE state = 'waiting'",
    "CREATE INDEX crash_delayed ON crash (due, queue) WHERE state = 'delayed'",
    # The rule that no crash id is in flight twice, over all processes, is this index.
    "CREATE UNIQUE INDEX crash_in_flight ON crash (body) WHERE state = 'in flight'",
    "CREATE INDEX kept_state ON kept (state, id)",
    "CREATE INDEX kept_time ON kept (time)",
)
SCHEMA_2 = (
    "DROP INDEX crash_waiting",
    # Those that were not tried yet come first: NULL is less than any time.
    "CREATE INDEX crash_waiting ON crash (queue, due, id) WHERE state = 'waiting'",
    # 1: its latest retry was for a transient failure.
    "ALTER TABLE crash ADD COLUMN transient INTEGER NOT NULL DEFAULT 0",
)
SCHEMA = (SCHEMA_1, SCHEMA_2)
"""The statements that bring a file from each version to the next; a new one has version 0."""

# A version that does not know these works on with a file that has them, so that one processor after the other can be
# upgraded on the same file: no new number for them.
ADDED_COLUMNS = {
    "crash": {
        "not_found": "INTEGER NOT NULL DEFAULT 0",
        "failed": "TEXT NOT NULL DEFAULT ''",
        "failed_at": "REAL NOT NULL DEFAULT 0",
        "unsaved": "TEXT NOT NULL DEFAULT ''",
        "result": "TEXT NOT NULL DEFAULT ''",
        "work": "TEXT NOT NULL DEFAULT ''",
        "submitted": "REAL",  # seconds since 1970; NULL: by a version that did not write it down
        # Each with the number of the take, or of the retry, that it is of: a version that does not know them leaves
        # them as they are.
        "taken_at": "REAL NOT NULL DEFAULT 0",
        "taken_take": "INTEGER NOT NULL DEFAULT 0",
        "reason": "TEXT NOT NULL DEFAULT ''",
        "reason_retry": "INTEGER NOT NULL DEFAULT 0",
    },
    "owner": {"process": "TEXT NOT NULL DEFAULT ''"},
    "kept": {"work": "TEXT NOT NULL DEFAULT ''"},
}
ADDED_INDEXES = {"crash_submitted": "CREATE INDEX IF NOT EXISTS crash_submitted ON crash (queue, submitted)"}
ADDED_TABLES = (
    """CREATE TABLE IF NOT EXISTS outcome (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        owner TEXT NOT NULL,                 -- who tells it
        body BLOB NOT NULL
    )""",
)

_READING = "BEGIN"

logger = logging.getLogger(__name__)

REMEDIES = (
    ("SQLITE_BUSY", "another program keeps it locked; it works again once that lets go"),
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


def _in_words(error: sqlite3.Error) -> str:
    name: str = getattr(error, "sqlite_errorname", "")
    remedies = [remedy for prefix, remedy in REMEDIES if name.startswith(prefix)]
    return "; ".join([f"{error} ({name})" if name else str(error), *remedies])


def _missing_additions(connection: sqlite3.Connection) -> list[str]:
    """Return statements that add what the file lacks."""
    missing: list[str] = []
    for table, columns in ADDED_COLUMNS.items():
        there = {name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}
        missing += [f"ALTER TABLE {table} ADD COLUMN {name} {columns[name]}" for name in columns if name not in there]
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if "outcome" not in names:
        missing += ADDED_TABLES
    missing += [statement for name, statement in ADDED_INDEXES.items() if name not in names]
    return missing


def _empty() -> sqlite3.Connection:
    """Return an empty file in memory."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for statements in SCHEMA:
        for statement in statements:
            connection.execute(statement)
    for statement in _missing_additions(connection):
        connection.execute(statement)
    return connection


def body_of(text: str) -> bytes:
    """Return a crash id as it is stored: any text, even one that is not valid Unicode."""
    return text.encode("utf-8", "surrogatepass")


def text_of(body: bytes) -> str:
    """Return a body as text. One that no ``body_of`` made comes in a readable form, which is not a crash id."""
    try:
        return body.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return _readable(body)


def _readable(text: bytes) -> str:
    return text.decode("utf-8", "backslashreplace")


def examine_file(path: Path, busy_timeout: float) -> str:
    """Look at the file and what there is beside it; return what will be made. Nothing is changed.

    Raises as SQLiteFile does where that could not open it.
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
        raise CrashQueueError(f"cannot open the queue {path}: {_in_words(error)}") from error


def _examine(path: Path, busy_timeout: float) -> str:
    beside = [Path(f"{path.resolve()}{suffix}").exists() for suffix in (WAL, SHM)]
    if any(beside) and not all(beside):
        # To read the file would make the other one.
        logger.warning("%s is not looked into: %s or %s is missing beside it", path, WAL, SHM)
        return ""
    # What nobody has open is read without a lock: a lock would make files beside it.
    mode = "mode=ro" if any(beside) else "mode=ro&immutable=1"
    uri = f"file:{quote(str(path.absolute()))}?{mode}"
    with closing(sqlite3.connect(uri, uri=True, timeout=busy_timeout, isolation_level=None)) as connection:
        version = _version_of(connection, path)
        is_whole = version == len(SCHEMA) and not _missing_additions(connection)
    return "" if is_whole else f"the tables of {path.absolute()} will be made or brought up to date"


class SQLiteFile:
    """The opened file, created where there is none. Methods may be called from any thread.

    ``busy_timeout``: seconds to wait for another process's transaction. Without ``create`` a file that is not there
    is read as an empty one, and made by the first transaction, here or in another process. Every method and the
    constructor raise CrashQueueError; ConfigurationError where the file is somebody else's.
    """

    def __init__(self, path: Path, busy_timeout: float, *, create: bool = True) -> None:
        self.path = path
        self.lost = ""
        """Why this process can never use the file again; empty as long as it can: see ``sqlite_guard``."""
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

    @contextmanager
    def transaction(self, doing: str, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """Do all that is done within, or nothing. ``doing`` is for the error's message.

        ``durable``: what was done survives a loss of power. Without it the last transactions may
        be undone by one (never by the death of a process): fit for a take, which would come to an
        end anyway, and for an ack, after which the crash is only processed once more.
        """
        with self._scope(doing, "BEGIN IMMEDIATE", "FULL" if durable else "NORMAL") as connection:
            yield connection

    @contextmanager
    def reading(self, doing: str) -> Iterator[sqlite3.Connection]:
        """Read one state of the file. Waits for no writer."""
        with self._scope(doing, _READING, "NORMAL") as connection:
            yield connection

    def changed(self) -> bool:
        """Return True if another process may have changed the file since the last call. Costs microseconds."""
        try:
            with self._lock:
                if self._connection is None:
                    return False
                self._check("look for changes")
                version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except (sqlite3.Error, CrashQueueError):
            # Whoever looks next will see it too, and say so.
            return False
        changed: bool = version != self._seen_version
        self._seen_version = version
        return changed

    def close(self) -> None:
        """Let go of the file, once the transaction under way has ended."""
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
                    with closing(_empty()) as empty:
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
                raise CrashQueueError(f"cannot {doing}: the queue {self.path}: {_in_words(error)}") from error
            finally:
                if connection.in_transaction:
                    with suppress(sqlite3.Error):
                        connection.execute("ROLLBACK")
            # A commit into a file that has no name is none: nobody is told that it was done.
            self._check(doing)

    def _check(self, doing: str) -> None:
        try:
            self._guard.check()
        except OSError as error:
            raise CrashQueueError(f"cannot {doing}: the queue {self.path} cannot be looked at: {error}") from error
        except SQLiteFileLost as error:
            self.lost = f"the queue {self.path} is lost: {error}; nothing more is confirmed; {self._guard.rescue()}"
            self._guard.leave()
            self._connection = None
            raise CrashQueueError(f"cannot {doing}: {self.lost}") from error

    def _open(self) -> tuple[sqlite3.Connection, FileGuard]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            wait_until_whole(self.path, self._busy_timeout)
            connection = sqlite3.connect(
                self.path, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False
            )
            # SQLite takes whatever a stranger calls a text.
            connection.text_factory = _readable
            try:
                self._prepare(connection, time.monotonic() + self._busy_timeout)
                return connection, FileGuard(connection, self.path)
            except SQLiteFileLost:
                # To close it could remove a file of others.
                raise
            except BaseException:
                connection.close()
                raise
        except (OSError, SQLiteFileLost) as error:
            raise CrashQueueError(f"cannot open the queue {self.path}: {error}") from error
        except sqlite3.Error as error:
            raise CrashQueueError(f"cannot open the queue {self.path}: {_in_words(error)}") from error

    def _prepare(self, connection: sqlite3.Connection, deadline: float) -> None:
        version = self._version(connection)
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError as error:
                # For this one statement SQLite does not wait: another process may be just at it.
                if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        connection.execute("PRAGMA journal_size_limit = 16777216")
        if version < len(SCHEMA):
            connection.execute("BEGIN IMMEDIATE")
            # Asked again under the lock: another process may have made the tables meanwhile.
            for statements in SCHEMA[self._version(connection) :]:
                for statement in statements:
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(SCHEMA)}")
            connection.execute("COMMIT")
        if _missing_additions(connection):
            connection.execute("BEGIN IMMEDIATE")
            for statement in _missing_additions(connection):
                connection.execute(statement)
            connection.execute("COMMIT")

    def _version(self, connection: sqlite3.Connection) -> int:
        return _version_of(connection, self.path)


def _version_of(connection: sqlite3.Connection, path: Path) -> int:
    # One statement: two could see the file before and after another process made the tables.
    version: int
    version, tables = connection.execute(
        "SELECT user_version, (SELECT count(*) FROM sqlite_master) FROM pragma_user_version"
    ).fetchone()
    if version > len(SCHEMA):
        raise ConfigurationError(
            f"the queue {path} has version {version}, made by a newer socorro-processor;"
            f" this one knows up to {len(SCHEMA)}: upgrade it, or name another path"
        )
    if tables and not version:
        raise ConfigurationError(f"the queue {path} is another program's SQLite file: name another path")
    return version
