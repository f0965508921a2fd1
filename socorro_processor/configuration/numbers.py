"""Options that are numbers within limits: ``from_string_converter=WholeNumber(1, 1000)``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_SIZE_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@dataclass(frozen=True)
class WholeNumber:
    """Reads a whole number; the limits are included. Raises ValueError."""

    minimum: int
    maximum: int | None = None

    def __call__(self, text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise ValueError(str(self)) from None
        if number < self.minimum or (self.maximum is not None and number > self.maximum):
            raise ValueError(str(self))
        return number

    def __str__(self) -> str:
        limits = f"of at least {self.minimum}" if self.maximum is None else f"from {self.minimum} to {self.maximum}"
        return f"a whole number {limits}"


@dataclass(frozen=True)
class Seconds:
    """Reads a time that ends. Raises ValueError."""

    minimum: float = 0.0
    above: bool = False
    """Whether it must be more than ``minimum``."""

    def __call__(self, text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            raise ValueError(str(self)) from None
        if not self.minimum <= number < math.inf or (self.above and number == self.minimum):
            raise ValueError(str(self))
        return number

    def __str__(self) -> str:
        return f"a number of seconds, {'more than' if self.above else 'at least'} {self.minimum:g}"


def size_or_auto(text: str) -> int | None:
    """Bytes, or None for ``auto``. Raises ValueError."""
    return None if text.strip().lower() in ("", "auto") else size(text)


def size(text: str) -> int:
    """Bytes, of a number with k, M or G behind it. Raises ValueError."""
    match = re.fullmatch(r"\s*(\d+)\s*([kmg]?)\s*", text, re.ASCII | re.IGNORECASE)
    if match is None or int(match[1]) == 0:
        raise ValueError("a size above 0 was expected, such as 500M or 4G")
    return int(match[1]) * _SIZE_UNITS[match[2].lower()]
