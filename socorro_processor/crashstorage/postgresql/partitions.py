"""Partitions, one for each week: made for the first crash of the week, and dropped on request."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import partial

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from socorro_processor.crash_id import DAYS_AHEAD
from socorro_processor.crashstorage.postgresql.connections import LOCK_TIMEOUT, ConnectionPool
from socorro_processor.crashstorage.postgresql.errors import ConnectionFailed
from socorro_processor.errors import CrashStorageError
from socorro_processor.monitoring.metrics import METRICS

logger = logging.getLogger(__name__)

TABLES = ("reports", "processed_crashes", "plugins_reports", "missing_symbols", "raw_crashes")
"""The tables that are partitioned by ``crash_date``. A transaction that touches several does so in this order."""

_WEEK = timedelta(days=7)
_CHECK_AGAIN = 60.0
"""Seconds after which a partition is looked for again: it may have been dropped, or not have been made."""

_BOUNDS = re.compile(r"FOR VALUES FROM \('(\d{4}-\d\d-\d\d)'\) TO \('(\d{4}-\d\d-\d\d)'\)", re.ASCII)

_LOCK = 0x50C0_4402
"""The advisory lock of a process that makes or drops a partition."""


def week_of(day: date) -> date:
    """Return the Monday of the week."""
    return day - timedelta(days=day.weekday())


class Partitions:
    """Makes the partitions ``{table}_{Monday as yyyymmdd}``. Threads may share it.

    No partition is made for a crash that is dated too far from today, because strangers make up dates: it goes to
    the default partition, unless its week has one already. So does a crash whose partition cannot be made now,
    because somebody is reading a table for a long time, or the user lacks the privilege; it is moved when the
    partition is made.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        oldest_crash_days: int,
        today: Callable[[], date],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._oldest = timedelta(days=oldest_crash_days)
        self._today = today
        self._clock = clock
        self._making = threading.Lock()
        self._checked: dict[date, float] = {}

    def prepare(self, day: date) -> None:
        """Make the partitions for crashes of this day if they are missing. Raises only ConnectionFailed."""
        week = week_of(day)
        if not -self._oldest <= day - self._today() <= timedelta(days=DAYS_AHEAD) or self._was_checked(week):
            return
        with self._making:
            if self._was_checked(week):
                return
            try:
                self.make(week, in_passing=True)
            except ConnectionFailed:
                raise
            except CrashStorageError as error:
                METRICS.increment("postgresql.partition_not_made")
                logger.warning("crashes of the week of %s go to the default partitions: %s", week, error)
            self._checked[week] = self._clock()

    def make(self, week: date, *, in_passing: bool = False) -> list[str]:
        """Make the missing partitions of a week. Return their names.

        With ``in_passing``, moving the crashes of the week may take no longer than any other statement.
        """
        names = []
        for table in TABLES:
            # Each table has its own transaction, so nobody waits for one table with a lock on another.
            name = f"{table}_{week:%Y%m%d}"
            make = partial(_make, table=table, name=name, week=week, in_passing=in_passing)
            if self._pool.run(f"make the partition {name}", make, patient=not in_passing):
                logger.info("partition %s made in the database %s", name, self._pool)
                names.append(name)
        return names

    def weeks(self) -> dict[date, list[str]]:
        """Return the existing partitions by the Monday of their week; others, made by hand, are left out."""
        return self._pool.run("list the partitions", _weeks)

    def drop(self, name: str) -> None:
        """Drop a partition with its content. It is not an error if it is gone already."""
        self._pool.run(f"drop the partition {name}", partial(_drop, name=name))
        logger.info("partition %s dropped from the database %s", name, self._pool)

    def server_time(self) -> datetime:
        ((now,),) = self._pool.rows("ask for the time", "SELECT now()")
        moment: datetime = now
        return moment

    def _was_checked(self, week: date) -> bool:
        checked = self._checked.get(week)
        return checked is not None and self._clock() - checked < _CHECK_AGAIN


def _make(cursor: Cursor, table: str, name: str, week: date, in_passing: bool) -> bool:
    """Make a partition. Return False if it is there already."""
    if _is_partition(cursor, table, name):
        return False
    with cursor.connection:
        cursor.execute("SET LOCAL lock_timeout = %s", (LOCK_TIMEOUT,))
        if not in_passing:
            cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        if _is_partition(cursor, table, name):
            return False  # another processor made it while this one waited
        # It is made as a table and attached afterwards: making it as a partition would lock the whole table
        # against everyone. Crashes of that week are moved first: while they are in the default partition,
        # PostgreSQL refuses the new one.
        statement = sql.SQL(
            """
            CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
            LOCK TABLE ONLY {table} IN SHARE UPDATE EXCLUSIVE MODE;
            LOCK TABLE ONLY {default} IN ACCESS EXCLUSIVE MODE;
            WITH moved AS (DELETE FROM {default} WHERE crash_date >= {first} AND crash_date < {next} RETURNING *)
                INSERT INTO {name} SELECT * FROM moved;
            ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({first}) TO ({next})
            """
        )
        cursor.execute(
            statement.format(
                name=sql.Identifier(name),
                table=sql.Identifier(table),
                default=sql.Identifier(f"{table}_default"),
                first=sql.Literal(week.isoformat()),
                next=sql.Literal((week + _WEEK).isoformat()),
            )
        )
    return True


def _weeks(cursor: Cursor) -> dict[date, list[str]]:
    weeks: dict[date, list[str]] = {}
    for table in TABLES:
        cursor.execute(
            "SELECT child.relname, pg_get_expr(child.relpartbound, child.oid)"
            " FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid WHERE inhparent = to_regclass(%s)",
            (table,),
        )
        for name, bounds in cursor:
            if bound := _BOUNDS.fullmatch(bounds):
                week, end = map(date.fromisoformat, bound.groups())
                if name == f"{table}_{week:%Y%m%d}" and week == week_of(week) and end == week + _WEEK:
                    weeks.setdefault(week, []).append(name)
    return weeks


def _drop(cursor: Cursor, name: str) -> None:
    with cursor.connection:
        cursor.execute("SET LOCAL lock_timeout = %s", (LOCK_TIMEOUT,))
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(name)))


def _is_partition(cursor: Cursor, table: str, name: str) -> bool:
    cursor.execute(
        "SELECT EXISTS (SELECT FROM pg_inherits WHERE inhparent = to_regclass(%s) AND inhrelid = to_regclass(%s))",
        (table, name),
    )
    return cursor.fetchone() == (True,)
