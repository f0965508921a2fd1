"""A breaker: while something that every crash needs is away, crashes are left in their queue."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from socorro_processor.monitoring.health import Health

PAUSES = (1.0, 2.0, 5.0)
"""Seconds without a new crash after the first, second, and every further failed attempt."""


ENOUGH_TRIED = 10
"""So many different crashes that failed are no coincidence: further trials are made with these, most of the time."""

NEW_ONE_EVERY = 12
"""Trials: it may be a coincidence after all, and a crash that is new would end it."""

TRIAL_TIME = 300.0
"""Seconds after which a trial that has told nothing is given up, so that another may be made."""


HOPELESS_TRIALS = 3
"""Trials without a word on what was away, after which a look at the parts themselves counts."""


class Breaker:
    """Closed, every crash may begin. Opened by a failure, none may for a pause; then one at a time
    may try, until one succeeds. May be used from any thread."""

    def __init__(
        self, health: Health, clock: Callable[[], float] = time.monotonic, pauses: Sequence[float] = PAUSES
    ) -> None:
        self._health = health
        self._pauses = pauses
        self._clock = clock
        self._condition = threading.Condition()
        self._changes = 0
        self._failures = 0
        self._reason = ""
        self._tried: set[str] = set()
        self._until = 0.0
        self._trial: str | None = None
        self._trial_begun = 0.0
        self._without_a_word = 0
        self._looks_well = False

    @property
    def is_open(self) -> bool:
        return self._failures > 0 and not self._looks_well

    @property
    def reason(self) -> str:
        """Of the latest failure, while open; else empty."""
        with self._condition:
            return self._reason if self.is_open else ""

    @property
    def leaves_new_crashes(self) -> bool:
        """Whether the next trial is one for a crash that has failed already, if there is any.

        Else those that wait would be tried one after the other, and be delayed, as long as the outage lasts.
        """
        with self._condition:
            return len(self._tried) >= ENOUGH_TRIED and self._failures % NEW_ONE_EVERY != 0

    def may_begin(self) -> bool:
        """Return True where a crash may be taken from the queue now. While open that is one for a trial.

        Its end must be told: ``tries`` and then ``failed``, ``succeeded`` or ``unknown``, or else ``tries_none``.
        """
        with self._condition:
            if not self._failures or self._looks_well:
                return True
            now = self._clock()
            if now < self._until or (self._trial is not None and now < self._trial_begun + TRIAL_TIME):
                return False
            self._trial = ""
            self._trial_begun = now
            return True

    def tries(self, crash_id: str) -> None:
        """This crash begins; a trial, where one was allowed."""
        with self._condition:
            if self._trial == "":
                self._trial = crash_id

    def tries_none(self) -> None:
        """There was no crash to try."""
        with self._condition:
            if self._trial == "":
                self._trial = None

    def failed(self, crash_id: str, reason: str) -> None:
        """A crash ended for a reason that is not its own."""
        with self._condition:
            if len(self._tried) < ENOUGH_TRIED:
                self._tried.add(crash_id)
            if self._failures == 0 or self._trial == crash_id or self._looks_well:
                self._failures += 1
            self._reason = reason
            self._until = self._clock() + self._pauses[min(self._failures, len(self._pauses)) - 1]
            if self._trial == crash_id:
                self._trial = None
            self._without_a_word = 0
            self._looks_well = False
        self._health.problem("processing", reason)

    def succeeded(self) -> None:
        """A crash was saved: all that is needed is there."""
        with self._condition:
            self._failures = 0
            self._tried.clear()
            self._trial = None
            self._looks_well = False
            self._changed()
        self._health.resolved("processing")

    def unknown(self, crash_id: str) -> None:
        """A crash ended in a way that says nothing of what is there."""
        with self._condition:
            if self._trial == crash_id:
                self._trial = None
                self._without_a_word += 1
                self._changed()

    def looked_well(self, begun: float) -> None:
        """All parts look well, by a look that began at ``begun`` (of the clock).

        A crash that is saved says more. But what waits may be junk that tells nothing, and where nothing waits a fault
        that is over would be named until something comes.
        """
        with self._condition:
            if not self._failures or begun < self._until + self._pauses[-1] or self._is_at_a_trial():
                return
            if self._without_a_word >= HOPELESS_TRIALS:
                self._looks_well = True
                self._changed()
        self._health.resolved("processing")

    def wait(self, seconds: float) -> None:
        """Until it may be otherwise, but no longer than this."""
        with self._condition:
            seen = self._changes
            self._condition.wait_for(lambda: self._changes != seen, seconds)

    def wake(self) -> None:
        """End a ``wait``."""
        with self._condition:
            self._changed()

    def _is_at_a_trial(self) -> bool:
        return bool(self._trial) and self._clock() < self._trial_begun + TRIAL_TIME

    def _changed(self) -> None:
        self._changes += 1
        self._condition.notify_all()
