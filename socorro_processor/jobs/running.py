"""Run jobs, each in one process at a time, and record how they end; tell which are overdue."""

from __future__ import annotations

import argparse
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from socorro_processor.configuration import DotDict
from socorro_processor.errors import SocorroError
from socorro_processor.jobs.job import Job, Memory, Refused, Work
from socorro_processor.jobs.ledger import JobLedger, JobRecord
from socorro_processor.jobs.postgresql_ledger import configured_ledger
from socorro_processor.monitoring.metrics import METRICS

_REFUSED_SINCE = "; refused on "


def run_job(
    job: Job,
    arguments: argparse.Namespace,
    values: DotDict,
    say: Callable[[str, Mapping[str, Any]], None],
    progress: Callable[[str], None],
) -> bool:
    """Run a job with its ``arguments``, which include ``dry_run``; return True if it succeeded.

    If another process runs the job, say so, and leave the work to that process. Raises what the job raises.
    """
    work = Work(arguments, values, arguments.dry_run, {}, lambda memory: None, say, progress)
    with closing(configured_ledger(values)) as ledger:
        if arguments.dry_run:
            return job.run(_with_memory(work, _record_of(job, ledger))).succeeded
        with ledger.locked(job.name) as is_locked:
            if is_locked:
                return _run_recorded(job, work, ledger)
            say(f"{job.name} is running elsewhere", {"elsewhere": True})
            return True


def overdue_jobs(jobs: Sequence[Job], records: Sequence[JobRecord], ledger: JobLedger) -> set[str]:
    """Return the jobs that have run before, but not again within 1.5 times their interval.

    A job that began long ago and is still running is not overdue, because other processes leave it alone.
    """
    intervals = {job.name: job.interval for job in jobs}
    return {
        record.name
        for record in records
        if record.name in intervals
        and datetime.now(UTC) - record.started > 1.5 * intervals[record.name]
        and not _is_running(record, ledger)
    }


def _is_running(record: JobRecord, ledger: JobLedger) -> bool:
    if record.ended:
        return False
    with ledger.locked(record.name) as is_free:
        return not is_free


def _with_memory(work: Work, before: JobRecord | None) -> Work:
    return replace(work, memory=before.memory) if before else work


def _record_of(job: Job, ledger: JobLedger) -> JobRecord | None:
    return next((record for record in ledger.records() if record.name == job.name), None)


def _run_recorded(job: Job, work: Work, ledger: JobLedger) -> bool:
    """Run the job, and record how it ends. Return True if it succeeded.

    If it is refused, the record of the previous run stays, because that tells the state of the job's work.
    """
    before = _record_of(job, ledger)
    work = _with_memory(work, before)
    record = JobRecord(job.name, socket.gethostname(), datetime.now(UTC), memory=work.memory)

    def remember(memory: Memory) -> None:
        nonlocal record
        record = replace(record, memory=memory)
        ledger.record(record)

    remember(record.memory)
    ended = "failed"
    summary = "interrupted"
    try:
        with METRICS.timer("job", job=job.name):
            outcome = job.run(replace(work, remember=remember))
        ended, summary = "succeeded" if outcome.succeeded else "failed", outcome.summary
    except Exception as error:
        ended = "refused" if isinstance(error, Refused) else "failed"
        summary = str(error) if isinstance(error, SocorroError) else f"a bug: {type(error).__name__}"
        raise
    finally:
        METRICS.increment("job.ended", job=job.name, outcome=ended)
        if ended == "refused":
            ledger.record(_refused(record, before, summary))
        else:
            ledger.record(replace(record, ended=datetime.now(UTC), succeeded=ended == "succeeded", summary=summary))
    return ended == "succeeded"


def _refused(record: JobRecord, before: JobRecord | None, reason: str) -> JobRecord:
    """Return the record of the previous run, if there was one, with a note on the refusal of this one."""
    if before is None:
        return replace(record, ended=datetime.now(UTC), summary=f"refused: {reason}")
    first_line = before.summary.partition("\n")[0].partition(_REFUSED_SINCE)[0]
    summary = f"{first_line}{_REFUSED_SINCE}{record.started:%Y-%m-%d %H:%M}: {reason}"
    return replace(before, summary=summary, memory=record.memory)
