"""Reference data from PostgreSQL, which many processors can share.

The database has the tables of the JSON file (``file``). People change them there, and so does the job
``reference-data``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import TypeVar

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from socorro_processor.configuration import DotDict, Namespace
from socorro_processor.crashstorage.postgresql.connections import ConnectionPool, connection_options
from socorro_processor.crashstorage.postgresql.schema import migrate
from socorro_processor.errors import ConfigurationError, CrashStorageError, ProcessingEnvironmentError
from socorro_processor.reference.changes import Approve, TableChanges, compare_tables, row_key
from socorro_processor.reference.data import ReferenceData
from socorro_processor.reference.file import default_file, read_tables
from socorro_processor.reference.provider import ReferenceDataProvider
from socorro_processor.reference.tables import KEYS, TABLES, Row, Tables, reference_data

logger = logging.getLogger(__name__)

T = TypeVar("T")


class PostgreSQLReferenceData(ReferenceDataProvider):
    """Reads the tables at the start and on each reload; in between it holds no connection."""

    required_config = Namespace()
    required_config.update(connection_options())

    @classmethod
    def setup(cls, config: DotDict) -> None:
        """Make the tables; if all of them are empty, fill them with the project's own reference data."""
        _run(config, "make the tables", migrate)
        own = read_tables(default_file())
        if _run(config, "put in reference data", lambda cursor: _fill_if_empty(cursor, own)):
            logger.info("the project's own reference data were put into the database %s", config.database_name)

    @classmethod
    def replace(cls, config: DotDict, tables: Tables, approve: Approve, *, dry_run: bool = False) -> list[TableChanges]:
        return _run(config, "change the reference data", lambda cursor: _replace(cursor, tables, approve, dry_run))

    def load(self) -> ReferenceData:
        try:
            tables = _run(self.config, "read the reference data", _read)
        except CrashStorageError as error:
            kind = ProcessingEnvironmentError if error.transient else ConfigurationError
            raise kind(str(error)) from error
        if not any(tables.values()):
            raise ConfigurationError(f"{self} is empty: run `socorro setup`, or fill {', '.join(TABLES)}")
        return reference_data(tables)

    def __str__(self) -> str:
        return f"reference data in the database {self.config.database_name} at {self.config.database_hostname}"


def _run(config: DotDict, doing: str, work: Callable[[Cursor], T]) -> T:
    with closing(ConnectionPool(config)) as pool:
        return pool.run(doing, work)


def _read(cursor: Cursor) -> dict[str, list[Row]]:
    with cursor.connection:
        # Read all tables as they were at one moment: somebody may be changing several of them.
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return {table: _rows(cursor, table) for table in TABLES}


def _rows(cursor: Cursor, table: str) -> list[Row]:
    columns = TABLES[table]
    cursor.execute(sql.SQL("SELECT {} FROM {}").format(_names(columns), sql.Identifier(table)))
    return [dict(zip(columns, row, strict=True)) for row in cursor]


def _fill_if_empty(cursor: Cursor, tables: Tables) -> bool:
    with cursor.connection:
        # If two hosts do this at once, the second finds the tables filled.
        _lock(cursor)
        if any(_rows(cursor, table) for table in TABLES):
            return False
        for table, columns in TABLES.items():
            statement = sql.SQL("INSERT INTO {} ({}) VALUES %s").format(sql.Identifier(table), _names(columns))
            execute_values(cursor, statement, [[row[column] for column in columns] for row in tables[table]])
    return True


def _replace(cursor: Cursor, tables: Tables, approve: Approve, dry_run: bool) -> list[TableChanges]:
    with cursor.connection:
        # Until all tables are changed, processors go on reading them as they were.
        _lock(cursor)
        made = compare_tables({table: _rows(cursor, table) for table in TABLES}, tables)
        approve(made)
        if not dry_run:
            for each in made:
                _change(cursor, each)
    return made


def _change(cursor: Cursor, made: TableChanges) -> None:
    """Write the rows that differ, and no others."""
    keys = KEYS[made.table]
    names = {
        "table": sql.Identifier(made.table),
        "columns": _names(TABLES[made.table]),
        "keys": _names(column for column in TABLES[made.table] if column in keys),
        "new": sql.SQL(", ").join(
            sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(column))
            for column in TABLES[made.table]
            if column not in keys
        ),
    }
    if made.removed:
        statement = sql.SQL("DELETE FROM {table} WHERE ({keys}) IN (VALUES %s)").format(**names)
        execute_values(cursor, statement, [row_key(made.table, row) for row in made.removed])
    if made.written:
        statement = sql.SQL(
            "INSERT INTO {table} ({columns}) VALUES %s ON CONFLICT ({keys}) DO UPDATE SET {new}"
        ).format(**names)
        execute_values(cursor, statement, made.written)


def _lock(cursor: Cursor) -> None:
    cursor.execute(
        sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(sql.SQL(", ").join(map(sql.Identifier, TABLES)))
    )


def _names(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
