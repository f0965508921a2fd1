"""Indexes for everyday questions, made while processors write and people read.

Once a partitioned table has an index, PostgreSQL gives it to each new partition. Older partitions get theirs one
after the other, and concurrently: ``CREATE INDEX`` on the whole table would keep every processor waiting until the
last partition is done.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from socorro_processor.crashstorage.postgresql.connections import LOCK_TIMEOUT, ConnectionPool

logger = logging.getLogger(__name__)


class Index(NamedTuple):
    table: str
    columns: tuple[str, ...]
    is_jsonb: bool = False
    """True for a JSONB column, whose index finds the objects that contain another."""

    def name(self, of: str) -> str:
        """Return the name that PostgreSQL itself gives the index on a partition ``of`` its table."""
        return "_".join([of, *self.columns, "idx"])


INDEXES = (
    Index("reports", ("signature", "crash_date")),
    Index("reports", ("product", "version", "crash_date")),
    Index("reports", ("date_processed",)),
    Index("reports", ("fields",), is_jsonb=True),
)
"""The indexes. They have ``crash_date`` rather than a time if both would do: PostgreSQL 13 merges equal entries."""

_LOCK = 0x50C0_4404
"""The advisory lock of a process that makes indexes."""

_PAUSE = 0.5
"""Seconds between checks whether another host has finished."""

_SELECT_PARTITIONS_WITHOUT = """
    SELECT partition.oid::regclass::text, partition.relname
    FROM pg_inherits JOIN pg_class AS partition ON partition.oid = inhrelid AND partition.relkind = 'r'
    WHERE inhparent = to_regclass(%(table)s) AND NOT EXISTS (
        SELECT FROM pg_index JOIN pg_inherits AS attached ON attached.inhrelid = indexrelid
        WHERE indrelid = partition.oid AND attached.inhparent = to_regclass(%(index)s)
    )
    ORDER BY partition.relname
"""
"""The partitions that lack an index of their table: their names quoted for a statement, and plain."""


def make_indexes(pool: ConnectionPool, sleep: Callable[[float], None] = time.sleep) -> list[str]:
    """Make the missing indexes, one host at a time. Return their names.

    After a failure the finished ones stay, and the next call goes on from there.
    """
    if not pool.run("look for the indexes", _are_missing):
        return []  # even for a user who could not make any
    with pool.session("make the indexes") as cursor:
        cursor.execute("SET statement_timeout = 0")
        # We must not wait within a statement: CREATE INDEX CONCURRENTLY waits for all older statements.
        while not _is_our_turn(cursor):
            sleep(_PAUSE)
        names = []
        for index in INDEXES:
            for name in _make(cursor, index):
                logger.info("index %s made in the database %s", name, pool)
                names.append(name)
    return names


def _are_missing(cursor: Cursor) -> bool:
    return any(not _is_there(cursor, index) or _partitions_without(cursor, index) for index in INDEXES)


def _is_there(cursor: Cursor, index: Index) -> bool:
    cursor.execute(
        "SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass(%s) AND indrelid = to_regclass(%s))",
        (index.name(index.table), index.table),
    )
    return cursor.fetchone() == (True,)


def _partitions_without(cursor: Cursor, index: Index) -> list[tuple[str, str]]:
    cursor.execute(_SELECT_PARTITIONS_WITHOUT, {"table": index.table, "index": index.name(index.table)})
    return cursor.fetchall()


def _is_our_turn(cursor: Cursor) -> bool:
    cursor.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,))
    return cursor.fetchone() == (True,)


def _make(cursor: Cursor, index: Index) -> Iterator[str]:
    """Make an index on the table first, so that new partitions come with theirs; then on each partition without it."""
    whole = index.name(index.table)
    if not _is_there(cursor, index):
        _execute_with_lock(
            cursor, _creation(index, "CREATE INDEX {index} ON ONLY {table} {columns}", index.table, whole)
        )
        yield whole
    for partition, name in _partitions_without(cursor, index):
        part = index.name(name)
        if _is_valid(cursor, partition, part) is False:  # its making was interrupted
            cursor.execute(sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(part)))
        if not _is_valid(cursor, partition, part):
            cursor.execute(_creation(index, "CREATE INDEX CONCURRENTLY {index} ON {table} {columns}", partition, part))
        attachment = sql.SQL("ALTER INDEX {} ATTACH PARTITION {}")
        _execute_with_lock(cursor, attachment.format(sql.Identifier(whole), sql.Identifier(part)))
        yield part


def _is_valid(cursor: Cursor, partition: str, name: str) -> bool | None:
    """Return True if all rows are in the index of this name; None if the partition has no such index."""
    cursor.execute(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s) AND indrelid = %s::regclass",
        (name, partition),
    )
    row = cursor.fetchone()
    return None if row is None else bool(row[0])


def _creation(index: Index, statement: str, table: str, name: str) -> sql.Composed:
    """Return the statement that makes an index. The name ``table`` is quoted for a statement."""
    form = "USING gin ({} jsonb_path_ops)" if index.is_jsonb else "({})"
    columns = sql.SQL(form).format(sql.SQL(", ").join(map(sql.Identifier, index.columns)))
    return sql.SQL(statement).format(index=sql.Identifier(name), table=sql.SQL(table), columns=columns)


def _execute_with_lock(cursor: Cursor, statement: sql.Composable) -> None:
    """Execute a statement that locks out processors; give up if others hold their locks for a long time."""
    with cursor.connection:
        cursor.execute("SET LOCAL lock_timeout = %s", (LOCK_TIMEOUT,))
        cursor.execute(statement)
