"""``socorro top`` lists the signatures that crash most."""

from __future__ import annotations

import argparse
import json
from contextlib import closing
from dataclasses import asdict

from socorro_processor.cli.command import Command
from socorro_processor.cli.search_arguments import (
    FORMS,
    add_date,
    add_filter_arguments,
    add_limit,
    as_json,
    filters_of_arguments,
    tell_state,
)
from socorro_processor.cli.standard_error import say
from socorro_processor.configuration import Configuration
from socorro_processor.crash_id import today
from socorro_processor.layout import Row, counted, print_table
from socorro_processor.search.base import MAXIMUM_TOP
from socorro_processor.search.crash_search import CrashSearch
from socorro_processor.search.days import closed_days
from socorro_processor.search.results import Top, TopSignature
from socorro_processor.untrusted import plain

_DEFAULT_LIMIT = 20
_DEFAULT_DAYS = 7
_LONGEST_CELL = 500  # characters
_SYSTEMS = 3
_SHARES = (0.1, 0.1, 0.1, 0.1, 0.1, 0.15, 0.25, 0.0)
_TITLES = ("rank", "before", "crashes", "share", "installations", "first seen", "systems", "signature")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_filter_arguments(parser)
    add_date(parser, f"the last {_DEFAULT_DAYS} days")
    add_limit(parser, _DEFAULT_LIMIT, MAXIMUM_TOP)
    parser.add_argument("--json", action="store_true", help="print a JSON object a line")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    filters = filters_of_arguments(arguments)
    days = closed_days(arguments.date, today(), _DEFAULT_DAYS)
    with closing(CrashSearch(configuration.values)) as search:
        index = search.index()
        tell_state(index)
        top = index.top(*days, filters, limit=arguments.limit, protected=arguments.protected)
    if arguments.json:
        for each in top.signatures:
            print(json.dumps(asdict(each), default=as_json))
    elif top.signatures:
        print_table(_TITLES, list(map(_row, top.signatures)), _SHARES)
    say(_words(top))
    return 0


def _row(each: TopSignature) -> Row:
    change = "new" if each.rank_before is None else str(each.rank_before)
    systems = ", ".join(
        f"{system or '(none)'} {crashes / each.crashes:.0%}"
        for system, crashes in list(each.systems.items())[:_SYSTEMS]
    )
    return [
        (str(each.rank), ""),
        (change, "yellow" if each.rank_before is None else ""),
        (str(each.crashes), ""),
        (f"{each.share:.1%}", ""),
        (str(each.installations or ""), ""),
        (f"{each.first_seen:%Y-%m-%d}" if each.first_seen else "", ""),
        (plain(systems[:_LONGEST_CELL]), ""),
        (plain((each.signature or "(none)")[:_LONGEST_CELL]), "" if each.signature else "dim"),
    ]


def _words(top: Top) -> str:
    days = f"on {top.last_day}" if top.first_day == top.last_day else f"from {top.first_day} to {top.last_day}"
    if not top.crashes:
        return f"there was no such crash {days}"
    crashes = counted(top.crashes, "crash", "crashes")
    return f"{crashes} with {counted(top.count, 'signature')} {days}; {top.crashes_before} in as many days before"


COMMAND = Command(
    name="top",
    summary="List the signatures that crash most, each with its rank in as many days before.",
    description=FORMS,
    exit_codes={
        0: "listed, even if there are none",
        1: "the index cannot be read",
        2: "wrong arguments or configuration; there is no such field, or no index",
    },
    example=(
        "socorro top product=Lightbox version=2.3 --date=2026-11-01..2026-11-30\n"
        "socorro top release_channel=release 'os_name^Windows' --limit=50 --json"
    ),
    run=run,
    add_arguments=add_arguments,
    sections=("destination",),
)
