"""The arguments and notes that commands which ask the search index share."""

from __future__ import annotations

import argparse
from datetime import date
from typing import Any

from socorro_processor.cli.standard_error import say
from socorro_processor.configuration import WholeNumber, argument, read_days
from socorro_processor.layout import counted
from socorro_processor.search.base import CrashIndex
from socorro_processor.search.filters import Filter, read_filters

FORMS = (
    "A filter is FIELD=VALUE, or has ~ (contains), ^ (begins with), <, <=, >, >= or ? (has a value) in place of =; ! "
    "before the sign is the opposite. Filters must all be true; with the same field and =, ~ or ^ they are "
    "alternatives. frame and module search the stack that crashed."
)


def add_filter_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "filters", nargs="*", metavar="FILTER", type=argument(utf8), help="what must be true of a crash: product=NAME"
    )
    parser.add_argument(
        "--protected", action="store_true", help="let filters and --fields name protected fields, such as email"
    )


def add_limit(parser: argparse.ArgumentParser, default: int, maximum: int) -> None:
    parser.add_argument(
        "--limit",
        type=argument(WholeNumber(1, maximum)),
        default=default,
        metavar="N",
        help=f"how many; default: {default}",
    )


def add_date(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--date",
        type=read_days,
        default=(None, None),
        metavar="DAYS",
        help=f"a day (UTC), or FIRST..LAST, of submission; default: {default}",
    )


def filters_of_arguments(arguments: argparse.Namespace) -> tuple[Filter, ...]:
    """Return the filters, without those of ``--date``. Raises QueryError."""
    return read_filters(arguments.filters)


def tell_state(index: CrashIndex) -> None:
    """Tell on standard error what the index lacks."""
    state = index.state()
    if state.problem:
        say(state.problem)
    if state.waiting:
        say(f"{counted(state.waiting, 'crash waits', 'crashes wait')} to be written into the {state.place}")


def utf8(text: str) -> str:
    """Return the text. Raises ValueError if its bytes were not UTF-8: no store takes that."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("text in UTF-8") from None
    return text


def as_json(value: Any) -> Any:
    """Return what ``json`` cannot write as it stands: dates, as text."""
    return value.isoformat() if isinstance(value, date) else str(value)
