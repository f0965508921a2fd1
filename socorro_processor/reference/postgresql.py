"""Reference data from PostgreSQL, which many processors can share.

The database has the tables of the JSON file (``file``). They are changed there by people and by the job
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
from socorro_processor.reference.file import default_file, read_tables
from socorro_processor.reference.provider import ReferenceDataProvider
from socorro_processor.reference.tables import (
    PRIMARY_KEYS,
    TABLE_COLUMNS,
    ReferenceData,
    Row,
    Tables,
    to_reference_data,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")


class PostgreSQLReferenceData(ReferenceDataProvider):
    """Reads the tables at the start and on each reload, and keeps no connection in between."""

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
            raise ConfigurationError(f"{self} is empty: run `socorro setup`, or fill {', '.join(TABLE_COLUMNS)}")
        return to_reference_data(tables)

    def __str__(self) -> str:
        return f"reference data in the database {self.config.database_name} at {self.config.database_hostname}"


def _run(config: DotDict, doing: str, work: Callable[[Cursor], T]) -> T:
    with closing(ConnectionPool(config)) as pool:
        return pool.run(doing, work)


def _read(cursor: Cursor) -> dict[str, list[Row]]:
    with cursor.connection:
        # Read a snapshot of all tables: somebody may be changing several of them.
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return {table: _rows(cursor, table) for table in TABLE_COLUMNS}


def _rows(cursor: Cursor, table: str) -> list[Row]:
    columns = TABLE_COLUMNS[table]
    cursor.execute(sql.SQL("SELECT {} FROM {}").format(_names(columns), sql.Identifier(table)))
    return [dict(zip(columns, row, strict=True)) for row in cursor]


def _fill_if_empty(cursor: Cursor, tables: Tables) -> bool:
    with cursor.connection:
        # If two hosts do this at once, the second finds the tables filled.
        _lock(cursor)
        if any(_rows(cursor, table) for table in TABLE_COLUMNS):
            return False
        for table, columns in TABLE_COLUMNS.items():
            statement = sql.SQL("INSERT INTO {} ({}) VALUES %s").format(sql.Identifier(table), _names(columns))
            execute_values(cursor, statement, [[row[column] for column in columns] for row in tables[table]])
    return True


def _replace(cursor: Cursor, tables: Tables, approve: Approve, dry_run: bool) -> list[TableChanges]:
    with cursor.connection:
        # Until all tables are changed, processors go on reading them as they were.
        _lock(cursor)
        changes = compare_tables({table: _rows(cursor, table) for table in TABLE_COLUMNS}, tables)
        approve(changes)
        if not dry_run:
            for table_changes in changes:
                _change(cursor, table_changes)
    return changes


def _change(cursor: Cursor, changes: TableChanges) -> None:
    """Write the rows that differ, and no others."""
    keys = PRIMARY_KEYS[changes.table]
    names = {
        "table": sql.Identifier(changes.table),
        "columns": _names(TABLE_COLUMNS[changes.table]),
        "keys": _names(column for column in TABLE_COLUMNS[changes.table] if column in keys),
        "new": sql.SQL(", ").join(
            sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(column))
            for column in TABLE_COLUMNS[changes.table]
            if column not in keys
        ),
    }
    if changes.removed:
        statement = sql.SQL("DELETE FROM {table} WHERE ({keys}) IN (VALUES %s)").format(**names)
        execute_values(cursor, statement, [row_key(changes.table, row) for row in changes.removed])
    if changes.written:
        statement = sql.SQL(
            "INSERT INTO {table} ({columns}) VALUES %s ON CONFLICT ({keys}) DO UPDATE SET {new}"
        ).format(**names)
        execute_values(cursor, statement, changes.written)


def _lock(cursor: Cursor) -> None:
    cursor.execute(
        sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(
            sql.SQL(", ").join(map(sql.Identifier, TABLE_COLUMNS))
        )
    )


def _names(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
