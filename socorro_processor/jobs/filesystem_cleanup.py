"""``filesystem-cleanup``: remove old crashes from directories, and the files that killed writers left.

The age of a crash is that of its id, or of its youngest file if that is less: a crash that is being written, or was
processed again recently, stays. So does a crash that waits in the queue, is in work or is parked.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path

from socorro_processor.configuration import components
from socorro_processor.crash_id import crash_date
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.crashstorage.keys import dump_names_key, dumps_removed_key, processed_crash_key
from socorro_processor.errors import CrashIDNotFound
from socorro_processor.jobs import retention
from socorro_processor.jobs.job import Job, JobOutcome, Work
from socorro_processor.jobs.retention import NotRemoved, Retention
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.removal import NeededCrashes, QueueCannotTell
from socorro_processor.search.sqlite.crashstorage import HasSearchIndex, SQLiteSearchIndex

_BATCH = 1000
"""The number of crash ids that the queue is asked about at once."""

_AHEAD = timedelta(days=2)
"""A crash id with a date further in the future is made up: its files tell the age of the crash."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    retention.add_arguments(parser, "days", 14)


def run(work: Work) -> JobOutcome:
    values = work.values
    stores = {
        config.root: (store_class, config)
        for section in ("source", "destination")
        for store_class, config in components(values[section], FileSystemCrashStorage)
    }
    if not stores:
        return work.nothing_to_do("neither source nor destination has a FileSystemCrashStorage")
    days = values.cron.filesystem_cleanup.retention_days
    crashes = left_overs = 0
    with ExitStack() as stack:
        queue = stack.enter_context(
            closing(values.new_crash_source.new_crash_source_class.without_creating(values.new_crash_source))
        )
        indexes = [
            stack.enter_context(closing(SQLiteSearchIndex(config, path=store_class.index_directory(config))))
            for store_class, config in components(values.destination, HasSearchIndex)
        ]
        for store_class, config in stores.values():
            store = stack.enter_context(closing(store_class(config)))
            if not work.dry_run:
                left_overs += store.sweep()
            if days:
                crashes += Cleanup(work, store, queue, days, indexes).run()
    if not work.dry_run:
        METRICS.increment("job.removed", crashes + left_overs, job="filesystem-cleanup")
    text = f"{crashes} crashes {'to be ' if work.dry_run else ''}removed"
    if not work.dry_run:
        text += f", {left_overs} left-overs of killed writers"
    if not days:
        text += ": cron.filesystem_cleanup.retention_days is 0, so crashes stay for ever"
    elif not crashes:
        text += f"; looked in {', '.join(str(Path(root).absolute()) for root in stores)}"
    work.say(text, {"removed": crashes, "left_overs": left_overs, "dry_run": work.dry_run})
    return JobOutcome(True, text)


class Cleanup:
    """Removes the old crashes of one store."""

    def __init__(
        self,
        work: Work,
        store: FileSystemCrashStorage,
        queue: CrashQueueBase,
        days: int,
        indexes: Sequence[SQLiteSearchIndex] = (),
    ) -> None:
        """``indexes`` have the crashes of the store, too."""
        self._work = work
        self._indexes = indexes
        self._store = store
        self._rule = Retention("days", days, "cron.filesystem_cleanup.retention_days")
        self._oldest = work.today - timedelta(days=days)
        self._needed = NeededCrashes(queue)

    def run(self) -> int:
        """Remove the old crashes. Return their number."""
        days: set[date] = set()
        expired: set[date] = set()
        for key in self._store.object_keys():
            days.add(day := self._day(key))
            if day < self._oldest and day not in expired and self._is_expired(key):
                expired.add(day)
        self._rule.expired(self._work, [(day, day) for day in days if day in expired or day >= self._oldest], None)
        removed: Counter[date] = Counter()
        keys = (key for key in self._store.object_keys() if self._day(key) in expired and self._is_expired(key))
        while batch := list(islice(keys, _BATCH)):
            for key in self._unneeded_keys(batch):
                removed[self._day(key)] += 1
                if not self._work.dry_run:
                    self._remove(_crash_id(key))
            self._work.progress(f"{removed.total()} crashes removed")
        for day, count in sorted(removed.items()):
            self._work.say(
                f"{day}  {count} crashes {'would be ' if self._work.dry_run else ''}removed from {self._store}",
                {"day": day.isoformat(), "removed": count, "store": str(self._store)},
            )
        return removed.total()

    def _files_of(self, crash_id: str) -> dict[str, float]:
        """Return the times of the files that tell the age of a crash, by key: that its dumps went does not."""
        files = self._store.files_of(crash_id)
        return {key: moment for key, moment in files.items() if key != dumps_removed_key(crash_id)} or files

    def _day(self, key: str) -> date:
        """Return the day of the crash with this key: that of its id, or of its files if the id is in the future."""
        day = crash_date(_crash_id(key))
        if day <= self._work.today + _AHEAD:
            return day
        return max(map(_date, self._files_of(_crash_id(key)).values()), default=day)

    def _is_expired(self, key: str) -> bool:
        """Return True if the crash may be removed and ``key`` is its first."""
        files = self._files_of(_crash_id(key))
        return next(iter(files), "") == key and max(map(_date, files.values())) < self._oldest

    def _unneeded_keys(self, keys: list[str]) -> Iterator[str]:
        """Yield the keys of the crashes that no processor will need."""
        try:
            needed = self._needed.among([_crash_id(key) for key in keys])
        except QueueCannotTell as error:
            raise NotRemoved(f"nothing more is removed: {error}: run the job when no crashes wait") from None
        yield from (key for key in keys if _crash_id(key) not in needed)

    def _remove(self, crash_id: str) -> None:
        """Remove all files of a crash, and first its entry in the indexes: if that fails, the next run finds it.

        The raw crash goes first, so that nobody begins to read it. The names of the dumps go last, so that the next run
        finishes an interrupted removal.
        """
        keys = list(self._store.files_of(crash_id))
        if processed_crash_key(crash_id) in keys:
            for index in self._indexes:
                with suppress(CrashIDNotFound):
                    index.remove(crash_id)
        for key in sorted(keys, key=lambda key: key == dump_names_key(crash_id)):
            self._store.delete(key)


def _crash_id(key: str) -> str:
    return key.rpartition("/")[2]


def _date(moment: float) -> date:
    return datetime.fromtimestamp(moment, UTC).date()


JOB = Job(
    name="filesystem-cleanup",
    summary="Remove the crashes in directories that are older than the retention, and what killed writers left.",
    description=(
        "Remove from the FileSystemCrashStorages of source and destination each crash (raw, dumps, processed) whose "
        "id and files are all more than cron.filesystem_cleanup.retention_days old. The retention is off until it is "
        "set; files that killed writers left an hour ago or longer are removed in any case.\n\n"
        "Crashes that wait in the queue, are in work or are parked stay. Nothing is removed if this host's clock seems "
        "to be wrong, or if the crashes of more than --maximum days would go."
    ),
    exit_codes={1: "not done, or refused"},
    example="socorro cron filesystem-cleanup --dry-run \\\n  --cron.filesystem_cleanup.retention_days=90",
    run=run,
    add_arguments=add_arguments,
    sections=("source", "destination", "new_crash_source"),
)
