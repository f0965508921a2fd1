"""Options that are numbers within limits: ``from_string_converter=WholeNumber(1, 1000)``."""

from __future__ import annotations

import math
from dataclasses import dataclass


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
