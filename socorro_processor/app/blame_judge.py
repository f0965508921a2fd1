"""Judge who is to blame for a failure: the crash, a store, this machine, or a bug that every crash meets.

Judged by how other crashes end, here and at the other processors of the installation.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable

from socorro_processor.crashqueue.outcomes import Outcomes
from socorro_processor.monitoring.blame_counter import OTHERS, BlameCounter

FAILED_IN_A_ROW = 10
"""So many different crashes in a row that fail of their own are no crash's fault."""

MACHINE = "machine"
"""The name, beside those of stores, of what a crash needs of this machine: memory, space, a stackwalker."""

_MOST_FAILED = 1_000
_MOST_STORES = 100


class BlameJudge:
    """Judges by the outcomes of other crashes, and keeps as many as it needs. May be used from any thread.

    ``clock``: seconds since 1970, comparable between the machines of an installation.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._saved = BlameCounter(clock)
        self._saved_here = BlameCounter(clock)
        self._took: dict[str, BlameCounter] = {}
        self._failed_in_a_row: dict[str, None] = {}
        self._failed_in_a_row_here: set[str] = set()
        self._knows = False
        self._news_saved = 0
        self._news_took: Counter[str] = Counter()
        self._news_failed: dict[str, None] = {}

    def saved(self) -> None:
        """Note that every store took a crash."""
        with self._lock:
            self._note_saved(1)
            self._saved_here.went_well()
            self._failed_in_a_row_here.clear()
            self._news_saved += 1
            self._news_failed.clear()

    def took(self, stores: Iterable[str]) -> None:
        """Note that these stores took a crash that another one did not."""
        with self._lock:
            for store in stores:
                self._note_took(store, 1)
                self._news_took[store] += 1

    def failed_of_its_own(self, crash_id: str) -> bool:
        """Note that a crash failed of its own; return True where this is known to be its own fault.

        A processor that has just started does not know of the crashes that failed before: it knows once one was saved,
        or when it is not the first time that it hears of a failure of this crash.
        """
        with self._lock:
            known = self._knows or crash_id in self._failed_in_a_row
            self._note_failed(crash_id)
            if len(self._failed_in_a_row_here) < FAILED_IN_A_ROW:
                self._failed_in_a_row_here.add(crash_id)
            self._news_failed[crash_id] = None
            return known

    @property
    def none_is_at_fault(self) -> bool:
        """True while as many different crashes in a row failed of their own that it is a bug or a broken deploy."""
        return max(len(self._failed_in_a_row), len(self._failed_in_a_row_here)) >= FAILED_IN_A_ROW

    @property
    def has_saved(self) -> bool:
        """True once a processor of this installation has saved a crash, as far as this one has heard."""
        return self._knows

    def is_of_this_crash_alone(self, failed: Collection[str], before: Collection[str], since: float) -> bool:
        """Return True if what ``failed`` now, and ``before`` at the time ``since``, took enough others meanwhile.

        Both name stores, or MACHINE. Of several that fail now each must have: one of them may really be away.
        """
        with self._lock:
            return bool(failed) and all(
                name in before and self._taken_since(name, min(since, self._clock())) >= OTHERS for name in failed
            )

    def hear(self, outcomes: Outcomes) -> None:
        """Take in the outcomes that another processor tells."""
        with self._lock:
            if outcomes.saved:
                self._note_saved(outcomes.saved)
            for store, count in outcomes.took.items():
                self._note_took(store, count)
            for crash_id in outcomes.failed:
                self._note_failed(crash_id)

    def news(self) -> Outcomes:
        """Return what happened here since the last call, for the other processors."""
        with self._lock:
            news = Outcomes(self._news_saved, dict(self._news_took), tuple(self._news_failed))
            self._news_saved = 0
            self._news_took.clear()
            self._news_failed.clear()
        return news

    # With the lock held

    def _note_saved(self, count: int) -> None:
        self._knows = True
        self._failed_in_a_row.clear()
        self._saved.went_well(count)

    def _note_took(self, store: str, count: int) -> None:
        if store in self._took or len(self._took) < _MOST_STORES:
            self._took.setdefault(store, BlameCounter(self._clock)).went_well(count)

    def _note_failed(self, crash_id: str) -> None:
        if len(self._failed_in_a_row) < _MOST_FAILED:
            self._failed_in_a_row[crash_id] = None

    def _taken_since(self, name: str, since: float) -> int:
        if name == MACHINE:
            # That another machine has memory and space says nothing of this one.
            return self._saved_here.others_since(since)
        took = self._took.get(name)
        return self._saved.others_since(since) + (took.others_since(since) if took else 0)
