"""``elasticsearch-cleanup``: delete the indexes whose crashes are all older than the retention."""

from __future__ import annotations

import argparse
from contextlib import closing

from socorro_processor.configuration import components
from socorro_processor.jobs import retention
from socorro_processor.jobs.job import Job, JobOutcome, Work
from socorro_processor.jobs.retention import Retention
from socorro_processor.monitoring.metrics import METRICS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    retention.add_arguments(parser, "indexes", 4)


def run(work: Work) -> JobOutcome:
    # Imported only here, because the other jobs need no Elasticsearch.
    from socorro_processor.crashstorage.elasticsearch.crashstorage import ESCrashStorage

    stores = {
        (config.elasticsearch_urls, config.elasticsearch_index): (store_class, config)
        for store_class, config in components(work.values.destination, ESCrashStorage)
    }
    if not stores:
        return work.nothing_to_do("the destination has no ESCrashStorage")
    days = work.values.cron.elasticsearch_cleanup.retention_days
    rule = Retention("indexes", days, "cron.elasticsearch_cleanup.retention_days")
    deleted = kept = 0
    for store_class, config in stores.values():
        with closing(store_class(config)) as store:
            indexes = store.indexes.by_last_day()
            expired = rule.expired(work, indexes, store.indexes.server_time())
            for index in expired:
                work.progress(index)
                if not work.dry_run:
                    store.indexes.drop(index)
                    METRICS.increment("job.removed", job="elasticsearch-cleanup")
                work.say(f"{index}  {'would be ' if work.dry_run else ''}deleted", {"index": index, "deleted": True})
            deleted, kept = deleted + len(expired), kept + len(indexes) - len(expired)
    text = f"{deleted} indexes {'to be ' if work.dry_run else ''}deleted, {kept} kept"
    if not days:
        text += ": cron.elasticsearch_cleanup.retention_days is 0, so indexes stay for ever"
    work.say(text, {"deleted": deleted, "kept": kept, "dry_run": work.dry_run})
    return JobOutcome(True, text)


JOB = Job(
    name="elasticsearch-cleanup",
    summary="Delete the Elasticsearch indexes that are older than the retention.",
    description=(
        "Delete the indexes whose last day is more than cron.elasticsearch_cleanup.retention_days ago. The retention "
        "is off until it is set. Only indexes whose names elasticsearch_index can give to a day are looked at; the "
        "index of crashes with unlikely dates (socorro-other) stays.\n\n"
        "Nothing is deleted if this host's clock seems to be wrong, or if more than --maximum indexes would go."
    ),
    exit_codes={1: "not done, or refused"},
    example="socorro cron elasticsearch-cleanup --dry-run \\\n  --cron.elasticsearch_cleanup.retention_days=180",
    run=run,
    add_arguments=add_arguments,
    sections=("destination",),
)
