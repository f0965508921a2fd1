"""Whose fault a store's transient failure is: the store's, unless it goes on saving other crashes."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict

from socorro_processor.errors import CrashStorageError, PolyStorageError

OTHERS = 20
"""So many crashes that a store took between two attempts at one show that it was not away."""

_REMEMBERED = 10_000
_ONLY_STORE = ""


class WhoseFault:
    """Counts what each store took and what it did not. May be used from any thread.

    A crash whose document always times out must not be tried for ever, and hold up the others each time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended = 0
        self._failed: Counter[str] = Counter()
        self._taken_by_then: OrderedDict[str, dict[str, int]] = OrderedDict()

    def saved(self, crash_id: str) -> None:
        """Every store took the crash."""
        with self._lock:
            self._ended += 1
            self._taken_by_then.pop(crash_id, None)

    def is_the_crashs(self, crash_id: str, error: CrashStorageError) -> bool:
        """Whether this transient failure counts as the crash's own; told of each of them."""
        failed = _failed_stores(error)
        with self._lock:
            self._ended += 1
            self._failed.update(failed)
            before = self._taken_by_then.pop(crash_id, {})
            taken = {store: self._ended - self._failed[store] for store in failed}
            self._taken_by_then[crash_id] = taken
            while len(self._taken_by_then) > _REMEMBERED:
                self._taken_by_then.popitem(last=False)
        # Each store that fails now: one of them may really be away.
        return bool(taken) and all(taken[store] - before.get(store, taken[store]) >= OTHERS for store in taken)


def _failed_stores(error: CrashStorageError) -> list[str]:
    if isinstance(error, PolyStorageError):
        return [name for name, failure in error.failures.items() if failure.transient]
    return [_ONLY_STORE]
