"""Others went well meanwhile, so it is this crash's fault: the count that this is judged by."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

OTHERS = 20
"""So many others that went well between two failures of a crash show that the crash is at fault."""


class BlameCounter:
    """Counts others that went well, the latest OTHERS of them. For one thread at a time.

    ``clock``: in seconds; where others are counted from another process or host, comparable between them.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._times: deque[float] = deque(maxlen=OTHERS)

    def went_well(self, count: int = 1) -> None:
        """Note that so many others went well just now."""
        self._times.extend([self._clock()] * min(count, OTHERS))

    def others_since(self, moment: float) -> int:
        """Return how many went well after this moment of the clock, up to OTHERS."""
        return sum(time > moment for time in self._times)
