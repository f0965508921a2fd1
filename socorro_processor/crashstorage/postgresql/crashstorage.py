"""Keep crashes in PostgreSQL: for each a row of columns for reports, and the whole crash as JSONB."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from psycopg2.extensions import cursor as Cursor

from socorro_processor.configuration import DotDict, Namespace
from socorro_processor.crash_id import FIRST_DAY, crash_date, today
from socorro_processor.crashstorage.base import CrashStorageBase, Dump, ProcessedCrash, RawCrash
from socorro_processor.crashstorage.keys import processed_crash_id
from socorro_processor.crashstorage.missed_symbols import Missed, MissedModule, missed_modules
from socorro_processor.crashstorage.newest import CrashSummary
from socorro_processor.crashstorage.postgresql import columns
from socorro_processor.crashstorage.postgresql.connections import ConnectionPool, connection_options
from socorro_processor.crashstorage.postgresql.fields import COLUMN, ReportFields
from socorro_processor.crashstorage.postgresql.indexes import make_indexes
from socorro_processor.crashstorage.postgresql.partitions import TABLES, Partitions, week_of
from socorro_processor.crashstorage.postgresql.schema import migrate, missing_migrations
from socorro_processor.crashstorage.redactor import Redactor, redactor_options
from socorro_processor.errors import CrashIDNotFound, TransientStorageError
from socorro_processor.fields import FieldTable, field_options, follows_table
from socorro_processor.machine.one_at_a_time import OneAtATime
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.serialization import Note, decode, encode, ignore

logger = logging.getLogger(__name__)

Values = dict[str, Any]
Statement = tuple[str, Values]

_WEEKS_AHEAD = 2

_ROWS_AT_ONCE = 10_000


def _insertion(table: str, names: Iterable[str]) -> str:
    """Return a statement that inserts a row, or replaces the one that the crash has."""
    key = ("uuid", "crash_date")
    names = tuple(names)
    inserted = ", ".join(key + names)
    values = ", ".join(f"%({name})s" for name in key + names)
    update = ", ".join(f"{name} = EXCLUDED.{name}" for name in names)
    insert = f"INSERT INTO {table} ({inserted}) VALUES ({values})"  # built from constants  # nosec B608
    return f"{insert} ON CONFLICT (uuid, crash_date) DO UPDATE SET {update}"  # built from constants  # nosec B608


_INSERT_REPORT = _insertion("reports", (*columns.REPORT, COLUMN))
_INSERT_PROCESSED = _insertion("processed_crashes", ("date_processed", "processed_crash"))
_INSERT_RAW = _insertion("raw_crashes", ("date_processed", "raw_crash"))

# Look for the plugin first: each insertion with a conflict would use up a number of the sequence.
_INSERT_PLUGIN = """
    INSERT INTO plugins (filename, name) SELECT %(PluginFilename)s, %(PluginName)s
    WHERE NOT EXISTS (SELECT FROM plugins WHERE filename = %(PluginFilename)s AND name = %(PluginName)s)
    ON CONFLICT DO NOTHING;
    INSERT INTO plugins_reports (uuid, crash_date, plugin_id, date_processed, version)
    SELECT %(uuid)s, %(crash_date)s, id, %(date_processed)s, %(PluginVersion)s
    FROM plugins WHERE filename = %(PluginFilename)s AND name = %(PluginName)s
"""
# All rows are in one value: thousands of rows then take the server's time, and hardly any of the processor's.
_INSERT_MISSING_SYMBOLS = """
    INSERT INTO missing_symbols (uuid, crash_date, date_processed, debug_file, debug_id, code_file, code_id)
    SELECT %(uuid)s, %(crash_date)s, %(date_processed)s, file.*
    FROM json_to_recordset(%(files)s) AS file (debug_file text, debug_id text, code_file text, code_id text)
    ON CONFLICT DO NOTHING
"""
_SELECT_PROCESSED = "SELECT uuid FROM processed_crashes WHERE uuid = ANY(%s) AND crash_date = ANY(%s)"
_SELECT_NEWEST = """
    SELECT uuid, date_processed, product, version, signature FROM reports
    WHERE crash_date >= %(since)s AND (%(before)s IS NULL OR crash_date < %(before)s)
        AND (%(signature)s IS NULL OR signature = %(signature)s) AND (%(product)s IS NULL OR product = %(product)s)
    ORDER BY crash_date DESC, date_processed DESC, uuid DESC LIMIT %(limit)s
"""
_SELECT_MISSING_SYMBOLS = """
    SELECT uuid, debug_file, debug_id, code_file, code_id FROM missing_symbols
    WHERE crash_date >= %s ORDER BY crash_date, uuid
"""


_SELECT_MISSING_SYMBOLS_OF = """
    SELECT DISTINCT debug_file, debug_id, code_file, code_id FROM missing_symbols
    WHERE crash_date = %s ORDER BY 1, 2, 3, 4
"""


_LARGE = 2_000_000
"""Characters of a large crash. It has five copies or more in memory while it is sent, so only one is sent at a time."""

_LONGEST_WAIT = 30.0
"""Seconds that a large crash waits for others: a server that does not answer must not hold up all threads in turn."""


class PostgreSQLCrashStorage(CrashStorageBase):
    """Keeps raw and processed crashes, without dumps, and for each processed crash rows for reports.

    | table | row |
    |---|---|
    | ``reports`` | the fields that are often asked for, each in its own column; see ``columns`` and ``fields`` |
    | ``processed_crashes``, ``raw_crashes`` | the whole crash, as JSONB |
    | ``plugins``, ``plugins_reports`` | the plugin that crashed, if one did |
    | ``missing_symbols`` | a module whose symbols were missing |

    All rows of a crash are saved in one transaction, and replace those of an earlier save. All tables except
    ``plugins`` are partitioned by ``crash_date``, the day in the crash id; see ``partitions``.

    NUL and lone surrogates, which PostgreSQL does not take, become U+FFFD. A value that its column in ``reports``
    does not take is null there, and counted; the JSONB has it.
    """

    required_config = Namespace()
    required_config.update(connection_options())
    required_config.add_option(
        "oldest_crash_days",
        default=400,
        doc="days; no partition is made for a crash whose id is older",
    )
    required_config.update(redactor_options())
    required_config.update(field_options())

    def __init__(self, config: DotDict, today: Callable[[], date] = today) -> None:
        super().__init__(config)
        self._today = today
        self._redactor: Redactor = config.redactor_class(config)
        self._fields = ReportFields(FieldTable.of(config))
        self._pool = ConnectionPool(config)
        self.partitions = Partitions(self._pool, config.oldest_crash_days, today)
        self._one_large_at_a_time = OneAtATime(_LONGEST_WAIT)
        for column in (*columns.REPORT, *columns.PLUGIN, COLUMN):
            METRICS.expect("postgresql.left_out", column=column)

    def save_raw_crash(self, raw_crash: RawCrash, dumps: Mapping[str, Dump], crash_id: str) -> None:
        self._save(crash_id, self._raw_statements(raw_crash, crash_id))

    def save_processed(self, processed_crash: ProcessedCrash) -> None:
        self._save(processed_crash_id(processed_crash), self._processed_statements(processed_crash))

    def save_raw_and_processed(
        self, raw_crash: RawCrash, dumps: Mapping[str, Dump], processed_crash: ProcessedCrash, crash_id: str
    ) -> None:
        statements = [*self._processed_statements(processed_crash), *self._raw_statements(raw_crash, crash_id)]
        self._save(crash_id, statements)

    def get_raw_crash(self, crash_id: str, note: Note = ignore) -> RawCrash:
        raw_crash: RawCrash = decode(self._json("raw_crash", "raw_crashes", crash_id), note)
        return raw_crash

    def get_processed(self, crash_id: str) -> ProcessedCrash:
        return self._redactor.redact(self.get_unredacted_processed(crash_id))

    def get_unredacted_processed(self, crash_id: str) -> ProcessedCrash:
        processed_crash: ProcessedCrash = decode(self._json("processed_crash", "processed_crashes", crash_id))
        return processed_crash

    def missing_processed(self, crash_ids: Sequence[str]) -> set[str]:
        values = (list(crash_ids), list(set(map(crash_date, crash_ids))))
        saved = self._pool.rows("look for processed crashes", _SELECT_PROCESSED, values)
        return set(crash_ids) - {crash_id for (crash_id,) in saved}

    def newest(self, limit: int, signature: str | None = None, product: str | None = None) -> Iterator[CrashSummary]:
        """Yield the newest crashes: of the last week, then of two weeks, then of four. No index is sorted by date."""
        days = 7
        since, before = self._today() - timedelta(days=days), None
        while True:
            values = {"since": since, "before": before, "signature": signature, "product": product, "limit": limit}
            rows = self._pool.rows("list the newest crashes", _SELECT_NEWEST, values)
            for uuid, moment, *texts in rows:
                yield CrashSummary(uuid, moment.astimezone(UTC).isoformat(), *texts)
            limit -= len(rows)
            if not limit or since == FIRST_DAY:
                return
            days *= 2
            since, before = max(since - timedelta(days=days), FIRST_DAY), since

    def missing_symbols(self, since: date | None = None) -> Iterator[Missed]:
        """Yield each crash submitted on this day or later that missed symbols, and what it missed."""
        values = (since or date.min,)
        with self._pool.reading("read the missing symbols", _SELECT_MISSING_SYMBOLS, values, _ROWS_AT_ONCE) as rows:
            for crash_id, group in groupby(rows, key=itemgetter(0)):
                yield crash_id, [MissedModule(*file) for _, *file in group]

    def missing_symbols_of(self, day: date) -> Iterator[MissedModule]:
        """Yield the files that the crashes of this day missed, each once."""
        with self._pool.reading("read the missing symbols", _SELECT_MISSING_SYMBOLS_OF, (day,), _ROWS_AT_ONCE) as rows:
            yield from itertools.starmap(MissedModule, rows)

    def held(self, crash_id: str) -> list[str]:
        key = {"uuid": crash_id, "crash_date": crash_date(crash_id)}

        def held(cursor: Cursor) -> list[str]:
            rows = []
            for table in TABLES:
                cursor.execute(f"SELECT count(*) {_rows(table)}", key)  # built from constants  # nosec B608
                ((count,),) = cursor.fetchall()
                if count:
                    rows.append(f"{table} ({count})" if count > 1 else table)
            return rows

        return self._pool.run(f"look for {crash_id}", held)

    def remove(self, crash_id: str) -> None:
        key = {"uuid": crash_id, "crash_date": crash_date(crash_id)}

        def remove(cursor: Cursor) -> int:
            deleted = 0
            with cursor.connection:
                for table in TABLES:
                    cursor.execute(*_deletion(table, key))
                    deleted += cursor.rowcount
            return deleted

        if not self._pool.run(f"remove {crash_id}", remove):
            raise CrashIDNotFound(f"{self} has no crash {crash_id}")

    def setup(self) -> None:
        """Make or update the tables, make the partitions of this and the next weeks, then the indexes.

        The indexes come last because crashes can be saved without them, and while they are made.
        """
        for name in self._pool.run("make the tables", migrate, patient=True):
            logger.info("migration %s applied to the database %s", name, self._pool)
        for weeks in range(_WEEKS_AHEAD + 1):
            self.partitions.make(week_of(self._today()) + timedelta(weeks=weeks))
        make_indexes(self._pool)

    def check(self) -> None:
        if mistake := self._pool.run("look at the tables", _mistake):
            raise TransientStorageError(f"the database {self._pool} {mistake}")

    def close(self) -> None:
        self._pool.close()

    def places(self) -> set[str]:
        return {str(self)}

    def __str__(self) -> str:
        return f"{type(self).__name__} in {self._pool}"

    def _save(self, crash_id: str, statements: list[Statement]) -> None:
        for day in {values["crash_date"] for _, values in statements}:
            self.partitions.prepare(day)
        large = any(isinstance(value, str) and len(value) > _LARGE for _, row in statements for value in row.values())

        def save(cursor: Cursor) -> None:
            # All statements as one text are one transaction and one round trip.
            cursor.execute(b";\n".join(cursor.mogrify(*statement) for statement in statements))

        with self._one_large_at_a_time.entered() if large else nullcontext():
            self._pool.run(f"save {crash_id}", save, keep=not large)

    def _raw_statements(self, raw_crash: RawCrash, crash_id: str) -> list[Statement]:
        values = _key(crash_id, raw_crash.get("submitted_timestamp"))
        values["raw_crash"] = columns.to_jsonb_text(raw_crash, self._note(crash_id))
        return [(_INSERT_RAW, values)]

    def _processed_statements(self, processed_crash: ProcessedCrash) -> list[Statement]:
        """Return the statements that save a processed crash, in the order of tables that ``remove`` has too.

        So there is no deadlock. If two processors save the same crash, the second waits at ``reports``.
        """
        crash_id = processed_crash_id(processed_crash)
        note = self._note(crash_id)
        fields: str | None = None
        left_out: list[str] = []
        named: Mapping[str, Any] = processed_crash
        if follows_table(processed_crash):
            others, left_out = self._fields.others(processed_crash)
            fields = columns.to_jsonb_text(others, note)
            named = self._fields.as_of_2016(processed_crash)
        report, misfits = columns.convert_row(named, columns.REPORT)
        key = _key(crash_id, report["date_processed"])
        statements: list[Statement] = [
            (_INSERT_REPORT, report | key | {COLUMN: fields}),
            (_INSERT_PROCESSED, key | {"processed_crash": columns.to_jsonb_text(processed_crash, note)}),
            _deletion("plugins_reports", key),
        ]
        if report["process_type"] == "plugin":
            plugin, more = columns.convert_row(named, columns.PLUGIN)
            misfits += more
            statements.append((_INSERT_PLUGIN, key | {name: value or "" for name, value in plugin.items()}))
        statements.append(_deletion("missing_symbols", key))
        if files := missed_modules(processed_crash):
            rows = [
                {name: value and columns.INDEXED(value) for name, value in file._asdict().items()} for file in files
            ]
            statements.append((_INSERT_MISSING_SYMBOLS, key | {"files": encode(rows).decode()}))
        for column in (*misfits, *(COLUMN for _ in left_out)):
            METRICS.increment("postgresql.left_out", column=column)
        if misfits:
            note(f"null in place of values that their columns do not take: {', '.join(misfits)}")
        if left_out:
            note(
                f"left out of {COLUMN} because they have another type than the table of fields says: "
                f"{', '.join(left_out)}"
            )
        return statements

    def _note(self, crash_id: str) -> Note:
        return lambda note: logger.warning("%s, of crash %s in %s", note, crash_id, self)

    def _json(self, column: str, table: str, crash_id: str) -> bytes:
        query = f"SELECT {column}::text FROM {table} WHERE uuid = %s AND crash_date = %s"  # built from constants  # nosec B608
        what = f"{column.replace('_', ' ')} {crash_id}"
        rows: list[tuple[str]] = self._pool.rows(f"read the {what}", query, (crash_id, crash_date(crash_id)))
        if not rows:
            raise CrashIDNotFound(f"{self} has no {what}")
        return rows[0][0].encode()


def _key(crash_id: str, date_processed: object) -> Values:
    """Return the values that all rows of a crash share. An unknown time is replaced with the day in the crash id."""
    day = crash_date(crash_id)
    try:
        moment = columns.timestamp(date_processed)
    except columns.Misfit:
        moment = datetime.combine(day, time(), UTC)
    return {"uuid": crash_id, "crash_date": day, "date_processed": moment}


def _deletion(table: str, key: Values) -> Statement:
    return f"DELETE {_rows(table)}", key  # built from constants  # nosec B608


def _rows(table: str) -> str:
    """Return the part of a statement that selects the rows of one crash."""
    return f"FROM {table} WHERE uuid = %(uuid)s AND crash_date = %(crash_date)s"


def _mistake(cursor: Cursor) -> str | None:
    """Return why the database cannot take crashes; None if it can."""
    cursor.execute("SELECT current_setting('server_encoding'), current_setting('transaction_read_only')")
    ((encoding, read_only),) = cursor.fetchall()
    if encoding != "UTF8":
        return f"has the encoding {encoding}, which lacks some characters: make a database with UTF8"
    if missing := missing_migrations(cursor):
        return f"lacks the migrations {', '.join(missing)}: run `socorro setup`"
    if read_only == "on":
        return "takes no changes: set database_hostname to the primary server"
    cursor.execute(
        """
        SELECT privilege || ' on ' || name FROM unnest(%s) AS name,
            unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
        WHERE NOT has_table_privilege(name, privilege)
        """,
        ([*TABLES, "plugins"],),
    )
    if lacking := [privilege for (privilege,) in cursor]:
        return f"does not give its user all privileges that are needed: grant {', '.join(lacking)}"
    return None
