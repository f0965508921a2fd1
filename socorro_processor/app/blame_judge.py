"""Judge what is to blame for a failure: the crash, a store, this machine, or a bug that every crash meets.

The evidence is how other crashes end, here and in the other processors of the installation.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable

from socorro_processor.crashqueue.outcomes import Outcomes
from socorro_processor.monitoring.blame_counter import OTHERS, BlameCounter

FAILED_IN_A_ROW = 10
"""If this many different crashes in a row fail, no crash is at fault."""

MACHINE = "machine"
"""The name, next to those of stores, for what a crash needs of this machine: memory, space, a stackwalker."""

_MAXIMUM_FAILED = 1_000
_MAXIMUM_STORES = 100


class BlameJudge:
    """Judges by the outcomes of other crashes, and keeps as many of them as it needs. May be used from any thread.

    ``clock`` is in seconds since 1970, comparable between the machines of an installation.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._saved = BlameCounter(clock)
        self._saved_here = BlameCounter(clock)
        self._took: dict[str, BlameCounter] = {}
        self._failed_in_a_row: dict[str, None] = {}
        self._failed_in_a_row_here: set[str] = set()
        self._has_saved = False
        self._news_saved = 0
        self._news_took: Counter[str] = Counter()
        self._news_failed: dict[str, None] = {}

    def saved(self) -> None:
        """Note that every store took a crash."""
        with self._lock:
            self._note_saved(1)
            self._saved_here.note_success()
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
        """Note an own failure of a crash; return True if the crash is known to be at fault.

        A processor that has just started does not know which crashes failed before. It knows enough once a crash has
        been saved, or when it has heard of a failure of this crash before.
        """
        with self._lock:
            known = self._has_saved or crash_id in self._failed_in_a_row
            self._note_failed(crash_id)
            if len(self._failed_in_a_row_here) < FAILED_IN_A_ROW:
                self._failed_in_a_row_here.add(crash_id)
            self._news_failed[crash_id] = None
            return known

    @property
    def no_crash_is_at_fault(self) -> bool:
        """True while so many different crashes in a row have failed that the cause must be a bug or a broken deploy."""
        return max(len(self._failed_in_a_row), len(self._failed_in_a_row_here)) >= FAILED_IN_A_ROW

    @property
    def has_saved(self) -> bool:
        """True once a processor of this installation is known to have saved a crash."""
        return self._has_saved

    def only_this_crash_fails(self, failed: Collection[str], before: Collection[str], since: float) -> bool:
        """Return True if whatever ``failed`` now, and ``before`` at the time ``since``, took enough others meanwhile.

        Both name stores, or MACHINE. Each of those in ``failed`` must have taken others: one may really be away.
        """
        with self._lock:
            return bool(failed) and all(
                name in before and self._taken_since(name, min(since, self._clock())) >= OTHERS for name in failed
            )

    def hear(self, outcomes: Outcomes) -> None:
        """Add the outcomes that another processor reports."""
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
        self._has_saved = True
        self._failed_in_a_row.clear()
        self._saved.note_success(count)

    def _note_took(self, store: str, count: int) -> None:
        if store in self._took or len(self._took) < _MAXIMUM_STORES:
            self._took.setdefault(store, BlameCounter(self._clock)).note_success(count)

    def _note_failed(self, crash_id: str) -> None:
        if len(self._failed_in_a_row) < _MAXIMUM_FAILED:
            self._failed_in_a_row[crash_id] = None

    def _taken_since(self, name: str, since: float) -> int:
        if name == MACHINE:
            # The memory and space of another machine say nothing about this one.
            return self._saved_here.others_since(since)
        took = self._took.get(name)
        return self._saved.others_since(since) + (took.others_since(since) if took else 0)
