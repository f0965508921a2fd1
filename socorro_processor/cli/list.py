"""``socorro list`` shows the newest crashes of the store."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from itertools import islice

from rich.console import Console

from socorro_processor.cli.command import Command
from socorro_processor.cli.search_arguments import utf8
from socorro_processor.cli.standard_error import say
from socorro_processor.configuration import Configuration, WholeNumber, argument
from socorro_processor.crashstorage.newest import CrashSummary
from socorro_processor.layout import Row, table, titles, width_of
from socorro_processor.search.crash_search import CrashSearch
from socorro_processor.untrusted import joined, moment_of, plain, text_of

_DEFAULT_LIMIT = 20
_ROWS_AT_ONCE = 1000
_COLUMN_SHARES = (1.0, 1.0, 0.15, 0.0)
_UTC = re.compile(r"\+00:00$")
_LONGEST_CELL = 500  # characters


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--limit",
        type=argument(WholeNumber(1)),
        default=_DEFAULT_LIMIT,
        metavar="N",
        help=f"how many; default: {_DEFAULT_LIMIT}",
    )
    parser.add_argument(
        "--signature", metavar="TEXT", type=argument(utf8), help="only crashes with exactly this signature"
    )
    parser.add_argument("--product", metavar="NAME", type=argument(utf8), help="only crashes of this product")
    parser.add_argument("--json", action="store_true", help="print a JSON object a line")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    filters = (arguments.signature, arguments.product)
    with closing(CrashSearch(configuration.values)) as search:
        store, crashes = search.newest(arguments.limit, *filters)
        print_crashes = _print_json if arguments.json else _print_table
        if not print_crashes(crashes):
            say(f"there is no {'' if filters == (None, None) else 'such '}crash in {store}")
    return 0


def _print_table(crashes: Iterator[CrashSummary]) -> bool:
    """Print a table piece by piece; return True if there were crashes."""
    console = Console(highlight=False, soft_wrap=True)
    heading = [titles(("crash id", "submitted", "product", "signature"))]
    while rows := list(map(_row, islice(crashes, _ROWS_AT_ONCE))):
        for line in table(heading + rows, _COLUMN_SHARES, width_of(console)):
            console.print(line)
        heading = []
    return not heading


def _print_json(crashes: Iterator[CrashSummary]) -> bool:
    any_crash = False
    for crash in crashes:
        print(json.dumps(asdict(crash)))
        any_crash = True
    return any_crash


def _row(crash: CrashSummary) -> Row:
    fields = asdict(crash)
    product = joined(" ", text_of(fields, "product"), text_of(fields, "version"))
    signature = text_of(fields, "signature") if crash.is_processed else ""
    style = "" if signature else "dim"
    signature = signature or ("(none)" if crash.is_processed else "(not processed)")
    return [
        (plain(crash.crash_id), ""),
        (_UTC.sub("Z", moment_of(fields, "submitted"))[:_LONGEST_CELL], ""),
        (product[:_LONGEST_CELL], ""),
        (signature[:_LONGEST_CELL], style),
    ]


COMMAND = Command(
    name="list",
    summary="List the newest crashes of the store: crash id, time of submission, product, signature.",
    description=(
        "Days come newest first, by the dates in the crash ids; within a day, crashes come in the order in which they "
        "came or were processed, newest first.\n\n"
        "The crashes are those of the destination store or, if that cannot list them, of the source. A bucket cannot: "
        "it has no order by time. With --signature or --product, the search index is asked if it has all crashes; its "
        "order is that of submission. `socorro search` filters by any field."
    ),
    exit_codes={0: "listed, even if there are none", 1: "no store can list its crashes, or it is away"},
    example="socorro list --limit=5 --product=Lightbox",
    run=run,
    add_arguments=add_arguments,
    sections=("source", "destination"),
)
