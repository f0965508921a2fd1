"""Types of command line arguments, for argparse: ``type=read_day``, ``type=argument(WholeNumber(1))``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import date
from typing import TypeVar

T = TypeVar("T")


def argument(convert: Callable[[str], T]) -> Callable[[str], T]:
    """An argument that is read as an option of the configuration is."""

    def converted(text: str) -> T:
        try:
            return convert(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} is not {error}") from None

    return converted


def read_day(text: str) -> date:
    """``2016-11-23``"""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date of the form 2016-11-23") from None


def read_days(text: str) -> tuple[date | None, date | None]:
    """The first and the last: ``2016-11-23``, ``2016-11-20..2016-11-23``, ``2016-11-20..``, ``..2016-11-23``."""
    first, dots, last = text.partition("..")
    if not dots:
        return read_day(text), read_day(text)
    if not first and not last:
        raise argparse.ArgumentTypeError(f"{text!r} has neither a first day nor a last one")
    found = (read_day(first) if first else None, read_day(last) if last else None)
    if found[0] and found[1] and found[0] > found[1]:
        raise argparse.ArgumentTypeError(f"{text!r} ends before it begins")
    return found
