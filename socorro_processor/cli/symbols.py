"""``socorro symbols`` lists the symbols that crashes missed, adds and fetches symbols, and manages their cache."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from dataclasses import replace

from socorro_processor.cli import symbol_cache, symbol_files, symbol_indexes, symbol_store
from socorro_processor.cli.command import Command, family
from socorro_processor.configuration import Configuration, read_day
from socorro_processor.crashstorage.missed_symbols import MissedModule, missing_symbols_source, most_missed
from socorro_processor.errors import ConfigurationError
from socorro_processor.layout import print_table
from socorro_processor.untrusted import plain

_COLUMNS = (*MissedModule._fields, "crashes")
_COLUMN_SHARES = (0.1, 0.0, 0.4, 0.2, 0.2)


def _add_missing_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--since", metavar="DATE", type=read_day, help="only crashes submitted on this day or later: 2016-11-23"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print a JSON list of objects")
    form.add_argument("--csv", action="store_true", help="print CSV, with a line of headings")


def _missing(arguments: argparse.Namespace, configuration: Configuration) -> int:
    source = missing_symbols_source(configuration.values.destination)
    if source is None:
        raise ConfigurationError(
            "no store of the destination can list missing symbols;"
            " FileSystemCrashStorage and PostgreSQLCrashStorage can"
        )
    try:
        missed = most_missed(source.missing_symbols(arguments.since))
    finally:
        source.close()
    rows = [(*file, crashes) for file, crashes in missed]
    if arguments.json:
        print(json.dumps([dict(zip(_COLUMNS, row, strict=True)) for row in rows]))
    elif arguments.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([_COLUMNS, *([plain(value) for value in row] for row in rows)])
    elif not missed:
        print(f"no crash in {plain(str(source))} missed symbols")
    else:
        print_table(
            ("crashes", "debug file", "debug id", "code file", "code id"),
            [[(str(crashes), ""), *((plain(part or ""), "") for part in file)] for file, crashes in missed],
            _COLUMN_SHARES,
        )
    return 0


def _with_former_arguments(command: Command) -> Command:
    """Return the command with its siblings' arguments too, which it has always accepted and ignored."""

    def add_arguments(parser: argparse.ArgumentParser) -> None:
        command.add_arguments(parser)
        known = {name for action in parser._actions for name in (*action.option_strings, action.dest)}
        for option in ("--all", "--json", "--csv"):
            if option not in known:
                parser.add_argument(option, action="store_true", help=argparse.SUPPRESS)
        if "--since" not in known:
            parser.add_argument("--since", type=read_day, help=argparse.SUPPRESS)
        if "items" not in known:
            parser.add_argument("items", nargs="*", help=argparse.SUPPRESS)

    return replace(command, add_arguments=add_arguments)


_MISSING = Command(
    name="symbols missing",
    summary="List the symbol files that crashes missed, the most missed first.",
    exit_codes={1: "the store is away"},
    example="socorro symbols missing --since=2016-11-23 --csv",
    run=_missing,
    add_arguments=_add_missing_arguments,
    sections=("destination",),
)

COMMAND = family(
    name="symbols",
    summary="Add symbols of your own binaries; list those that crashes missed; fetch, upload and manage them.",
    example="socorro symbols add ./app app.dmp",
    subcommands={
        command.name.split()[1]: _with_former_arguments(command)
        for command in (
            symbol_store.COMMAND,
            _MISSING,
            symbol_files.FETCH,
            symbol_files.UPLOAD,
            symbol_indexes.COMMAND,
            symbol_cache.STATUS,
            symbol_cache.MANAGE,
        )
    },
)
