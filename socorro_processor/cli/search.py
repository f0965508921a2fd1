"""``socorro search`` finds crashes by any field; ``socorro search index`` builds the index that it asks."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from rich.console import Console

from socorro_processor.cli import search_index
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
from socorro_processor.fields.searchable import DATE
from socorro_processor.layout import Row, counted, print_table, table, titles, width_of
from socorro_processor.search.base import MAXIMUM_PAGE, CrashIndex, Sort
from socorro_processor.search.crash_search import CrashSearch
from socorro_processor.search.days import filters_of_days
from socorro_processor.search.filters import Filter
from socorro_processor.search.results import Facet, FoundCrash
from socorro_processor.search.value_text import value_text
from socorro_processor.untrusted import plain

_DEFAULT_LIMIT = 20
_MOST = 1_000_000
_FACET_SIZE = 20
_LONGEST_CELL = 500  # characters
_SHOWN = (DATE, "product", "version", "signature")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_filter_arguments(parser)
    add_date(parser, "all days")
    add_limit(parser, _DEFAULT_LIMIT, _MOST)
    parser.add_argument(
        "--fields", metavar="NAMES", help=f"fields to show, with commas between; default: {', '.join(_SHOWN)}"
    )
    parser.add_argument("--sort", default=f"-{DATE}", metavar="FIELD", help="sort by it; -FIELD: the greatest first")
    parser.add_argument("--facet", action="append", default=[], metavar="FIELD", help="count its values instead")
    parser.add_argument("--count", action="store_true", help="print only the number of crashes")
    parser.add_argument("--list-fields", action="store_true", help="list the fields that can be searched")
    parser.add_argument("--json", action="store_true", help="print a JSON object a line")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    filters = (*filters_of_arguments(arguments), *filters_of_days(arguments.date))
    with closing(CrashSearch(configuration.values)) as search:
        index = search.index()
        if arguments.list_fields:
            _print_fields(index, as_objects=arguments.json)
            return 0
        tell_state(index)
        if arguments.count:
            number = index.count(filters, protected=arguments.protected)
            print(json.dumps({"crashes": number}) if arguments.json else number)
        elif arguments.facet:
            for facet in index.facets(arguments.facet, filters, size=_FACET_SIZE, protected=arguments.protected):
                _print_facet(facet, as_objects=arguments.json)
        else:
            _print_crashes(index, filters, arguments)
    return 0


def _print_crashes(index: CrashIndex, filters: Sequence[Filter], arguments: argparse.Namespace) -> None:
    fields = tuple(filter(None, (arguments.fields or ",".join(_SHOWN)).split(",")))
    console = Console(highlight=False, soft_wrap=True)
    # The last field takes what is left of the width.
    shares = (1.0, *(0.2 for _ in fields[:-1]), 0.0) if fields else (0.0,)
    heading = [titles(("crash id", *fields))]
    for crashes in _pages(index, filters, arguments, fields):
        if arguments.json:
            for crash in crashes:
                print(json.dumps({"crash_id": crash.crash_id, **crash.fields}, default=as_json))
            heading = []
            continue
        rows = [_row(crash, fields) for crash in crashes]
        for line in table(heading + rows, shares, width_of(console)):
            console.print(line)
        heading = []
    if heading:
        say("no crash was found")


def _pages(
    index: CrashIndex, filters: Sequence[Filter], arguments: argparse.Namespace, fields: Sequence[str]
) -> Iterator[tuple[FoundCrash, ...]]:
    name = arguments.sort.removeprefix("-")
    sort = Sort(name, arguments.sort.startswith("-"))
    left, after = arguments.limit, None
    while left:
        page = index.find(
            filters,
            fields=fields,
            sort=sort,
            limit=min(left, MAXIMUM_PAGE),
            after=after,
            protected=arguments.protected,
        )
        if page.crashes:
            yield page.crashes
        if (after := page.next) is None:
            return
        left -= len(page.crashes)


def _row(crash: FoundCrash, fields: Sequence[str]) -> Row:
    return [(crash.crash_id, ""), *((_cell(crash.fields.get(name)), "") for name in fields)]


def _cell(value: Any) -> str:
    return plain(value_text(value)[:_LONGEST_CELL])


def _print_facet(facet: Facet, *, as_objects: bool) -> None:
    if as_objects:
        for each in facet.values:
            row = {"value": each.value, "crashes": each.crashes, "installations": each.installations}
            print(json.dumps({"field": facet.field, **row}, default=as_json))
        print(json.dumps({"field": facet.field, "value": None, "crashes": facet.missing}))
        return
    rows: list[Row] = [
        [(str(each.crashes), ""), (str(each.installations or ""), ""), (_cell(each.value), "")] for each in facet.values
    ]
    if facet.missing:
        rows.append([(str(facet.missing), "dim"), ("", ""), ("(none)", "dim")])
    print_table(("crashes", "installations", facet.field), rows, (0.2, 0.2, 0.0))


def _print_fields(index: CrashIndex, *, as_objects: bool) -> None:
    fields = sorted(index.fields().items())
    if as_objects:
        for name, each in fields:
            print(json.dumps({"field": name, "type": each.field.type, "access": each.field.access}))
        return
    rows: list[Row] = [
        [(name, ""), (each.field.type, ""), (each.field.access, ""), (plain(each.field.doc), "")]
        for name, each in fields
    ]
    print_table(("field", "type", "access", "holds"), rows, (0.4, 0.1, 0.1, 0.0))
    say(counted(len(fields), "field"))


COMMAND = Command(
    name="search",
    summary="Find crashes by any field, the newest first; or, with `index`, build the index that is asked.",
    description=FORMS,
    exit_codes={
        0: "searched, even if nothing was found",
        1: "the index cannot be read",
        2: "wrong arguments or configuration; there is no such field, or no index",
    },
    example=(
        "socorro search product=Lightbox 'signature~render' --date=2026-11-01..\n"
        "socorro search 'frame~Thumbnail' 'uptime<60' --facet=version --facet=os_name\n"
        "socorro search 'version!=2.3' email? --protected --fields=email --json\n"
        "socorro search index"
    ),
    run=run,
    add_arguments=add_arguments,
    sections=("destination",),
    subcommands={"index": search_index.COMMAND},
    takes_words=True,
)
