"""A circuit breaker: a part that is away is left alone for a while; then one trial shows whether it is back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence


class CircuitBreaker:
    """While the breaker is closed, everyone may try. Failures in a row open it: then there is a pause, and after it
    one trial at a time, until one succeeds. May be used from any thread.
    """

    def __init__(
        self,
        pauses: Sequence[float],
        *,
        failures: int = 1,
        trial_time: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``pauses``: seconds after it opens, and after each failed trial; later pauses are as long as the last one.
        ``trial_time``: seconds until a trial without a result makes room for another (None: as long as the pause before
        it). ``failures``: the number of failures in a row that opens it."""
        self._all_pauses = pauses
        self._failures_to_open = failures
        self._trial_time = trial_time
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._pauses = 0
        self._paused_until = 0.0
        self._trial_until = 0.0
        self._all_may_try = False
        self._reason = ""

    @property
    def pauses(self) -> int:
        """The number of pauses since the breaker was last closed."""
        return self._pauses

    @property
    def paused_until(self) -> float:
        """The end of the latest pause, by the clock."""
        return self._paused_until

    @property
    def is_open(self) -> bool:
        return self._pauses > 0 and not self._all_may_try

    @property
    def reason(self) -> str:
        """The reason for the latest failure while the breaker is open; otherwise empty."""
        return self._reason if self.is_open else ""

    @property
    def may_try_now(self) -> bool:
        """True if ``may_try`` would return True."""
        return not self.is_open or self._clock() >= max(self._paused_until, self._trial_until)

    @property
    def is_at_a_trial(self) -> bool:
        return self._clock() < self._trial_until

    def may_try(self) -> bool:
        """Return True if the caller may try now. While the breaker is open, that begins a trial."""
        with self._lock:
            if not self.may_try_now:
                return False
            if self.is_open:
                self._trial_until = self._clock() + (self._trial_time or self._pause())
            return True

    def note_success(self) -> bool:
        """Close the breaker; return True if it was open."""
        with self._lock:
            was_open = self._pauses > 0
            self._failures = self._pauses = 0
            self._paused_until = self._trial_until = 0.0
            self._all_may_try = False
            return was_open

    def note_failure(self, reason: str, *, of_trial: bool = True) -> float:
        """Count a failure. Return the seconds of the pause if this opens the breaker, otherwise 0.

        ``of_trial``: False if the failed try is known to have begun before the current trial. Such a failure starts the
        pause again, but does not make it longer.
        """
        with self._lock:
            self._failures += 1
            self._reason = reason
            ends_trial = of_trial and self._trial_until > 0
            is_enough = self._failures >= self._failures_to_open
            opens = (ends_trial or self._all_may_try) if self._pauses else is_enough
            if ends_trial:
                self._trial_until = 0.0
            self._all_may_try = False
            self._pauses += opens
            if self._pauses:
                self._paused_until = self._clock() + self._pause()
            return self._pause() if opens else 0.0

    def end_trial(self) -> None:
        """End the trial without a result, so that another may begin."""
        with self._lock:
            self._trial_until = 0.0

    def let_all_try(self) -> None:
        """Let everyone try, although no trial has succeeded. A failure opens the breaker again, with the next pause."""
        with self._lock:
            self._all_may_try = True

    def _pause(self) -> float:
        return self._all_pauses[min(self._pauses, len(self._all_pauses)) - 1]
