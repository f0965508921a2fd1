"""Leave crashes in their queue while something that every crash needs is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from socorro_processor.monitoring.circuit_breaker import CircuitBreaker
from socorro_processor.monitoring.health import Health

PAUSES = (1.0, 2.0, 5.0)
"""Seconds without a new crash after the first, second, and every further failed attempt."""

ENOUGH_TRIED = 10
"""If this many different crashes have failed, it is no coincidence: most further trials are made with these."""

NEW_ONE_EVERY = 12
"""The number of trials of which one is made with a new crash: the failures may be a coincidence after all."""

TRIAL_TIME = 300.0
"""Seconds after which a trial without a result is abandoned, so that another may be made."""

TRIALS_WITHOUT_RESULT = 3
"""After this many trials in a row without a result, a check of the parts closes the breaker."""


class OutageBreaker:
    """A circuit breaker that one failure opens, and whose trials are crashes. May be used from any thread.

    A trial may also end without a result: the crash was at fault, or there was none to try.
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
        """The reason of the latest failure while the breaker is open; otherwise empty."""
        return self._circuit.reason

    @property
    def leaves_new_crashes(self) -> bool:
        """True if the next trial should be made with a crash that has failed already, if there is any.

        Otherwise the waiting ones would be tried one after the other, and delayed, as long as the outage lasts.
        """
        with self._condition:
            return len(self._tried) >= ENOUGH_TRIED and self._circuit.pauses % NEW_ONE_EVERY != 0

    def may_begin(self) -> bool:
        """Return True if a crash may be taken from the queue now. While the breaker is open, that begins a trial.

        The caller then calls ``tries`` and later ``failed``, ``succeeded`` or ``ended_without_result``; or, without a
        crash, ``tries_none``.
        """
        with self._condition:
            may = self._circuit.may_try()
            if may and self._circuit.is_open:
                self._trial = ""
            return may

    def tries(self, crash_id: str) -> None:
        """Note that this crash begins; it is the trial if one was allowed."""
        with self._condition:
            if self._trial == "":
                self._trial = crash_id

    def tries_none(self) -> None:
        """Note that there was no crash to try."""
        with self._condition:
            if self._trial == "":
                self._end_trial()

    def failed(self, crash_id: str, reason: str) -> None:
        """Note a transient failure."""
        with self._condition:
            if len(self._tried) < ENOUGH_TRIED:
                self._tried.add(crash_id)
            is_trial = self._trial == crash_id
            self._circuit.note_failure(reason, of_trial=is_trial)
            if is_trial:
                self._trial = None
            self._without_result = 0
        self._health.add_problem("processing", reason)

    def succeeded(self) -> None:
        """Note that a crash was saved: everything that crashes need is there."""
        with self._condition:
            self._circuit.note_success()
            self._tried.clear()
            self._trial = None
            self._changed()
        self._health.resolve("processing")

    def ended_without_result(self, crash_id: str) -> None:
        """Note that a crash ended in a way that does not tell whether anything is away."""
        with self._condition:
            if self._trial == crash_id:
                self._end_trial()
                self._without_result += 1
                self._changed()

    def parts_are_usable(self, since: float) -> None:
        """Note that a check of all parts, which began at ``since`` by the clock, found them usable.

        A saved crash proves more. But the waiting ids may be junk that proves nothing, and if none wait, a fault that
        is over would be reported until a crash comes.
        """
        with self._condition:
            too_early = since < self._circuit.paused_until + self._longest_pause
            if not self._circuit.pauses or too_early or (self._trial and self._circuit.is_at_a_trial):
                return
            if self._without_result >= TRIALS_WITHOUT_RESULT:
                self._circuit.let_all_try()
                self._changed()
        self._health.resolve("processing")

    def wait(self, seconds: float) -> None:
        """Wait until ``may_begin`` may have changed, but at most ``seconds``."""
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
