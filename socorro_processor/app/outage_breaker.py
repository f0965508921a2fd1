"""While something that every crash needs is away, crashes are left in their queue."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from socorro_processor.monitoring.circuit_breaker import CircuitBreaker
from socorro_processor.monitoring.health import Health

PAUSES = (1.0, 2.0, 5.0)
"""Seconds without a new crash after the first, second, and every further failed attempt."""

ENOUGH_TRIED = 10
"""So many different crashes that failed are no coincidence: further trials are made with these, most of the time."""

NEW_ONE_EVERY = 12
"""Trials: it may be a coincidence after all, and a crash that is new would end it."""

TRIAL_TIME = 300.0
"""Seconds after which a trial without a result is given up, so that another may be made."""

TRIALS_WITHOUT_RESULT = 3
"""So many trials in a row without a result: after them a look at the parts themselves counts."""


class OutageBreaker:
    """A circuit breaker that one failure opens, and whose trials are crashes. May be used from any thread.

    Beside success and failure a trial may end without a result: the crash was at fault, or there was none to try.
    """

    def __init__(
        self, health: Health, clock: Callable[[], float] = time.monotonic, pauses: Sequence[float] = PAUSES
    ) -> None:
        self._health = health
        self._longest_pause = pauses[-1]
        self._circuit = CircuitBreaker(pauses, trial_time=TRIAL_TIME, clock=clock)
        self._condition = threading.Condition()
        self._changes = 0
        self._tried: set[str] = set()
        self._trial: str | None = None
        self._without_result = 0

    @property
    def is_open(self) -> bool:
        return self._circuit.is_open

    @property
    def reason(self) -> str:
        """The reason of the latest failure, while it is open; else empty."""
        return self._circuit.reason

    @property
    def leaves_new_crashes(self) -> bool:
        """True if the next trial is one for a crash that has failed already, if there is any.

        Else those that wait would be tried one after the other, and be delayed, as long as the outage lasts.
        """
        with self._condition:
            return len(self._tried) >= ENOUGH_TRIED and self._circuit.pauses % NEW_ONE_EVERY != 0

    def may_begin(self) -> bool:
        """Return True where a crash may be taken from the queue now. While it is open that begins a trial.

        The caller goes on with ``tries`` and then ``failed``, ``succeeded`` or ``ended_without_result``, or else with
        ``tries_none``.
        """
        with self._condition:
            may = self._circuit.may_try()
            if may and self._circuit.is_open:
                self._trial = ""
            return may

    def tries(self, crash_id: str) -> None:
        """Note that this crash begins; it is the trial, where one was allowed."""
        with self._condition:
            if self._trial == "":
                self._trial = crash_id

    def tries_none(self) -> None:
        """Note that there was no crash to try."""
        with self._condition:
            if self._trial == "":
                self._end_trial()

    def failed(self, crash_id: str, reason: str) -> None:
        """Note that a crash ended for a reason that is not its own."""
        with self._condition:
            if len(self._tried) < ENOUGH_TRIED:
                self._tried.add(crash_id)
            is_trial = self._trial == crash_id
            self._circuit.failed(reason, of_trial=is_trial)
            if is_trial:
                self._trial = None
            self._without_result = 0
        self._health.problem("processing", reason)

    def succeeded(self) -> None:
        """Note that a crash was saved: all that is needed is there."""
        with self._condition:
            self._circuit.succeeded()
            self._tried.clear()
            self._trial = None
            self._changed()
        self._health.resolved("processing")

    def ended_without_result(self, crash_id: str) -> None:
        """Note that a crash ended in a way that says nothing about what is there."""
        with self._condition:
            if self._trial == crash_id:
                self._end_trial()
                self._without_result += 1
                self._changed()

    def looked_well(self, begun: float) -> None:
        """Note that all parts looked well, in a look that began at ``begun`` (of the clock).

        A crash that is saved says more. But what waits may be junk that tells nothing, and where nothing waits a fault
        that is over would be named until something comes.
        """
        with self._condition:
            too_early = begun < self._circuit.paused_until + self._longest_pause
            if not self._circuit.pauses or too_early or (self._trial and self._circuit.is_at_a_trial):
                return
            if self._without_result >= TRIALS_WITHOUT_RESULT:
                self._circuit.let_all_try()
                self._changed()
        self._health.resolved("processing")

    def wait(self, seconds: float) -> None:
        """Wait until it may be otherwise, but no longer than this."""
        with self._condition:
            seen = self._changes
            self._condition.wait_for(lambda: self._changes != seen, seconds)

    def wake(self) -> None:
        """End a ``wait``."""
        with self._condition:
            self._changed()

    def _end_trial(self) -> None:
        self._trial = None
        self._circuit.end_trial()

    def _changed(self) -> None:
        self._changes += 1
        self._condition.notify_all()
