"""``socorro cron JOB`` runs a job, as timers do; ``socorro cron status`` shows how the jobs ended the last time."""

from __future__ import annotations

import argparse
import json
import socket
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from socorro_processor.cli.command import Command, family
from socorro_processor.cli.layout import Row, print_table
from socorro_processor.cli.progress import spinner
from socorro_processor.cli.untrusted import plain
from socorro_processor.configuration import Configuration
from socorro_processor.errors import SocorroError
from socorro_processor.jobs import (
    elasticsearch_cleanup,
    filesystem_cleanup,
    late_symbols,
    missing_symbols,
    partitions,
    reference_data,
    reprocessing_jobs,
    verify_processed,
)
from socorro_processor.jobs.job import Job, Memory, Refused, Work
from socorro_processor.jobs.ledger import JobLedger, JobRecord
from socorro_processor.jobs.postgresql_ledger import configured_ledger
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.monitoring.prometheus import writing_metrics
from socorro_processor.monitoring.statsd import sending_metrics

JOBS: tuple[Job, ...] = (
    reference_data.JOB,
    partitions.JOB,
    elasticsearch_cleanup.JOB,
    missing_symbols.JOB,
    late_symbols.JOB,
    filesystem_cleanup.JOB,
    reprocessing_jobs.JOB,
    verify_processed.JOB,
)

_WORDS = {"well": "succeeded", "badly": "failed"}
"""The states of JSON as people read them."""
_REFUSED_SINCE = "; refused on "
_SHARES = (0.2, 0.2, 0.15, 0.15, 0.0)
_SECTIONS = ("cron", "metrics")


def _run_job(job: Job, arguments: argparse.Namespace, configuration: Configuration) -> int:
    values = configuration.values
    say = partial(_say, arguments.json)
    with (
        sending_metrics(values.metrics),
        writing_metrics(values.metrics, job.name),
        closing(configured_ledger(values)) as ledger,
        spinner() as progress,
    ):

        def work() -> Work:
            memory = next((record.memory for record in ledger.records() if record.name == job.name), {})
            return Work(arguments, values, arguments.dry_run, memory, lambda memory: None, say, progress)

        if arguments.dry_run:
            return 0 if job.run(work()).succeeded else 1
        with ledger.locked(job.name) as is_mine:
            if not is_mine:
                say(f"{job.name} is at work elsewhere", {"elsewhere": True})
                return 0
            return 0 if _recorded(job, work(), ledger) else 1


def _recorded(job: Job, work: Work, ledger: JobLedger) -> bool:
    """Run the job, and write down how it ends. Return True if it succeeded.

    Where it is refused, the record stays that of the run before, which says how the job's work stands.
    """
    before = next((record for record in ledger.records() if record.name == job.name), None)
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
    """Return the record of the run before, where there was one, with a word on the refusal of this one."""
    if before is None:
        return replace(record, ended=datetime.now(UTC), summary=f"refused: {reason}")
    first_line = before.summary.partition("\n")[0].partition(_REFUSED_SINCE)[0]
    summary = f"{first_line}{_REFUSED_SINCE}{record.started:%Y-%m-%d %H:%M}: {reason}"
    return replace(before, summary=summary, memory=record.memory)


def _say(as_json: bool, text: str, words: Mapping[str, Any]) -> None:
    print(json.dumps(words) if as_json else plain(text))


def _status(arguments: argparse.Namespace, configuration: Configuration) -> int:
    with closing(configured_ledger(configuration.values)) as ledger:
        records = ledger.records()
        overdue = {name for name in _overdue(records) if not _is_at_work(name, records, ledger)}
    if arguments.json:
        for record in records:
            words = {"state": _state(record), "overdue": record.name in overdue}
            print(json.dumps(asdict(record) | words, default=datetime.isoformat))
    else:
        _print_table(records, overdue)
    return 1 if overdue or any(record.succeeded is False for record in records) else 0


def _overdue(records: list[JobRecord]) -> set[str]:
    """Return the jobs that have run before, and were not begun again for half as long again as they should wait."""
    begun = {record.name: record.started for record in records}
    return {job.name for job in JOBS if job.name in begun and datetime.now(UTC) - begun[job.name] > 1.5 * job.interval}


def _is_at_work(name: str, records: list[JobRecord], ledger: JobLedger) -> bool:
    """Return True if it was begun long ago and goes on: until then the others leave it to that one."""
    if any(record.name == name and record.ended for record in records):
        return False
    with ledger.locked(name) as is_free:
        return not is_free


def _print_table(records: list[JobRecord], overdue: set[str]) -> None:
    rows: list[Row] = [
        [
            (record.name, ""),
            (record.started.astimezone(UTC).isoformat(sep=" ", timespec="seconds"), ""),
            (plain(record.host), ""),
            _shown(record, record.name in overdue),
            (plain(record.summary.partition("\n")[0]), ""),
        ]
        for record in records
    ]
    never = sorted({job.name for job in JOBS} - {record.name for record in records})
    rows += [[(name, ""), ("never", ""), ("", ""), ("", ""), ("", "")] for name in never]
    print_table(("job", "last begun", "on", "ended", "result"), rows, _SHARES)


def _shown(record: JobRecord, overdue: bool) -> tuple[str, str]:
    """Return how a job ended, with its colour."""
    state = _WORDS.get(_state(record), _state(record)) + ", overdue" * overdue
    if record.succeeded is False:
        return state, "bold red"
    return state, "bold yellow" if overdue else "green" if record.succeeded else "yellow"


def _state(record: JobRecord) -> str:
    if record.ended is None:
        return "at work, or died"
    if record.succeeded is None:
        return "refused"
    return "well" if record.succeeded else "badly"


def _add_arguments(job: Job, parser: argparse.ArgumentParser) -> None:
    job.add_arguments(parser)
    parser.add_argument("--dry-run", action="store_true", help="change nothing, only say what would be done")
    _add_json(parser)


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print a JSON object a line")


def _command(job: Job) -> Command:
    return Command(
        name=f"cron {job.name}",
        summary=job.summary,
        description=job.description,
        exit_codes=job.exit_codes,
        example=job.example,
        run=partial(_run_job, job),
        add_arguments=partial(_add_arguments, job),
        sections=(*job.sections, *_SECTIONS),
    )


_STATUS = Command(
    name="cron status",
    summary="Show when each job was run the last time, where, and how it ended.",
    description=(
        "A job that has run before is overdue once half as much time again has passed as it should be begun after. A "
        "run that was refused, because one is at work already or by a guard of the job's own, does not count as "
        "failed: the run before is shown."
    ),
    exit_codes={0: "all is well", 1: "a job failed or is overdue, or it cannot be told"},
    example="socorro cron status",
    run=_status,
    add_arguments=_add_json,
    sections=_SECTIONS,
)

COMMAND = family(
    name="cron",
    summary="Run a job, or show how the jobs ended.",
    description=(
        "Each may be run twice, and by the timers of several hosts: while one is at it, the others leave it to that "
        "one."
    ),
    example="socorro cron verify-processed --reprocess",
    subcommands={job.name: _command(job) for job in JOBS} | {"status": _STATUS},
)
