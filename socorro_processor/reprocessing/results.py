"""Find the results of crashes that were queued again: the signatures before and after, or why there are none."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Literal

from socorro_processor.crashqueue.base import CrashQueueBase, Depths, SetAsideState
from socorro_processor.crashstorage.base import CrashStorageBase, ProcessedCrash
from socorro_processor.errors import (
    ConfigurationError,
    CrashIDNotFound,
    CrashQueueError,
    CrashStorageError,
    PermanentStorageError,
)
from socorro_processor.reprocessing.journal import Queued

Outcome = Literal["changed", "same", "new", "done", "kept", "failed", "parked", "rejected", "waiting"]

UNSUCCESSFUL: frozenset[Outcome] = frozenset(("failed", "parked", "rejected", "waiting"))

_AT_ONCE = 100
"""Crashes that are looked up before the time is checked again."""

_PAUSE = 1.0
"""Seconds between two rounds while no crash is done."""


@dataclass(frozen=True)
class Comparison:
    """A crash and its result."""

    crash_id: str
    outcome: Outcome
    before: str = ""
    after: str = ""


@dataclass
class Summary:
    """The results of all crashes."""

    crashes: list[Comparison] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        return not any(crash.outcome in UNSUCCESSFUL for crash in self.crashes)

    @property
    def counts(self) -> Counter[Outcome]:
        return Counter(crash.outcome for crash in self.crashes)

    @property
    def changes(self) -> Counter[tuple[str, str]]:
        """The numbers of crashes whose signature changed, by the signatures before and after."""
        return Counter((crash.before, crash.after) for crash in self.crashes if crash.outcome == "changed")


class Results:
    """Looks up results in the destination, before crashes are queued and until they are done."""

    def __init__(
        self,
        destination: CrashStorageBase,
        queue: CrashQueueBase,
        connect: Callable[[], CrashQueueBase],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``connect`` opens a further queue object: one that has read parked crashes withholds them from others."""
        self._destination = destination
        self._queue = queue
        self._connect = connect
        self._clock = clock
        self._sleep = sleep
        self._set_aside_counts: dict[SetAsideState, int] = {}
        """The numbers of crashes set aside when these were last read."""

    def before(self, crash_id: str) -> tuple[str, str]:
        """Return when the processed crash was completed, and its signature; both are empty if there is none.

        Raises TransientStorageError if the stores that could return it are away.
        """
        processed = self._processed(crash_id)
        return _completed_and_signature(processed) if processed else ("", "")

    def wait(self, queued: Iterable[Queued], patience: float, done: Callable[[], None]) -> Summary:
        """Wait until all crashes are done, or none was for ``patience`` seconds. ``done`` is called for each."""
        waiting = {each.crash_id: each for each in queued}
        summary = Summary()
        last = self._clock()
        while waiting:
            is_over = self._clock() - last >= patience
            finished = (
                self._processed_again(waiting)
                or self._set_aside(waiting, always=is_over)
                or self._kept_earlier(waiting, is_over)
            )
            for crash in finished:
                last = self._clock()
                del waiting[crash.crash_id]
                summary.crashes.append(crash)
                done()
            if not finished:
                if is_over:
                    break
                self._sleep(min(_PAUSE, patience))
        summary.crashes += [Comparison(each.crash_id, "waiting", each.signature) for each in waiting.values()]
        return summary

    def _processed_again(self, waiting: dict[str, Queued]) -> list[Comparison]:
        """Return the processed ones of the first few crashes, and move these to the end."""
        comparisons = []
        for crash_id in list(islice(waiting, _AT_ONCE)):
            waiting[crash_id] = each = waiting.pop(crash_id)
            # A store that is away may come back before the patience ends.
            with suppress(CrashStorageError):
                if comparison := self._compare(each):
                    comparisons.append(comparison)
        return comparisons

    def _compare(self, queued: Queued) -> Comparison | None:
        """Return the result; None if the crash is not done, as far as its processed crash tells."""
        processed = self._processed(queued.crash_id)
        if processed is None:
            return None
        completed, after = _completed_and_signature(processed)
        if queued.completed is None:
            if not _is_later(completed, queued.time):
                return None
            outcome: Outcome = "done"
        elif completed == queued.completed:
            return None
        elif not queued.completed:
            outcome = "new"
        else:
            outcome = "same" if after == queued.signature else "changed"
        if processed.get("success") is not True:
            outcome = "failed"
        return Comparison(queued.crash_id, outcome, queued.signature, after)

    def _set_aside(self, waiting: Mapping[str, Queued], *, always: bool) -> list[Comparison]:
        """Return the crashes set aside since they were queued; read only if their number changed, or ``always``."""
        comparisons: dict[str, Comparison] = {}
        with suppress(CrashQueueError):
            depths = self._queue.depths()
            counts: dict[SetAsideState, int] = {"parked": depths.parked, "rejected": depths.rejected}
            for state, count in counts.items():
                if count == self._set_aside_counts.get(state, 0) and not always:
                    continue
                with closing(self._connect()) as queue:
                    for crash in queue.set_aside(state):
                        if (each := waiting.get(crash.crash_id)) and crash.time >= each.time:
                            comparisons[crash.crash_id] = Comparison(crash.crash_id, state, each.signature)
                self._set_aside_counts[state] = count
        return list(comparisons.values())

    def _kept_earlier(self, waiting: Mapping[str, Queued], is_over: bool) -> list[Comparison]:
        """Return the crashes that have left the queue unchanged: the new result was worse.

        If the queue cannot tell which crashes it has, it is only asked once the patience ``is_over``, and must be
        empty.
        """
        comparisons = []
        with suppress(CrashQueueError, CrashStorageError):
            pending = self._queue.pending(waiting)
            if pending is None:
                if not is_over or not _is_empty(self._queue.depths()):
                    return []
                pending = set()
            gone = {crash_id: each for crash_id, each in waiting.items() if crash_id not in pending}
            # The crash may have ended either way after the stores were asked, before the queue was.
            set_aside = {crash.crash_id: crash for crash in self._set_aside(gone, always=True)} if gone else {}
            for crash_id, each in gone.items():
                if comparison := self._compare(each) or set_aside.get(crash_id):
                    comparisons.append(comparison)
                elif (processed := self._processed(crash_id)) is not None:
                    after = _completed_and_signature(processed)[1]
                    comparisons.append(Comparison(crash_id, "kept", each.signature, after))
        return comparisons

    def _processed(self, crash_id: str) -> ProcessedCrash | None:
        if not self._destination.can("get_processed"):
            raise ConfigurationError("no summary: no store of the destination returns processed crashes")
        try:
            return self._destination.get_processed(crash_id)
        except (CrashIDNotFound, PermanentStorageError):
            return None


def _is_empty(depths: Depths) -> bool:
    return not depths.suspect and not any(
        depth.waiting or depth.delayed or depth.in_flight for depth in depths.queues.values()
    )


def _completed_and_signature(processed: ProcessedCrash) -> tuple[str, str]:
    return str(processed.get("completed_datetime") or "unknown"), str(processed.get("signature") or "")


def _is_later(completed: str, time: datetime) -> bool:
    try:
        moment = datetime.fromisoformat(completed)
    except ValueError:
        return False
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) > time
