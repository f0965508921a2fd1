"""What is read from the command line of several jobs."""

from __future__ import annotations

import argparse
from datetime import date

from socorro_processor.configuration import WholeNumber


def read_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date of the form 2016-11-23") from None


def read_number(text: str) -> int:
    try:
        return WholeNumber(1)(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not {error}") from None
