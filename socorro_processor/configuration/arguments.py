"""Types of command line arguments, for argparse: ``type=read_day``, ``type=argument(WholeNumber(1))``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import date
from typing import TypeVar

T = TypeVar("T")


def argument(convert: Callable[[str], T]) -> Callable[[str], T]:
    """Return a type for argparse that reads an argument as the configuration reads an option."""

    def read(text: str) -> T:
        try:
            return convert(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} is not {error}") from None

    return read


def read_day(text: str) -> date:
    """Read a day: ``2016-11-23``."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2016-11-23") from None


def read_days(text: str) -> tuple[date | None, date | None]:
    """Read the first and last of ``2016-11-23``, ``2016-11-20..2016-11-23``, ``2016-11-20..`` or ``..2016-11-23``."""
    first, dots, last = text.partition("..")
    if not dots:
        return read_day(text), read_day(text)
    if not first and not last:
        raise argparse.ArgumentTypeError(f"{text!r} has neither a first day nor a last one")
    first_day, last_day = read_day(first) if first else None, read_day(last) if last else None
    if first_day and last_day and first_day > last_day:
        raise argparse.ArgumentTypeError(f"{text!r} ends before it begins")
    return first_day, last_day
