"""Count events by minute, for the last hour: the crashes that were taken, processed and so on.

rates = MinuteRates()
METRICS.add_sink(rates)
rates.counts()["taken"]     # 60 numbers, the oldest first; the last is the minute that has begun
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from socorro_processor.monitoring.metrics import Labels

MINUTES = 60

EVENTS: Mapping[str, str] = {
    "collector.accepted": "taken",
    "crash.saved": "processed",
    "crash.parked": "failed",
    "crash.rejected": "failed",
    "collector.refused": "refused",
}
"""The counters that are counted, each with the event that it stands for."""


class MinuteRates:
    """A sink of metrics. The metrics of the processor beside the server come to it, too."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._minute = self._began = self._now()
        self._counts = {event: [0] * MINUTES for event in EVENTS.values()}

    def increment(self, name: str, value: int, labels: Labels) -> None:
        if (event := EVENTS.get(name)) is not None:
            with self._lock:
                self._go_on()
                self._counts[event][-1] += value

    def gauge(self, name: str, value: float, labels: Labels) -> None: ...

    def duration(self, name: str, seconds: float, labels: Labels) -> None: ...

    def counts(self) -> dict[str, tuple[int, ...]]:
        """Return the numbers of each event in the last MINUTES, the oldest first."""
        with self._lock:
            self._go_on()
            return {event: tuple(counts) for event, counts in self._counts.items()}

    @property
    def age(self) -> int:
        """The number of minutes that have been counted, the present one among them; at most MINUTES."""
        return min(self._now() - self._began + 1, MINUTES)

    def _now(self) -> int:
        return int(self._clock() // 60)

    def _go_on(self) -> None:
        """Begin a new minute if it is time; a clock that is set back changes nothing."""
        passed = min(self._now() - self._minute, MINUTES)
        if passed > 0:
            self._minute = self._now()
            for counts in self._counts.values():
                counts[:] = counts[passed:] + [0] * passed
