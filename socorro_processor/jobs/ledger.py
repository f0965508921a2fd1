"""Which job is at work, and how each ended the last time: for all hosts in PostgreSQL, else for one in files."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from psycopg2.extensions import cursor as Cursor

from socorro_processor.configuration import DotDict, Namespace
from socorro_processor.crashstorage.postgresql.connections import ConnectionPool, connection_options
from socorro_processor.errors import SocorroError
from socorro_processor.jobs.job import Memory
from socorro_processor.serialization import encode

required_config = Namespace()
required_config.add_option(
    "directory",
    default="socorro-data/jobs",
    doc="where it is kept how each job ended, when the configuration has no PostgreSQL",
)

_LOCKS = 0x50C0_4403
"""The first number of the jobs' advisory locks; the second is made of the job's name."""

_SELECT = "SELECT name, host, started, ended, succeeded, summary, memory FROM jobs ORDER BY name"
_RECORD = """
    INSERT INTO jobs (name, host, started, ended, succeeded, summary, memory)
    VALUES (%(name)s, %(host)s, %(started)s, %(ended)s, %(succeeded)s, %(summary)s, %(memory)s)
    ON CONFLICT (name) DO UPDATE SET host = EXCLUDED.host, started = EXCLUDED.started, ended = EXCLUDED.ended,
        succeeded = EXCLUDED.succeeded, summary = EXCLUDED.summary, memory = EXCLUDED.memory
"""


class LedgerError(SocorroError):
    """What jobs leave behind cannot be read or written."""


@dataclass(frozen=True)
class JobRecord:
    """The last run of a job."""

    name: str
    host: str
    started: datetime
    ended: datetime | None = None
    """None: it is at work, or died."""
    succeeded: bool | None = None
    summary: str = ""
    memory: Memory = field(default_factory=dict)


class JobLedger(Protocol):
    """Raises a SocorroError where it cannot be read or written."""

    def locked(self, name: str) -> contextlib.AbstractContextManager[bool]:
        """Whether this process has the job for itself within the block: not if another one has."""

    def record(self, record: JobRecord) -> None:
        """Write down a run in place of the one before."""

    def records(self) -> list[JobRecord]:
        """The last run of each job that ever ran, by name."""

    def close(self) -> None: ...


def ledger_of(values: DotDict) -> JobLedger:
    """In the first PostgreSQL that a component of the configuration uses; where none does, in files."""
    components = [values[name] for name in ("destination", "source", "processor")]
    config = next((found for each in components if (found := _with_database(each))), None)
    return PostgreSQLLedger(config) if config else FileLedger(Path(values.cron.directory))


def _with_database(config: DotDict) -> DotDict | None:
    if set(connection_options()) <= set(config):
        return config
    inner = (value for value in config.values() if isinstance(value, DotDict))
    return next((found for each in inner if (found := _with_database(each))), None)


class FileLedger:
    """``JOB.json`` and, locked by whoever is at it, ``JOB.lock``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @contextmanager
    def locked(self, name: str) -> Iterator[bool]:
        with _as_ledger_error("lock"):
            self._directory.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._directory / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True
        finally:
            os.close(descriptor)

    def record(self, record: JobRecord) -> None:
        path = self._directory / f"{record.name}.json"
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        with _as_ledger_error("write"):
            temporary.write_bytes(encode(asdict(record) | _moments(record)))
            temporary.replace(path)

    def records(self) -> list[JobRecord]:
        with _as_ledger_error("read"):
            return [_record(json.loads(path.read_bytes())) for path in sorted(self._directory.glob("[!.]*.json"))]

    def close(self) -> None:
        pass


class PostgreSQLLedger:
    """The table ``jobs``, and a session's advisory lock: it ends with the connection, however that ends."""

    def __init__(self, config: DotDict) -> None:
        self._pool = ConnectionPool(config)

    @contextmanager
    def locked(self, name: str) -> Iterator[bool]:
        with self._pool.session(f"lock the job {name}") as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", (_LOCKS, name))
            ((is_mine,),) = cursor.fetchall()
            yield is_mine

    def record(self, record: JobRecord) -> None:
        values = asdict(record) | {"memory": encode(record.memory).decode()}
        self._pool.run(f"record the job {record.name}", lambda cursor: cursor.execute(_RECORD, values))

    def records(self) -> list[JobRecord]:
        def read(cursor: Cursor) -> list[JobRecord]:
            cursor.execute(_SELECT)
            return [JobRecord(*row) for row in cursor]

        return self._pool.run("read how the jobs ended", read)

    def close(self) -> None:
        self._pool.close()


def _moments(record: JobRecord) -> dict[str, Any]:
    return {"started": record.started.isoformat(), "ended": record.ended and record.ended.isoformat()}


def _record(read: dict[str, Any]) -> JobRecord:
    ended = read["ended"] and datetime.fromisoformat(read["ended"])
    return JobRecord(**{**read, "started": datetime.fromisoformat(read["started"]), "ended": ended})


@contextmanager
def _as_ledger_error(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LedgerError(f"cannot {doing} {error.filename}: {error.strerror}: correct cron.directory") from error
    except (ValueError, KeyError, TypeError) as error:
        raise LedgerError(f"cannot {doing} how the jobs ended: {error}: remove what is in cron.directory") from error
