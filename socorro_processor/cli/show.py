"""``socorro show`` prints a report of a processed crash."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing

from rich.console import Console

from socorro_processor.cli.command import Command, build_component
from socorro_processor.cli.crash_ids import FORMS, crash_id_of
from socorro_processor.cli.standard_error import say
from socorro_processor.configuration import Configuration
from socorro_processor.crashstorage.base import ProcessedCrash
from socorro_processor.report.crash_report import CrashReport
from socorro_processor.report.find_processed import find_processed
from socorro_processor.report.printed_report import Shown, print_report
from socorro_processor.report.symbol_places import SymbolPlaces
from socorro_processor.serialization import encode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("crash_id", metavar="CRASH_ID", help=f"a processed crash: {FORMS}")
    add_report_arguments(parser)
    parser.add_argument("--redacted", action="store_true", help="leave out what the store's redactor forbids")
    parser.add_argument("--json", action="store_true", help="print the processed crash itself, a JSON object")


def add_report_arguments(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--all-threads", action="store_true", help="show every thread, not only the one that crashed")
    parser.add_argument("--modules", action="store_true", help="show the modules: version, debug id, symbols")
    parser.add_argument("--registers", action="store_true", help="show the registers of the thread that crashed")


def shown_by(arguments: argparse.Namespace) -> Shown:
    """Return the parts of a report that a command line asks for."""
    return Shown(arguments.all_threads, arguments.modules, arguments.registers)


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    crash_id = crash_id_of(arguments.crash_id)
    stores = (
        lambda: closing(build_component("destination", configuration)),
        lambda: closing(build_component("source", configuration)),
    )

    crash = find_processed(crash_id, stores, say, redacted=arguments.redacted)
    if arguments.json:
        print(as_json(crash, indent=2 if sys.stdout.isatty() else None))
    else:
        report = CrashReport(crash, places=SymbolPlaces.of(configuration.values["processor"]))
        print_report(report, Console(highlight=False), shown_by(arguments))
    return 0


def as_json(crash: ProcessedCrash, indent: int | None = None) -> str:
    """Return the crash as a JSON text in ASCII, so that nothing in it can steer a terminal."""
    text = json.dumps(json.loads(encode(crash)), indent=indent)
    return text.replace("\x7f", "\\u007f")


COMMAND = Command(
    name="show",
    summary="Print a report of a processed crash: the stack of the thread that crashed, signature, notes.",
    description="The crash comes from the destination store or, if that cannot return it, from the source.",
    exit_codes={0: "shown", 1: "there is no such processed crash, or a store is away"},
    example="socorro show 0bba61c5-dfc3-43e7-dead-8afd20161123 --all-threads --modules",
    run=run,
    add_arguments=add_arguments,
    sections=("source", "destination"),
)
