"""The tables of the embedded queue's file, and how a file of an older version is brought up to date."""

from __future__ import annotations

import sqlite3
from itertools import chain
from pathlib import Path

from socorro_processor.errors import ConfigurationError

# Bodies come from strangers: blobs, because text cannot contain lone surrogates. AUTOINCREMENT keeps an id from
# being used again, so that a late ack never deletes another crash.
SCHEMA_1 = (
    """CREATE TABLE crash (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        body BLOB NOT NULL,
        queue TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delayed', 'in flight')),
        attempts INTEGER NOT NULL DEFAULT 0, -- number that failed or killed the processor
        retries INTEGER NOT NULL DEFAULT 0,
        deaths INTEGER NOT NULL DEFAULT 0,   -- number of attempts that ended with the death of the processor
        due REAL, due_boot TEXT,             -- of the latest retry, in seconds of that boot; NULL: not tried yet
        takes INTEGER NOT NULL DEFAULT 0,    -- number of deliveries, to tell them apart
        owner TEXT,                          -- who has it in flight
        begun INTEGER NOT NULL DEFAULT 0     -- whether the attempt in flight has begun
    )""",
    """CREATE TABLE owner (
        name TEXT PRIMARY KEY,
        boot TEXT NOT NULL,
        expires REAL NOT NULL                -- when its leases run out, in seconds of that boot
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
    # This index keeps a crash id from being in flight twice, in whichever processes.
    "CREATE UNIQUE INDEX crash_in_flight ON crash (body) WHERE state = 'in flight'",
    "CREATE INDEX kept_state ON kept (state, id)",
    "CREATE INDEX kept_time ON kept (time)",
)
SCHEMA_2 = (
    "DROP INDEX crash_waiting",
    # Untried crashes come first: NULL sorts before any time.
    "CREATE INDEX crash_waiting ON crash (queue, due, id) WHERE state = 'waiting'",
    # 1 if the latest retry was for a transient failure.
    "ALTER TABLE crash ADD COLUMN transient INTEGER NOT NULL DEFAULT 0",
)
SCHEMA = (SCHEMA_1, SCHEMA_2)
"""The statements that bring a file from each version to the next; a new file has version 0."""

# A program that does not know these can use a file that has them, so they need no new version number: processors on the
# same file can be upgraded one after the other.
ADDED_COLUMNS = {
    "crash": {
        "not_found": "INTEGER NOT NULL DEFAULT 0",
        "failed": "TEXT NOT NULL DEFAULT ''",
        "failed_at": "REAL NOT NULL DEFAULT 0",
        "unsaved": "TEXT NOT NULL DEFAULT ''",
        "result": "TEXT NOT NULL DEFAULT ''",
        "work": "TEXT NOT NULL DEFAULT ''",
        "submitted": "REAL",  # seconds since 1970; NULL if an older version submitted it
        # Each value comes with the number of its take or retry: older versions leave outdated values here.
        "taken_at": "REAL NOT NULL DEFAULT 0",
        "taken_take": "INTEGER NOT NULL DEFAULT 0",
        "reason": "TEXT NOT NULL DEFAULT ''",
        "reason_retry": "INTEGER NOT NULL DEFAULT 0",
    },
    "owner": {"process": "TEXT NOT NULL DEFAULT ''"},
    "kept": {"work": "TEXT NOT NULL DEFAULT ''"},
}
ADDED_TABLES_AND_INDEXES = {
    "outcome": """CREATE TABLE outcome (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        owner TEXT NOT NULL,                 -- the sender
        body BLOB NOT NULL
    )""",
    "crash_submitted": "CREATE INDEX crash_submitted ON crash (queue, submitted)",
}


def empty_file() -> sqlite3.Connection:
    """Return a connection to an empty file in memory."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    bring_up_to_date(connection, Path(":memory:"))
    return connection


def is_up_to_date(connection: sqlite3.Connection, path: Path) -> bool:
    """Return True if the file has all tables. Raises ConfigurationError if this program cannot use the file."""
    return _version_of(connection, path) == len(SCHEMA) and not _missing_additions(connection)


def bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    """Create what the file lacks, within the caller's transaction. Raises as ``is_up_to_date`` does."""
    for statement in chain(*SCHEMA[_version_of(connection, path) :]):
        connection.execute(statement)
    for statement in _missing_additions(connection):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(SCHEMA)}")


def _version_of(connection: sqlite3.Connection, path: Path) -> int:
    # One statement: two could see the file before and after another process creates the tables.
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


def _missing_additions(connection: sqlite3.Connection) -> list[str]:
    """Return statements that add what the file lacks."""
    missing: list[str] = []
    for table, columns in ADDED_COLUMNS.items():
        existing = {name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}
        missing += [
            f"ALTER TABLE {table} ADD COLUMN {name} {columns[name]}" for name in columns if name not in existing
        ]
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    return missing + [statement for name, statement in ADDED_TABLES_AND_INDEXES.items() if name not in names]
