"""``socorro cron JOB`` runs a job, as timers do; ``socorro cron status`` shows how each job last ended."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Any

from socorro_processor.cli.command import Command, family
from socorro_processor.cli.progress import spinner
from socorro_processor.configuration import Configuration
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
from socorro_processor.jobs.job import Job
from socorro_processor.jobs.ledger import JobRecord
from socorro_processor.jobs.postgresql_ledger import configured_ledger
from socorro_processor.jobs.running import overdue_jobs, run_job
from socorro_processor.layout import Row, print_table
from socorro_processor.monitoring.prometheus import writing_metrics
from socorro_processor.monitoring.statsd import sending_metrics
from socorro_processor.untrusted import plain

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

_STATE_WORDS = {"well": "succeeded", "badly": "failed"}
"""Words for people, by the states in JSON."""
_COLUMN_SHARES = (0.2, 0.2, 0.15, 0.15, 0.0)
_SECTIONS = ("cron", "metrics")


def _run_job(job: Job, arguments: argparse.Namespace, configuration: Configuration) -> int:
    values = configuration.values
    with sending_metrics(values.metrics), writing_metrics(values.metrics, job.name), spinner() as progress:
        return 0 if run_job(job, arguments, values, partial(_say, arguments.json), progress) else 1


def _say(as_json: bool, text: str, words: Mapping[str, Any]) -> None:
    print(json.dumps(words) if as_json else plain(text))


def _status(arguments: argparse.Namespace, configuration: Configuration) -> int:
    with closing(configured_ledger(configuration.values)) as ledger:
        records = ledger.records()
        overdue = overdue_jobs(JOBS, records, ledger)
    if arguments.json:
        for record in records:
            words = {"state": _state(record), "overdue": record.name in overdue}
            print(json.dumps(asdict(record) | words, default=datetime.isoformat))
    else:
        _print_table(records, overdue)
    return 1 if overdue or any(record.succeeded is False for record in records) else 0


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
    print_table(("job", "last start", "on", "state", "result"), rows, _COLUMN_SHARES)


def _shown(record: JobRecord, overdue: bool) -> tuple[str, str]:
    """Return how a job ended, with its colour."""
    state = _STATE_WORDS.get(_state(record), _state(record)) + ", overdue" * overdue
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
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    _add_json(parser)


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print a JSON object a line")


def job_command(job: Job) -> Command:
    """Return the command that runs a job."""
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
    summary="Show when each job last ran, where, and how it ended.",
    description=(
        "A job that has run before is overdue after one and a half times its interval. A run that was refused, because "
        "another one was at work or a guard of the job forbade it, does not count as failed: the run before is shown."
    ),
    exit_codes={0: "no job failed or is overdue", 1: "a job failed or is overdue, or their records cannot be read"},
    example="socorro cron status",
    run=_status,
    add_arguments=_add_json,
    sections=_SECTIONS,
)

COMMAND = family(
    name="cron",
    summary="Run a job, or show how the jobs ended.",
    description=(
        "A job may be started twice, and by the timers of several hosts: while one run is at work, others are refused."
    ),
    example="socorro cron verify-processed --reprocess",
    subcommands={job.name: job_command(job) for job in JOBS} | {"status": _STATUS},
)
