"""A database of a test module's own, on the real server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
from psycopg2 import sql

from socorro_processor.configuration import defaults
from socorro_processor.crashstorage.postgresql.crashstorage import PostgreSQLCrashStorage
from tests.services import service

SERVER = "resource.postgresql."
USER = "secrets.postgresql."


class Database:
    """``options`` are for a component that uses the database; ``execute`` reads and writes it without the component."""

    def __init__(self, name: str, options: Mapping[str, str]) -> None:
        self.name = name
        self.options = {**options, f"{SERVER}database_name": name}

    def connect(self, **more: Any) -> psycopg2.extensions.connection:
        connection = psycopg2.connect(
            host=self.options[f"{SERVER}database_hostname"],
            port=self.options[f"{SERVER}database_port"],
            user=self.options[f"{USER}database_username"],
            password=self.options[f"{USER}database_password"],
            dbname=self.name,
            **more,
        )
        connection.autocommit = True
        return connection

    def execute(self, statement: str | sql.Composable, *values: Any) -> list[Any]:
        """Return all rows; if they have one column, its values."""
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            rows = cursor.fetchall() if cursor.description else []
            return [row[0] if len(row) == 1 else row for row in rows]

    def row(self, table: str, crash_id: str) -> dict[str, Any]:
        """Return the only row of a crash."""
        rows = self.rows(table, crash_id)
        assert len(rows) == 1
        return rows[0]

    def rows(self, table: str, crash_id: str) -> list[dict[str, Any]]:
        """Return the rows of a crash, each with the partition that it is in."""
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT *, tableoid::regclass::text AS partition FROM {table} WHERE uuid = %s", (crash_id,))
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def partitions(self, table: str) -> set[str]:
        return set(
            self.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", table)
        )

    def end_connections(self) -> int:
        """End the processor's connections, as a restarted server does. Return their number."""
        ended = self.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = %s AND application_name = 'socorro-processor'",
            self.name,
        )
        assert all(ended)
        return len(ended)

    def wait_for_no_connection(self) -> None:
        """Wait until the processor has no connection: the server notices a closed one only a moment later."""
        self.execute(
            "DO $$ BEGIN WHILE EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'socorro-processor') LOOP PERFORM pg_stat_clear_snapshot(); END LOOP; END $$"
        )

    def store(self, **values: Any) -> PostgreSQLCrashStorage:
        """Return a store; ``today`` and further options replace those of the database."""
        today = {"today": values.pop("today")} if "today" in values else {}
        return PostgreSQLCrashStorage(defaults(PostgreSQLCrashStorage, **{**self.options, **values}), **today)


@contextmanager
def new_database(encoding: str = "UTF8") -> Iterator[Database]:
    """An empty database, which is dropped afterwards."""
    options = service("postgresql")
    admin = Database(options[f"{SERVER}database_name"], options)
    name = f"test_{uuid.uuid4().hex}"
    admin.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    try:
        yield Database(name, options)
    finally:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def new_role(database: Database) -> Iterator[dict[str, str]]:
    """A user without any rights, as options; dropped afterwards with all that it owns in the database."""
    name = f"test_{uuid.uuid4().hex}"
    database.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'of-the-role'")
    try:
        yield {f"{USER}database_username": name, f"{USER}database_password": "of-the-role"}
    finally:
        database.execute(f"REASSIGN OWNED BY {name} TO CURRENT_USER; DROP OWNED BY {name}; DROP ROLE {name}")
