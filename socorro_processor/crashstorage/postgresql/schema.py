"""The tables in the database: numbered SQL files, each applied once.

A new file has the next number, and is never changed after its release. The table ``socorro_migrations`` lists the
applied ones. Processors of the previous version go on working with a newer schema: a migration adds things, and
takes away only what no processor in use still writes.
"""

from __future__ import annotations

from pathlib import Path

from psycopg2.extensions import cursor as Cursor

from socorro_processor.crashstorage.postgresql.connections import LOCK_TIMEOUT

_MIGRATIONS = Path(__file__).parent / "migrations"

_LOCK = 0x50C0_4401
"""The advisory lock of a process that changes the schema: two hosts may try at once."""


def migrate(cursor: Cursor) -> list[str]:
    """Apply the missing migrations, all or none. Return their names."""
    if not missing_migrations(cursor):
        return []  # even for a user who could not apply any
    with cursor.connection:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        # A change of a table waits for whoever reads it, and meanwhile keeps all processors waiting.
        cursor.execute("SET LOCAL lock_timeout = %s", (LOCK_TIMEOUT,))
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS socorro_migrations (name text PRIMARY KEY, applied timestamptz NOT NULL)"
        )
        missing = missing_migrations(cursor)
        for name in missing:
            cursor.execute((_MIGRATIONS / f"{name}.sql").read_text(encoding="utf-8"))
            cursor.execute("INSERT INTO socorro_migrations VALUES (%s, now())", (name,))
    return missing


def missing_migrations(cursor: Cursor) -> list[str]:
    """Return the migrations that this version of the processor needs and that have not been applied."""
    cursor.execute("SELECT to_regclass('socorro_migrations')")
    applied = set()
    if cursor.fetchone() != (None,):
        cursor.execute("SELECT name FROM socorro_migrations")
        applied = {name for (name,) in cursor}
    return sorted({path.stem for path in _MIGRATIONS.glob("*.sql")} - applied)
