"""Converters for the texts of options: ``from_string_converter=WholeNumber(1, 1000)``."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
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
    """Reads a number of seconds, not infinite. Raises ValueError."""

    minimum: float = 0.0
    above: bool = False
    """True if the number must be greater than ``minimum``."""

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


@dataclass(frozen=True)
class OneOf:
    """Reads one of a few words. Raises ValueError."""

    words: tuple[str, ...]
    fold: Callable[[str], str] = str
    """A function that is applied to the text first: with ``str.lower``, capitals are accepted too."""

    def __call__(self, text: str) -> str:
        if (word := self.fold(text)) not in self.words:
            raise ValueError(str(self))
        return word

    def __str__(self) -> str:
        return f"one of {', '.join(self.words)}"


def names(text: str) -> frozenset[str]:
    """Read comma-separated names."""
    return frozenset(name.strip() for name in text.split(",") if name.strip())


def names_or_paths(text: str) -> tuple[str, ...]:
    """Read names or paths, separated by commas or colons."""
    return tuple(each.strip() for each in re.split(f"[,{os.pathsep}]", text) if each.strip())


def share(text: str) -> float:
    """Read a share of a whole, from 0 to 1. Raises ValueError."""
    if not 0 <= float(text) <= 1:
        raise ValueError("a number from 0 to 1")
    return float(text)


def size_or_auto(text: str) -> int | None:
    """Read a number of bytes; None for ``auto``. Raises ValueError."""
    return None if text.strip().lower() in ("", "auto") else size(text)


def size(text: str) -> int:
    """Read a number of bytes, which may end with k, M or G. Raises ValueError."""
    match = re.fullmatch(r"\s*(\d+)\s*([kmg]?)\s*", text, re.ASCII | re.IGNORECASE)
    if match is None or int(match[1]) == 0:
        raise ValueError("a size above 0 was expected, such as 500M or 4G")
    return int(match[1]) * _SIZE_UNITS[match[2].lower()]
