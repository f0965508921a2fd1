"""How long a crash waits until it is tried again: an option of every queue."""

from __future__ import annotations

LONGEST_DELAY = 60.0


def parse_delays(text: str) -> tuple[float, ...]:
    """Read delays like ``1, 5, 15``: seconds, growing, at most 60. Raises ValueError."""
    try:
        delays = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"retry_delays {text!r}: seconds with commas between are expected, e.g. '1, 5, 15'") from None
    if list(delays) != sorted(delays) or not 0 < delays[0] <= delays[-1] <= LONGEST_DELAY:
        raise ValueError(f"retry_delays {text!r}: each must be at least the one before, over 0 and up to 60 s")
    return delays
