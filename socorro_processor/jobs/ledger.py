"""Which job is at work, and how each ended the last time: kept in files here, and in PostgreSQL beside this."""

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

from socorro_processor.errors import SocorroError
from socorro_processor.jobs.job import Memory
from socorro_processor.serialization import encode


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
    """None also where it has ended: it was refused, and there was no run before."""
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
