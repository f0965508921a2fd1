"""Bring a ledger up to date: see which crashes are in the store, and measure those that are new or were changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from itertools import islice

from socorro_processor.errors import CrashStorageError
from socorro_processor.retention.ledger import Ledger, Measured
from socorro_processor.retention.store import RetainedStore
from socorro_processor.search.results import FoundCrash
from socorro_processor.search.sqlite.reading import SQLiteCrashIndex

_SEEN_AT_ONCE = 500
_MEASURED_AT_ONCE = 100

_UNKNOWN = -1.0
"""Stands for when a crash was processed, while the index does not have it yet: it is measured again next time."""

Pace = Callable[[], object]
"""Is called after each small piece of work, so that it can be stretched over time; what it raises ends the work."""


class Survey:
    """Looks at a store in small pieces."""

    def __init__(
        self,
        store: RetainedStore,
        index: SQLiteCrashIndex | None,
        ledger: Ledger,
        pace: Pace,
        now: float,
    ) -> None:
        """``index``: the search index of the store; without it, no signature is known."""
        self._store = store
        self._index = index
        self._ledger = ledger
        self._pace = pace
        self._now = now

    def look(self) -> float:
        """See each crash of the store. Return the seconds that it took, pauses left out."""
        self._ledger.forget_seen()
        seen = self._store.seen()
        spent = 0.0
        while True:
            begun = time.monotonic()
            batch = list(islice(seen, _SEEN_AT_ONCE))
            self._ledger.see(batch)
            spent += time.monotonic() - begun
            if not batch:
                break
            self._pace()
        self._ledger.forget_others()
        return spent

    def measure(self) -> None:
        """Measure what is new, or was processed again."""
        while crash_ids := self._ledger.to_measure(_MEASURED_AT_ONCE):
            self.measure_again(crash_ids)
            self._pace()

    def measure_again(self, crash_ids: list[str]) -> None:
        """Measure these crashes."""
        found = self._found(crash_ids)
        measured: list[Measured] = []
        for crash_id in crash_ids:
            crash = self._store.measure(crash_id, found.get(crash_id), self._now)
            if crash is None:
                continue
            if crash.processed and self._index and crash_id not in found:
                crash = crash._replace(processed=_UNKNOWN)
            measured.append(crash)
        self._ledger.measure(crash_ids, measured)

    def _found(self, crash_ids: list[str]) -> dict[str, FoundCrash]:
        """Return the crashes as the index has them; without an index that works, none."""
        if self._index is not None:
            # What is wrong with the index is said elsewhere, and bounds by age and size need none.
            with suppress(CrashStorageError):
                crashes = self._index.of_ids(crash_ids, ("signature", "product"))
                return {crash.crash_id: crash for crash in crashes}
        return {}
