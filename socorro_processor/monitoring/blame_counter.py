"""Count crashes that succeed: if enough do between two failures of another crash, that crash is to blame."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

OTHERS = 20
"""The number of other crashes that must succeed between two failures of a crash to show that it is at fault."""


class BlameCounter:
    """Remembers the latest OTHERS successes. For one thread at a time.

    ``clock``: in seconds; all processes and hosts whose crashes are counted must share it.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._times: deque[float] = deque(maxlen=OTHERS)

    def note_success(self, count: int = 1) -> None:
        """Note that ``count`` other crashes succeeded just now."""
        self._times.extend([self._clock()] * min(count, OTHERS))

    def others_since(self, moment: float) -> int:
        """Return the number of successes after this moment of the clock, at most OTHERS."""
        return sum(time > moment for time in self._times)
