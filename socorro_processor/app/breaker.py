"""A breaker: while something that every crash needs is away, crashes are left in their queue."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from socorro_processor.health import Health

PAUSES = (1.0, 2.0, 5.0)
"""Seconds without a new crash after the first, second, and every further failed attempt."""


ENOUGH_TRIED = 10
"""So many different crashes that failed are no coincidence: further trials are made with these, most of the time."""

NEW_ONE_EVERY = 12
"""Trials: it may be a coincidence after all, and a crash that is new would end it."""

TRIAL_TIME = 300.0
"""Seconds after which a trial that has told nothing is given up, so that another may be made."""


class Breaker:
    """Closed, every crash may begin. Opened by a failure, none may for a pause; then one at a time
    may try, until one succeeds. May be used from any thread."""

    def __init__(
        self, health: Health, clock: Callable[[], float] = time.monotonic, pauses: Sequence[float] = PAUSES
    ) -> None:
        self._health = health
        self._pauses = pauses
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._tried: set[str] = set()
        self._until = 0.0
        self._trying = False
        self._trial_begun = 0.0

    @property
    def is_open(self) -> bool:
        return self._failures > 0

    @property
    def leaves_new_crashes(self) -> bool:
        """Whether the next trial is one for a crash that has failed already, if there is any.

        Else those that wait would be tried one after the other, and be delayed, as long as the outage lasts.
        """
        with self._lock:
            return len(self._tried) >= ENOUGH_TRIED and self._failures % NEW_ONE_EVERY != 0

    def may_begin(self) -> bool:
        """Whether a crash may be taken from the queue now. A yes while open is for one crash only:
        its end must be told (``failed``, ``succeeded`` or ``unknown``)."""
        with self._lock:
            if not self._failures:
                return True
            now = self._clock()
            if now < self._until or (self._trying and now < self._trial_begun + TRIAL_TIME):
                return False
            self._trying = True
            self._trial_begun = now
            return True

    def failed(self, crash_id: str, reason: str) -> None:
        """A crash ended for a reason that is not its own."""
        with self._lock:
            if len(self._tried) < ENOUGH_TRIED:
                self._tried.add(crash_id)
            if self._failures == 0 or self._trying:
                self._failures += 1
            self._until = self._clock() + self._pauses[min(self._failures, len(self._pauses)) - 1]
            self._trying = False
        self._health.problem("processing", reason)

    def succeeded(self) -> None:
        """A crash was saved: all that is needed is there."""
        with self._lock:
            self._failures = 0
            self._tried.clear()
            self._trying = False
        self._health.resolved("processing")

    def unknown(self) -> None:
        """A crash ended in a way that says nothing of what is there, or there was none to try."""
        with self._lock:
            self._trying = False
