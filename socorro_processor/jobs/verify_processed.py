"""``verify-processed``: check that every raw crash of a day has become a processed crash in each store.

Nobody notices a crash that its collector could not queue, or whose processed crash a store has lost. This job finds
it, and queues it again with ``--reprocess``.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

from socorro_processor.configuration import WholeNumber, argument, read_day
from socorro_processor.crash_id import crash_date
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.errors import ConfigurationError, InvalidCrashID
from socorro_processor.jobs.job import DayRefused, Job, JobOutcome, Work
from socorro_processor.monitoring.metrics import METRICS

BATCH = 1000
"""Crash ids that a store is asked about at once."""

NOT_AGAIN_WITHIN = timedelta(hours=20)
"""The time for which a crash that this job has queued is not queued again: less than the day between two runs."""

FEW = 1000
"""Crashes that always wait in a busy queue: if no more wait, those of a past day are not among them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--date", type=read_day, help="the (last) day, in UTC, of the crash ids; default: yesterday")
    parser.add_argument(
        "--days", type=argument(WholeNumber(1)), default=1, metavar="N", help="so many days up to that one; default: 1"
    )
    parser.add_argument("--reprocess", action="store_true", help="put what is missing into the reprocessing queue")
    parser.add_argument(
        "--maximum",
        type=argument(WholeNumber(1)),
        default=10_000,
        metavar="N",
        help="how many are queued at the most: more that are missing may be a store that somebody emptied; "
        "default: 10,000",
    )


def run(work: Work) -> JobOutcome:
    last: date = work.arguments.date or work.today - timedelta(days=1)
    if last > work.today:
        raise DayRefused(f"--date {last}: that day has not begun (in UTC)")
    days = [last - timedelta(days=number) for number in reversed(range(work.arguments.days))]
    values = work.values
    with ExitStack() as stack:
        source = stack.enter_context(closing(values.source.crashstorage_class(values.source)))
        destination = stack.enter_context(closing(values.destination.crashstorage_class(values.destination)))
        queue = stack.enter_context(
            closing(values.new_crash_source.new_crash_source_class.to_look(values.new_crash_source))
        )
        return Verification(work, source, _stores(destination), queue, set(days)).run(days)


@dataclass
class Counts:
    """The numbers of crashes of all days, by what was found."""

    raw: int = 0
    missing: int = 0
    """Missing in one store or more. The numbers below are parts of it; only the rest (``left``) is a problem."""
    parked: int = 0
    pending: int = 0
    """Crashes that wait in a queue or are in work, as far as the queue can tell."""
    unfinished: int = 0
    """Crashes of today that may wait or be in work, if the queue cannot tell."""
    queued: int = 0
    queued_before: int = 0
    stores: Counter[str] = field(default_factory=Counter)
    dry_run: bool = False

    @property
    def left(self) -> int:
        return self.missing - self.parked - self.pending - self.unfinished - self.queued - self.queued_before

    def __str__(self) -> str:
        text = f"{self.raw} raw crashes, {self.missing} missing"
        if self.stores:
            text += f" ({', '.join(f'{name} {count}' for name, count in sorted(self.stores.items()))})"
        parts = {
            "parked": self.parked,
            "in the queue": self.pending,
            "of today, which may be in the queue": self.unfinished,
            "would be queued again" if self.dry_run else "queued again": self.queued,
            "queued again before": self.queued_before,
        }
        told = [f"{count} {words}" for words, count in parts.items() if count]
        return f"{text}: {', '.join(told)}" if told else text

    def as_json(self) -> dict[str, Any]:
        return {
            name: getattr(self, name) for name in ("raw", "missing", "parked", "pending", "unfinished", "queued")
        } | {
            "queued_before": self.queued_before,
            "left": self.left,
            "stores": dict(self.stores),
        }


class Verification:
    """Looks for missing crashes, reports them, and queues them again if asked to."""

    def __init__(
        self,
        work: Work,
        source: CrashStorageBase,
        stores: Mapping[str, CrashStorageBase],
        queue: CrashQueueBase,
        days: set[date],
    ) -> None:
        self._work = work
        self._source = source
        self._stores = stores
        self._queue = queue
        self._parked = _parked(queue, days)
        self._queued_before = _recently(work.memory.get("queued", {}), work.now())
        self._counts = Counts(dry_run=work.dry_run)
        self._can_tell = queue.pending([]) is not None
        self._may_queue = bool(work.arguments.reprocess) and (self._can_tell or self._little_waits())

    def run(self, days: Iterable[date]) -> JobOutcome:
        for day in days:
            counted = self._counts.raw
            for batch in _batches(self._source.raw_crash_ids(day)):
                self._verify(batch)
                self._work.progress(f"{day}: {self._counts.raw - counted} looked at, {self._counts.missing} missing")
        if not self._work.dry_run:
            self._measure()
        where = "" if self._counts.raw else f": there is none of these days in {self._source}"
        self._work.say(f"{self._counts}{where}", self._counts.as_json())
        return JobOutcome(not self._counts.left, str(self._counts))

    def _measure(self) -> None:
        METRICS.increment("verify.raw", self._counts.raw)
        METRICS.increment("verify.left", self._counts.left)
        METRICS.increment("verify.parked", self._counts.parked)
        METRICS.increment("verify.queued", self._counts.queued)
        for name in self._stores:
            METRICS.increment("verify.missing", self._counts.stores[name], store=name)

    def _verify(self, crash_ids: Sequence[str]) -> None:
        self._counts.raw += len(crash_ids)
        missing = self._missing(crash_ids)
        if not missing:
            return
        pending = self._queue.pending(missing) or set()
        # A crash in work may have been unsaved at the first look and not pending at the second: it may be saved now.
        missing = self._missing([crash_id for crash_id in missing if crash_id not in pending])
        self._counts.pending += len(pending)
        self._counts.missing += len(pending) + len(missing)
        try:
            for crash_id, stores in missing.items():
                self._counts.stores.update(stores)
                self._tell(crash_id, stores, self._handle_missing(crash_id))
        finally:
            self._work.remember({"queued": self._queued_before})

    def _missing(self, crash_ids: Sequence[str]) -> dict[str, list[str]]:
        """Return the crashes that are missing in at least one store, each with the names of these stores."""
        missing: dict[str, list[str]] = {}
        for name, store in self._stores.items():
            for crash_id in sorted(store.missing_processed(crash_ids)) if crash_ids else ():
                missing.setdefault(crash_id, []).append(name)
        return missing

    def _handle_missing(self, crash_id: str) -> str:
        """Queue the crash if it should be. Return its state, for people."""
        if crash_id in self._parked:
            self._counts.parked += 1
            return "parked"
        if crash_id in self._queued_before:
            self._counts.queued_before += 1
            return "queued before"
        if not self._can_tell and crash_date(crash_id) == self._work.today:
            self._counts.unfinished += 1
            return "unfinished"
        if not self._may_queue or self._counts.queued >= self._work.arguments.maximum:
            return "missing"
        if not self._work.dry_run:
            self._queue.submit(crash_id, "reprocessing")
            self._queued_before[crash_id] = self._work.now().isoformat()
        self._counts.queued += 1
        return "queued"

    def _tell(self, crash_id: str, stores: list[str], state: str) -> None:
        self._work.say(
            f"{crash_id}  {state:<13}  {', '.join(stores)}",
            {"crash_id": crash_id, "state": state, "missing_in": stores},
        )

    def _little_waits(self) -> bool:
        """Return True if so few crashes wait that the missing ones of a past day are not among them."""
        depths = self._queue.depths()
        waiting = depths.suspect + sum(
            depth.waiting + depth.delayed for name, depth in depths.queues.items() if name != "reprocessing"
        )
        if waiting > FEW:
            text = f"nothing is queued: {waiting} crashes wait, and the queue cannot tell whether those are missing"
            self._work.say(text, {"not_queued": text})
        return waiting <= FEW


def _stores(destination: CrashStorageBase) -> dict[str, CrashStorageBase]:
    """Return each store that can tell, by the name of its section."""
    stores = destination.stores if isinstance(destination, PolyCrashStorage) else {"destination": destination}
    able: dict[str, CrashStorageBase] = {}
    for name, store in stores.items():
        with suppress(NotImplementedError):
            store.missing_processed([])
            able[name] = store
    if not able:
        raise ConfigurationError("no store of the destination says which processed crashes it has")
    return able


def _parked(queue: CrashQueueBase, days: set[date]) -> set[str]:
    """Return the ids of the parked crashes of these days."""
    parked = set()
    for crash in queue.set_aside("parked"):
        with suppress(InvalidCrashID):
            if crash_date(crash.crash_id) in days:
                parked.add(crash.crash_id)
    return parked


def _recently(queued: Mapping[str, str], now: datetime) -> dict[str, str]:
    since = now - NOT_AGAIN_WITHIN
    return {crash_id: moment for crash_id, moment in queued.items() if datetime.fromisoformat(moment) > since}


def _batches(crash_ids: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(crash_ids, BATCH)):
        yield batch


JOB = Job(
    name="verify-processed",
    summary="Look for crashes that never became a processed crash, or that a store has lost.",
    description=(
        "Compare the raw crashes of a day in the source store with the processed ones in each destination store. "
        "Prints each crash that is missing, and where. Parked ones are missing too, and said to be parked; those that "
        "wait in a queue are only counted, where the queue can tell. RabbitMQ cannot: run it some hours after the "
        "day's end. Today may be named too; with RabbitMQ what is missing of it is called unfinished then, and is not "
        "queued. A day whose processed crashes were dropped for age misses all."
    ),
    exit_codes={0: "nothing is missing, or all of it is parked or queued", 1: "something is missing"},
    example="socorro cron verify-processed --date=2016-11-23 --reprocess",
    run=run,
    add_arguments=add_arguments,
    sections=("source", "destination", "new_crash_source"),
)
