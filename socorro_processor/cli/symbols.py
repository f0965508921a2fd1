"""``socorro symbols``: which symbols crashes miss, how they are got, and the symbol cache."""

from __future__ import annotations

import argparse
import csv
import json
import sys

from rich.console import Console

from socorro_processor.cli import symbol_cache, symbol_files, symbol_store
from socorro_processor.cli.command import Command
from socorro_processor.cli.layout import Row, table
from socorro_processor.cli.symbol_files import symbols_rule
from socorro_processor.cli.symbol_indexes import build_indexes
from socorro_processor.cli.untrusted import plain
from socorro_processor.configuration import Configuration, read_day
from socorro_processor.crashstorage.missed_symbols import MissedModule, most_missed, source_in
from socorro_processor.errors import ConfigurationError

_COLUMNS = (*MissedModule._fields, "crashes")
_SHARES = (0.1, 0.0, 0.4, 0.2, 0.2)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        choices=("add", "missing", "fetch", "upload", "index", "status", "manage"),
        help="add: put symbols of your own binaries into the local store; missing: the symbol files that crashes "
        "missed; fetch: get symbol files into the cache, also those that were missing a while ago; upload: put symbols "
        "into the bucket for them; index: make the indexes by which walks read only what they need of symbol files; "
        "status: how full the symbol cache is, and whether it is managed; manage: keep it to its size until told to "
        "stop, as the processor's companion process does",
    )
    parser.add_argument(
        "items",
        metavar="ITEM",
        nargs="*",
        help="add, upload: binaries with debug information (ELF, PE with its PDB, Mach-O; dump_syms converts them), "
        ".sym files, directories of both, or minidumps: the binaries that they name, as far as this machine has them; "
        "fetch: DEBUG_FILE/DEBUG_ID, or a crash id in the source store: what its "
        "dumps need; - reads them from standard input",
    )
    parser.add_argument("--all", action="store_true", help="index: also those that have an index")
    parser.add_argument(
        "--since",
        metavar="DATE",
        type=read_day,
        help="missing: only crashes submitted on this day or later: 2016-11-23",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="add, missing, fetch, upload, status: print JSON")
    form.add_argument("--csv", action="store_true", help="missing: print CSV, with a line of headings")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    if arguments.action == "add":
        return symbol_store.add(symbols_rule(configuration), arguments.items, arguments.json)
    if arguments.action == "index":
        return build_indexes(configuration, build_all=arguments.all)
    if arguments.action == "manage":
        return symbol_cache.manage(configuration)
    if arguments.action == "status":
        return symbol_cache.status(configuration, arguments.json)
    if arguments.action == "fetch":
        return symbol_files.fetch(configuration, arguments.items, arguments.json)
    if arguments.action == "upload":
        return symbol_files.upload(configuration, arguments.items, arguments.json)
    return _missing(arguments, configuration)


def _missing(arguments: argparse.Namespace, configuration: Configuration) -> int:
    source = source_in(configuration.values.destination)
    if source is None:
        raise ConfigurationError(
            "no store of the destination can be asked for missing symbols;"
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
    else:
        _print_table(missed, str(source))
    return 0


def _print_table(missed: list[tuple[MissedModule, int]], place: str) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if not missed:
        console.print(f"no symbols were missed by the crashes of {plain(place)}", markup=False)
        return
    rows: list[Row] = [[(heading, "dim") for heading in ("crashes", "debug file", "debug id", "code file", "code id")]]
    for file, crashes in missed:
        rows.append([(str(crashes), ""), *((plain(part or ""), "") for part in file)])
    for line in table(rows, _SHARES, console.width if console.is_terminal else None):
        console.print(line)


COMMAND = Command(
    name="symbols",
    summary="Add symbols of your own binaries; say which ones crashes missed; get, upload and look after them.",
    description=(
        "Add symbols of your own binaries to the local store; say which symbol files crashes missed, the most missed "
        "first; get symbol files; upload them; look after the symbol cache.\n\n"
        "`add` says of each file: added; already there; replaced, where the one there had no functions; or refused,\n"
        "and why. Of a minidump it says where that names another build of what was added: the one that crashed is\n"
        "needed.\n\n"
        "Exit code: 0 done; 1 not all was added, got or uploaded, or it is of another build than a minidump names, or\n"
        "(status) no manager runs; 2 wrong arguments or configuration."
    ),
    example="socorro symbols missing --since=2016-11-23 --csv",
    run=run,
    add_arguments=add_arguments,
    sections=("source", "destination", "processor", "companion_process", "logging", "metrics", "resource", "secrets"),
)
