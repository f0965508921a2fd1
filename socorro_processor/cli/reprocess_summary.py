"""The results of the crashes that ``socorro reprocess`` has queued: their signatures before and after."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from socorro_processor.cli.reprocess_journal import Before, Queued
from socorro_processor.cli.untrusted import plain
from socorro_processor.crashqueue.base import CrashQueueBase, Depths, SetAsideState
from socorro_processor.crashstorage.base import CrashStorageBase, ProcessedCrash
from socorro_processor.errors import (
    ConfigurationError,
    CrashIDNotFound,
    CrashQueueError,
    CrashStorageError,
    PermanentStorageError,
)

Outcome = Literal["changed", "same", "new", "done", "kept", "failed", "parked", "rejected", "waiting"]

WORDS: dict[Outcome, str] = {
    "changed": "with another signature",
    "same": "with the same signature",
    "new": "not processed before",
    "done": "processed, the signature before is not known",
    "kept": "with the earlier result, the new one was worse (--force replaces it)",
    "failed": "not processed well (success is false): socorro show says why",
    "parked": "parked: socorro queue parked says why",
    "rejected": "rejected: socorro queue rejected says why",
    "waiting": "not done yet",
}

NOT_WELL: frozenset[Outcome] = frozenset(("failed", "parked", "rejected", "waiting"))

_AT_ONCE = 100
"""Crashes that are asked for before the next look at the clock."""

_PAUSE = 1.0
"""Seconds between two looks while none is done."""

_SHOWN = 20
"""Changes that people are shown, the most frequent ones."""


@dataclass(frozen=True)
class Comparison:
    """A crash and its result."""

    crash_id: str
    outcome: Outcome
    before: str = ""
    after: str = ""


@dataclass
class Summary:
    """The results of all of them."""

    crashes: list[Comparison] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        return not any(crash.outcome in NOT_WELL for crash in self.crashes)

    @property
    def waiting(self) -> int:
        return self._counts()["waiting"]

    def as_json(self) -> dict[str, Any]:
        counts = self._counts()
        return {outcome: counts[outcome] for outcome in WORDS} | {
            "crashes": [asdict(crash) for crash in self.crashes],
        }

    def lines(self) -> list[str]:
        counts = self._counts()
        lines = [f"{counts[outcome]:>7} {words}" for outcome, words in WORDS.items() if counts[outcome]]
        changes = Counter((crash.before, crash.after) for crash in self.crashes if crash.outcome == "changed")
        for (before, after), count in changes.most_common(_SHOWN):
            lines += ["", f"{count:>7} before  {plain(before)}", f"        after   {plain(after)}"]
        if len(changes) > _SHOWN:
            lines += ["", f"        and {len(changes) - _SHOWN} other changes, which --json has"]
        return lines

    def _counts(self) -> Counter[str]:
        return Counter(crash.outcome for crash in self.crashes)


class Reprocessed:
    """Looks in the destination, before crashes are queued and until they are done."""

    def __init__(
        self,
        destination: CrashStorageBase,
        queue: CrashQueueBase,
        connect: Callable[[], CrashQueueBase],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``connect`` is for another queue object: what one has read of the parked crashes, it keeps to itself."""
        self._destination = destination
        self._queue = queue
        self._connect = connect
        self._clock = clock
        self._sleep = sleep
        self._aside_counts: dict[SetAsideState, int] = {}
        """The number of them when they were looked through."""

    def before(self, crash_id: str) -> Before:
        """Raises TransientStorageError where the stores that give it back are away."""
        processed = self._processed(crash_id)
        return Before(*_completed_and_signature(processed)) if processed else Before()

    def wait(self, queued: Iterable[Queued], patience: float, done: Callable[[], None]) -> Summary:
        """Wait until all are done, or until none was for ``patience`` seconds. ``done`` is called for each."""
        waiting = deque(queued)
        summary = Summary()
        last = self._clock()
        while waiting:
            over = self._clock() - last >= patience
            found = (
                self._looked_at(waiting) or self._set_aside(waiting, anyway=over) or self._kept_earlier(waiting, over)
            )
            if found:
                last = self._clock()
                gone = {crash.crash_id for crash in found}
                waiting = deque(each for each in waiting if each.crash_id not in gone)
                summary.crashes += found
                for _ in found:
                    done()
            elif over:
                break
            else:
                self._sleep(min(_PAUSE, patience))
        summary.crashes += [Comparison(each.crash_id, "waiting", _signature(each)) for each in waiting]
        return summary

    def _looked_at(self, waiting: deque[Queued]) -> list[Comparison]:
        """Return the crashes that are done among the next few; the next time others are looked at."""
        found = []
        for _ in range(min(_AT_ONCE, len(waiting))):
            waiting.rotate(-1)
            # A store that is away will be there again, or patience ends.
            with suppress(CrashStorageError):
                if comparison := self._compared(waiting[-1]):
                    found.append(comparison)
        return found

    def _compared(self, queued: Queued) -> Comparison | None:
        processed = self._processed(queued.crash_id)
        if processed is None:
            return None
        completed, after = _completed_and_signature(processed)
        if queued.before is None:
            if not _is_later(completed, queued.time):
                return None
            outcome: Outcome = "done"
        elif completed == queued.before.completed:
            return None
        elif not queued.before.completed:
            outcome = "new"
        else:
            outcome = "same" if after == queued.before.signature else "changed"
        if processed.get("success") is not True:
            outcome = "failed"
        return Comparison(queued.crash_id, outcome, _signature(queued), after)

    def _set_aside(self, waiting: Iterable[Queued], *, anyway: bool) -> list[Comparison]:
        """Return the crashes parked or rejected since they were queued; look where there are more, or ``anyway``."""
        times = {each.crash_id: each for each in waiting}
        found: dict[str, Comparison] = {}
        with suppress(CrashQueueError):
            depths = self._queue.depths()
            counts: dict[SetAsideState, int] = {"parked": depths.parked, "rejected": depths.rejected}
            for state, count in counts.items():
                if count == self._aside_counts.get(state, 0) and not anyway:
                    continue
                with closing(self._connect()) as queue:
                    for crash in queue.set_aside(state):
                        if (each := times.get(crash.crash_id)) and crash.time >= each.time:
                            found[crash.crash_id] = Comparison(crash.crash_id, state, _signature(each))
                self._aside_counts[state] = count
        return list(found.values())

    def _kept_earlier(self, waiting: Collection[Queued], over: bool) -> list[Comparison]:
        """Return the crashes that have left the queue and are as they were: the new result was worse.

        A queue that cannot tell which crashes it has does not tell it before patience is ``over``, and only where it
        has none at all.
        """
        found = []
        with suppress(CrashQueueError, CrashStorageError):
            pending = self._queue.pending([each.crash_id for each in waiting])
            if pending is None:
                if not over or not _is_empty(self._queue.depths()):
                    return []
                pending = set()
            gone = [each for each in waiting if each.crash_id not in pending]
            # Between the look at the stores and the one at the queue it may have come to either end.
            aside = {crash.crash_id: crash for crash in self._set_aside(gone, anyway=True)} if gone else {}
            for each in gone:
                if comparison := self._compared(each) or aside.get(each.crash_id):
                    found.append(comparison)
                elif (processed := self._processed(each.crash_id)) is not None:
                    after = _completed_and_signature(processed)[1]
                    found.append(Comparison(each.crash_id, "kept", _signature(each), after))
        return found

    def _processed(self, crash_id: str) -> ProcessedCrash | None:
        try:
            return self._destination.get_processed(crash_id)
        except (CrashIDNotFound, PermanentStorageError):
            return None
        except NotImplementedError:
            raise ConfigurationError("no summary: no store of the destination gives back processed crashes") from None


def _is_empty(depths: Depths) -> bool:
    return not depths.suspect and not any(
        depth.waiting or depth.delayed or depth.in_flight for depth in depths.queues.values()
    )


def _completed_and_signature(processed: ProcessedCrash) -> tuple[str, str]:
    return str(processed.get("completed_datetime") or "unknown"), str(processed.get("signature") or "")


def _signature(queued: Queued) -> str:
    return queued.before.signature if queued.before else ""


def _is_later(completed: str, time: datetime) -> bool:
    try:
        moment = datetime.fromisoformat(completed)
    except ValueError:
        return False
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) > time
