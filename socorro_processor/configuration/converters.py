"""From the text of a value to the value: raises ValueError with what was expected."""

from __future__ import annotations

import math
from contextlib import suppress


def parse_seconds(text: str) -> float:
    """Read a time. Raises ValueError where it is no number above 0."""
    with suppress(ValueError):
        if 0 < float(text) < math.inf:
            return float(text)
    raise ValueError("a number of seconds above 0 was expected")


def parse_count(text: str) -> int:
    """Read a number of things. Raises ValueError where it is no whole number above 0."""
    with suppress(ValueError):
        if int(text) > 0:
            return int(text)
    raise ValueError("a whole number above 0 was expected")
