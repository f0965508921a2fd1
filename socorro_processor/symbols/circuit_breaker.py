"""A circuit breaker: a source that is away is not asked for every crash."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

PAUSES = (5.0, 15.0, 60.0, 300.0)
"""Seconds in which nobody asks, after the source was found away once, twice, ..."""


class CircuitBreaker:
    """Opens after ``failures`` in a row: nobody may ask for a pause, then one may, until one is answered.

    May be used by several threads at once.
    """

    def __init__(self, failures: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._allowed = failures
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._pauses = 0
        self._until = 0.0
        self._trying = False
        self._reason = ""

    @property
    def reason(self) -> str:
        """Why it may not be asked now; empty where it may."""
        with self._lock:
            return self._reason if self._clock() < self._until else ""

    def may_ask(self) -> bool:
        """A yes while it is open is for one only: the others wait for what that one tells."""
        with self._lock:
            if not self._pauses:
                return True
            if self._clock() < self._until:
                return False
            self._trying = True
            self._wait()  # and should that one never tell, another may try
            return True

    def answered(self) -> bool:
        """Close it. Whether it was open."""
        with self._lock:
            was_open = self._pauses > 0
            self._failures = self._pauses = 0
            self._until = 0.0
            self._trying = False
            return was_open

    def failed(self, reason: str) -> float:
        """Seconds for which nobody may ask now, where it opens by that; else 0."""
        with self._lock:
            self._failures += 1
            self._reason = reason
            if self._failures < self._allowed or (self._pauses and not self._trying):
                return 0.0  # the latter was asked before it opened
            self._trying = False
            self._pauses += 1
            return self._wait()

    def _wait(self) -> float:
        pause = PAUSES[min(self._pauses, len(PAUSES)) - 1]
        self._until = self._clock() + pause
        return pause
