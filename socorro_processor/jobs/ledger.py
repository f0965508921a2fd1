"""Which job is at work, and how each ended the last time: kept in files here, and in PostgreSQL beside this."""

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

_LONGEST_REASON = 100


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
        with contextlib.ExitStack() as held:
            with _as_ledger_error("lock"):
                self._directory.mkdir(parents=True, exist_ok=True)
                try:
                    held.enter_context(FileLock(self._directory / f"{name}.lock"))
                    is_ours = True
                except BlockingIOError:
                    is_ours = False
            yield is_ours

    def record(self, record: JobRecord) -> None:
        with _as_ledger_error("write"), replacing(self._directory / f"{record.name}.json") as file:
            file.write(encode(asdict(record) | _moments(record)))

    def records(self) -> list[JobRecord]:
        """A record that is damaged is that of a run that ended badly: the other jobs have theirs."""
        with _as_ledger_error("read"):
            return [_read(path) for path in sorted(self._directory.glob("[!.]*.json"))]

    def close(self) -> None:
        pass


def _moments(record: JobRecord) -> dict[str, Any]:
    return {"started": record.started.isoformat(), "ended": record.ended and record.ended.isoformat()}


def _read(path: Path) -> JobRecord:
    """Raises OSError."""
    try:
        return _record(path.stem, decode(read_regular_file(path)))
    except (NotAFile, ValueError, KeyError, TypeError) as error:
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        what = f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
        summary = f"its record {path} is damaged ({what}): the next run replaces it, and begins anew"
        return JobRecord(path.stem, "", changed, changed, succeeded=False, summary=summary)


def _record(name: str, read: Any) -> JobRecord:
    """Raises ValueError, KeyError, TypeError where it is none of this job."""
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
        raise ValueError("a value of another type than is written")
    return record


@contextmanager
def _as_ledger_error(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LedgerError(f"cannot {doing} {error.filename}: {error.strerror}: correct cron.directory") from error
