"""``verify-processed``: check that every raw crash of a day has become a processed crash in each store.

Nobody notices a crash that its collector could not queue, or whose processed crash a store has lost. This job finds
such crashes and, with ``--reprocess``, queues them again.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, Literal, get_args

from socorro_processor.configuration import WholeNumber, argument, read_day
from socorro_processor.crash_id import crash_date, is_deferred
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.errors import ConfigurationError, InvalidCrashID
from socorro_processor.jobs.job import DayRefused, Job, JobOutcome, Work
from socorro_processor.monitoring.metrics import METRICS

State = Literal["missing", "parked", "pending", "unfinished", "queued", "queued before"]
"""*pending*: it waits in a queue or is in work; *unfinished*: it is from today and may be pending, but the queue cannot
tell."""

BATCH = 1000
"""The number of crash ids that a store is asked about at once."""

NOT_AGAIN_WITHIN = timedelta(hours=20)
"""The time within which this job does not queue a crash again: less than the day between two runs."""

FEW = 1000
"""The number of crashes that may always wait in a busy queue: if no more wait, none is from a past day."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--date", type=read_day, help="the (last) day, in UTC, of the crash ids; default: yesterday")
    parser.add_argument(
        "--days",
        type=argument(WholeNumber(1)),
        default=1,
        metavar="N",
        help="number of days, up to that one; default: 1",
    )
    parser.add_argument("--reprocess", action="store_true", help="put missing crashes into the reprocessing queue")
    parser.add_argument(
        "--maximum",
        type=argument(WholeNumber(1)),
        default=10_000,
        metavar="N",
        help="largest number of crashes to queue: if more are missing, somebody may have emptied a store; "
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
            closing(values.new_crash_source.new_crash_source_class.without_creating(values.new_crash_source))
        )
        return Verification(work, source, _stores(destination), queue, set(days)).run(days)


@dataclass
class Counts:
    """The numbers of crashes of all days."""

    raw: int = 0
    deferred: int = 0
    """The number of those that the collector deferred, and that nobody has asked for: none of them is missing."""
    states: Counter[State] = field(default_factory=Counter)
    """The numbers of crashes that are missing from at least one store, by state."""
    stores: Counter[str] = field(default_factory=Counter)
    """The numbers of missing crashes, by store."""
    dry_run: bool = False

    @property
    def left(self) -> int:
        """The number of missing crashes that are nowhere else: only these are a problem."""
        return self.states["missing"]

    def __str__(self) -> str:
        deferred = f" ({self.deferred} deferred)" if self.deferred else ""
        text = f"{self.raw} raw crashes{deferred}, {self.states.total()} missing"
        if self.stores:
            text += f" ({', '.join(f'{name} {count}' for name, count in sorted(self.stores.items()))})"
        parts: dict[State, str] = {
            "parked": "parked",
            "pending": "in the queue",
            "unfinished": "of today, which may be in the queue",
            "queued": "would be queued again" if self.dry_run else "queued again",
            "queued before": "queued again before",
        }
        counts = [f"{self.states[state]} {words}" for state, words in parts.items() if self.states[state]]
        return f"{text}: {', '.join(counts)}" if counts else text

    def as_json(self) -> dict[str, Any]:
        counts = {state.replace(" ", "_"): self.states[state] for state in get_args(State)}
        return (
            {"raw": self.raw, "deferred": self.deferred}
            | counts
            | {
                "missing": self.states.total(),
                "left": self.left,
                "stores": dict(self.stores),
            }
        )


class Verification:
    """Finds missing crashes, reports them, and queues them again if asked to."""

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
            raw_before = self._counts.raw
            for batch in _batches(self._source.raw_crash_ids(day)):
                self._verify(batch)
                missing = self._counts.states.total()
                self._work.progress(f"{day}: {self._counts.raw - raw_before} looked at, {missing} missing")
        if not self._work.dry_run:
            self._measure()
        where = "" if self._counts.raw else f": {self._source} has no raw crashes of these days"
        self._work.say(f"{self._counts}{where}", self._counts.as_json())
        return JobOutcome(not self._counts.left, str(self._counts))

    def _measure(self) -> None:
        METRICS.increment("verify.raw", self._counts.raw)
        METRICS.increment("verify.left", self._counts.left)
        METRICS.increment("verify.parked", self._counts.states["parked"])
        METRICS.increment("verify.queued", self._counts.states["queued"])
        for name in self._stores:
            METRICS.increment("verify.missing", self._counts.stores[name], store=name)

    def _verify(self, crash_ids: Sequence[str]) -> None:
        self._counts.raw += len(crash_ids)
        missing = self._missing(crash_ids)
        if not missing:
            return
        pending = self._queue.pending(missing) or set()
        # A crash in work may have been saved after the first look at the stores, and before the look at the queue.
        missing = self._missing([crash_id for crash_id in missing if crash_id not in pending])
        self._counts.states["pending"] += len(pending)
        try:
            for crash_id, stores in missing.items():
                if is_deferred(crash_id) and len(stores) == len(self._stores) and crash_id not in self._parked:
                    self._counts.deferred += 1
                    continue
                state = self._handle_missing(crash_id)
                self._counts.states[state] += 1
                self._counts.stores.update(stores)
                self._work.say(
                    f"{crash_id}  {state:<13}  {', '.join(stores)}",
                    {"crash_id": crash_id, "state": state, "missing_in": stores},
                )
        finally:
            self._work.remember({"queued": self._queued_before})

    def _missing(self, crash_ids: Sequence[str]) -> dict[str, list[str]]:
        """Return the crashes that are missing from at least one store, each with the names of these stores."""
        missing: dict[str, list[str]] = {}
        for name, store in self._stores.items():
            for crash_id in sorted(store.missing_processed(crash_ids)) if crash_ids else ():
                missing.setdefault(crash_id, []).append(name)
        return missing

    def _handle_missing(self, crash_id: str) -> State:
        """Queue the crash if it should be queued. Return its state."""
        if crash_id in self._parked:
            return "parked"
        if crash_id in self._queued_before:
            return "queued before"
        if not self._can_tell and crash_date(crash_id) == self._work.today:
            return "unfinished"
        if not self._may_queue or self._counts.states["queued"] >= self._work.arguments.maximum:
            return "missing"
        if not self._work.dry_run:
            self._queue.submit(crash_id, "reprocessing")
            self._queued_before[crash_id] = self._work.now().isoformat()
        return "queued"

    def _little_waits(self) -> bool:
        """Return True if so few crashes wait that the missing ones of a past day are not among them."""
        depths = self._queue.depths()
        waiting = depths.suspect + sum(
            depth.waiting + depth.delayed for name, depth in depths.queues.items() if name != "reprocessing"
        )
        if waiting > FEW:
            text = f"nothing is queued: {waiting} crashes wait, and the queue cannot tell which"
            self._work.say(text, {"not_queued": text})
        return waiting <= FEW


def _stores(destination: CrashStorageBase) -> dict[str, CrashStorageBase]:
    """Return the stores that can tell which processed crashes they lack, by the names of their sections."""
    all_stores = destination.stores if isinstance(destination, PolyCrashStorage) else {"destination": destination}
    stores = {name: store for name, store in all_stores.items() if store.can("missing_processed")}
    if not stores:
        raise ConfigurationError("no store of the destination can tell which processed crashes it has")
    return stores


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
    summary="Look for crashes that were never processed, or that a store has lost.",
    description=(
        "Compare the raw crashes of a day in the source store with the processed crashes in each destination store. "
        "Prints each missing crash, the stores that lack it, and whether it is parked. Crashes that wait in a queue "
        "are only counted, if the queue can tell. RabbitMQ cannot: run the job some hours after the day's end. With "
        "RabbitMQ, missing crashes of today are called unfinished, and are not queued. Once the processed crashes of "
        "a day were dropped for their age, all its crashes are missing. A crash that the collector deferred (its id "
        "has the throttle digit 1) is missing only if some store has it processed."
    ),
    exit_codes={0: "no crash is missing, or all are parked or queued", 1: "crashes are missing"},
    example="socorro cron verify-processed --date=2016-11-23 --reprocess",
    run=run,
    add_arguments=add_arguments,
    sections=("source", "destination", "new_crash_source"),
)
