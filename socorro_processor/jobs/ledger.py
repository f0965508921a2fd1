"""The ledger of jobs: their locks, and the last run of each. This one is in files; another is in PostgreSQL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from socorro_processor.errors import SocorroError
from socorro_processor.jobs.job import Memory
from socorro_processor.machine.locks import FileLock
from socorro_processor.machine.regular_file import NotAFile, read_regular_file, replacing
from socorro_processor.serialization import decode, encode

_LONGEST_REASON = 100  # characters


class LedgerError(SocorroError):
    """The records of jobs cannot be read or written."""


@dataclass(frozen=True)
class JobRecord:
    """The last run of a job."""

    name: str
    host: str
    started: datetime
    ended: datetime | None = None
    """None if the job is still running, or died."""
    succeeded: bool | None = None
    """None if the run has not ended, or was refused and is the first."""
    summary: str = ""
    memory: Memory = field(default_factory=dict)


class JobLedger(Protocol):
    """The locks and records of jobs. Every method raises a SocorroError if they cannot be read or written."""

    def locked(self, name: str) -> contextlib.AbstractContextManager[bool]:
        """Lock the job within the block; yield False if another process has locked it."""

    def record(self, record: JobRecord) -> None:
        """Record a run, in place of the previous one."""

    def records(self) -> list[JobRecord]:
        """Return the last run of each job, ordered by name."""

    def close(self) -> None: ...


class FileLedger:
    """A ledger in files: ``JOB.json``, and ``JOB.lock``, which is locked while the job runs."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @contextmanager
    def locked(self, name: str) -> Iterator[bool]:
        with contextlib.ExitStack() as stack:
            with _as_ledger_error("lock"):
                self._directory.mkdir(parents=True, exist_ok=True)
                try:
                    stack.enter_context(FileLock(self._directory / f"{name}.lock"))
                    is_locked = True
                except BlockingIOError:
                    is_locked = False
            yield is_locked

    def record(self, record: JobRecord) -> None:
        with _as_ledger_error("write"), replacing(self._directory / f"{record.name}.json") as file:
            file.write(encode(asdict(record) | _moments(record)))

    def records(self) -> list[JobRecord]:
        """Return the last run of each job. A damaged record counts as a failed run, so that others can be read."""
        with _as_ledger_error("read"):
            return [_read(path) for path in sorted(self._directory.glob("[!.]*.json"))]

    def close(self) -> None:
        pass


def _moments(record: JobRecord) -> dict[str, Any]:
    return {"started": record.started.isoformat(), "ended": record.ended and record.ended.isoformat()}


def _read(path: Path) -> JobRecord:
    """Read a record; a damaged one counts as a failed run. Raises OSError."""
    try:
        return _record(path.stem, decode(read_regular_file(path)))
    except (NotAFile, ValueError, KeyError, TypeError) as error:
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        what = f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
        summary = f"its record {path} is damaged ({what}): the next run replaces it, without a memory of earlier runs"
        return JobRecord(path.stem, "", changed, changed, succeeded=False, summary=summary)


def _record(name: str, read: Any) -> JobRecord:
    """Convert decoded JSON to a record. Raises ValueError, KeyError or TypeError if it is not a record of this job."""
    started, ended = read["started"], read["ended"]
    record = JobRecord(
        **{**read, "started": datetime.fromisoformat(started), "ended": ended and datetime.fromisoformat(ended)}
    )
    texts = (record.name, record.host, record.summary)
    if (
        record.name != name
        or not all(isinstance(text, str) for text in texts)
        or not isinstance(record.memory, dict)
        or record.succeeded not in (None, True, False)
        or any(moment is not None and moment.tzinfo is None for moment in (record.started, record.ended))
    ):
        raise ValueError("a value has the wrong type")
    return record


@contextmanager
def _as_ledger_error(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LedgerError(f"cannot {doing} {error.filename}: {error.strerror} (see cron.directory)") from error
