"""The ledger of jobs in PostgreSQL, for all hosts that share it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from socorro_processor.configuration import DotDict, sections
from socorro_processor.crashstorage.postgresql.connections import ConnectionPool, connection_options
from socorro_processor.jobs.ledger import FileLedger, JobLedger, JobRecord
from socorro_processor.serialization import encode

_LOCKS = 0x50C0_4403
"""The first number of the advisory locks of jobs; the second is a hash of the job's name."""

_SELECT = "SELECT name, host, started, ended, succeeded, summary, memory FROM jobs ORDER BY name"
_RECORD = """
    INSERT INTO jobs (name, host, started, ended, succeeded, summary, memory)
    VALUES (%(name)s, %(host)s, %(started)s, %(ended)s, %(succeeded)s, %(summary)s, %(memory)s)
    ON CONFLICT (name) DO UPDATE SET host = EXCLUDED.host, started = EXCLUDED.started, ended = EXCLUDED.ended,
        succeeded = EXCLUDED.succeeded, summary = EXCLUDED.summary, memory = EXCLUDED.memory
"""


def configured_ledger(values: DotDict) -> JobLedger:
    """Return the ledger in the first PostgreSQL of the configuration, or in files if there is no PostgreSQL."""
    config = first_database(values)
    return PostgreSQLLedger(config) if config else FileLedger(Path(values.cron.directory))


def first_database(values: DotDict) -> DotDict | None:
    """Return the options of the first PostgreSQL in destination, source or rules; None if there is none."""
    options = set(connection_options())
    all_sections = (section for name in ("destination", "source", "processor") for section in sections(values[name]))
    return next((section for section in all_sections if options <= set(section)), None)


class PostgreSQLLedger:
    """A ledger in the table ``jobs``. Locks are advisory locks of a session, which end with its connection."""

    def __init__(self, config: DotDict) -> None:
        self._pool = ConnectionPool(config)

    @contextmanager
    def locked(self, name: str) -> Iterator[bool]:
        with self._pool.session(f"lock the job {name}") as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", (_LOCKS, name))
            ((is_locked,),) = cursor.fetchall()
            yield is_locked

    def record(self, record: JobRecord) -> None:
        values = asdict(record) | {"memory": encode(record.memory).decode()}
        self._pool.run(f"record the job {record.name}", lambda cursor: cursor.execute(_RECORD, values))

    def records(self) -> list[JobRecord]:
        return [JobRecord(*row) for row in self._pool.rows("read how the jobs ended", _SELECT)]

    def close(self) -> None:
        self._pool.close()
