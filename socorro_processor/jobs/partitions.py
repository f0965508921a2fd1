"""``partitions``: make the partitions of the next weeks before their crashes come, and drop old ones."""

from __future__ import annotations

import argparse
from contextlib import closing
from datetime import timedelta

from socorro_processor.configuration import components
from socorro_processor.crashstorage.postgresql.crashstorage import PostgreSQLCrashStorage
from socorro_processor.crashstorage.postgresql.partitions import TABLES, week_of
from socorro_processor.jobs import retention
from socorro_processor.jobs.job import Job, JobOutcome, Work
from socorro_processor.jobs.retention import ClockNotTrusted, NotRemoved, Retention
from socorro_processor.monitoring.metrics import METRICS

_WEEK = timedelta(days=7)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    retention.add_arguments(parser, "weeks", 4)


def run(work: Work) -> JobOutcome:
    stores: dict[str, PostgreSQLCrashStorage] = {}
    for section in ("destination", "source"):
        for store_class, config in components(work.values[section], PostgreSQLCrashStorage):
            store = store_class(config)
            stores.setdefault(str(store), store)
    if not stores:
        return work.nothing_to_do("neither source nor destination has a PostgreSQLCrashStorage")
    made = dropped = 0
    for store in stores.values():
        with closing(store):
            more_made, more_dropped = _run(work, store)
            made, dropped = made + more_made, dropped + more_dropped
    made_words, dropped_words = ("to be made", "to be dropped") if work.dry_run else ("made", "dropped")
    text = f"{made} partitions {made_words}, {dropped} {dropped_words}"
    work.say(text, {"made": made, "dropped": dropped, "dry_run": work.dry_run})
    return JobOutcome(True, text)


def _run(work: Work, store: PostgreSQLCrashStorage) -> tuple[int, int]:
    """Make and drop the partitions of one store. Return the number made, and the number dropped."""
    options = work.values.cron.partitions
    partitions = store.partitions
    weeks = partitions.weeks()
    rule = Retention("weeks", options.retention_days, "cron.partitions.retention_days")
    refused: NotRemoved | None = None
    expired = []
    try:
        last_days = [(week + _WEEK - timedelta(days=1), week) for week in weeks]
        expired = rule.expired(work, last_days, partitions.server_time())
    except ClockNotTrusted:
        # No partitions are made either: with those of a wrong year, the next run would trust the clock.
        raise
    except NotRemoved as error:
        refused = error
    made = 0
    for number in range(options.weeks_ahead + 1):
        week = week_of(work.today) + number * _WEEK
        missing = sorted({f"{table}_{week:%Y%m%d}" for table in TABLES} - set(weeks.get(week, [])))
        if not work.dry_run and missing:
            missing = partitions.make(week)
        for name in missing:
            work.say(f"{name}  {'would be ' if work.dry_run else ''}made", {"partition": name, "made": True})
        made += len(missing)
    if refused:
        raise refused
    dropped = 0
    for week in expired:
        work.progress(f"the week of {week}")
        for name in weeks[week]:
            if not work.dry_run:
                partitions.drop(name)
                METRICS.increment("job.removed", job="partitions")
            work.say(f"{name}  {'would be ' if work.dry_run else ''}dropped", {"partition": name, "dropped": True})
            dropped += 1
    return made, dropped


JOB = Job(
    name="partitions",
    summary="Make the PostgreSQL partitions of the next weeks, and drop those older than the retention.",
    description=(
        "Make the partitions of this and the next weeks (cron.partitions.weeks_ahead) in the PostgreSQL of source and "
        "destination, and drop those whose last day is more than cron.partitions.retention_days ago, with all crashes "
        "in them. The retention is off until it is set. The default partitions stay as they are.\n\n"
        "Nothing is dropped if this host's clock seems to be wrong, or if more than --maximum weeks would go."
    ),
    exit_codes={1: "not done, or refused"},
    example="socorro cron partitions --dry-run --cron.partitions.retention_days=400",
    run=run,
    add_arguments=add_arguments,
    sections=("source", "destination"),
    interval=_WEEK,
)
