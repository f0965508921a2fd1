"""``socorro show``: a report of a processed crash, to read."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from contextlib import closing

from rich.console import Console

from socorro_processor.cli.command import Command, build
from socorro_processor.cli.crash_ids import FORMS, crash_id_of
from socorro_processor.cli.report import add_report_arguments, print_report
from socorro_processor.cli.standard_error import say
from socorro_processor.cli.symbol_places import SymbolPlaces
from socorro_processor.configuration import Configuration
from socorro_processor.crashstorage.base import CrashStorageBase, ProcessedCrash
from socorro_processor.errors import CrashIDNotFound, CrashStorageError, SocorroError
from socorro_processor.serialization import Note, encode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("crash_id", metavar="CRASH_ID", help=f"a crash that was processed: {FORMS}")
    add_report_arguments(parser)
    parser.add_argument("--redacted", action="store_true", help="without what the store's redactor forbids")
    parser.add_argument("--json", action="store_true", help="print the processed crash itself, a JSON object")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    crash_id = crash_id_of(arguments.crash_id)
    stores = (lambda: build("destination", configuration), lambda: build("source", configuration))

    crash = find(crash_id, stores, say, redacted=arguments.redacted)
    if arguments.json:
        print(as_json(crash, indent=2 if sys.stdout.isatty() else None))
    else:
        console = Console(highlight=False)
        places = SymbolPlaces.of(configuration.values["processor"])
        print_report(crash, console, all_threads=arguments.all_threads, modules=arguments.modules, places=places)
    return 0


def find(
    crash_id: str, stores: Iterable[Callable[[], CrashStorageBase]], note: Note, *, redacted: bool = False
) -> ProcessedCrash:
    """Return the processed crash of the first store that gives it back; SocorroError where none does.

    Takes what builds each store: a later one is not built where an earlier one has the crash.
    ``note`` is told of a store that should have been able to and was not.
    """
    reasons: list[str] = []
    looked_in: dict[str, None] = {}
    for build_store in stores:
        try:
            with closing(build_store()) as store:
                place = str(store)
                crash = store.get_processed(crash_id) if redacted else store.get_unredacted_processed(crash_id)
        except CrashIDNotFound:
            looked_in[place] = None
            continue
        except NotImplementedError:
            continue
        except CrashStorageError as error:
            # Destination and source are often one store.
            if str(error) not in reasons:
                reasons.append(str(error))
            continue
        for reason in reasons:
            note(reason)
        return crash
    reasons = reasons or [f"where its raw crash is in the source store, `socorro process {crash_id}` makes one"]
    places = f" in {', '.join(looked_in)}" if looked_in else ""
    raise SocorroError("; ".join([f"no processed crash {crash_id} was found{places}", *reasons]))


def as_json(crash: ProcessedCrash, indent: int | None = None) -> str:
    """Return the crash as a JSON text in ASCII, so that nothing in it can steer a terminal."""
    text = json.dumps(json.loads(encode(crash)), indent=indent)
    return text.replace("\x7f", "\\u007f")


COMMAND = Command(
    name="show",
    summary="Print a report of a processed crash: the stack of the thread that crashed, signature, notes.",
    description="The crash comes from the destination store or, where that cannot give it back, from the source.",
    exit_codes={0: "shown", 1: "there is no such processed crash, or a store is away"},
    example="socorro show 0bba61c5-dfc3-43e7-dead-8afd20161123 --all-threads --modules",
    run=run,
    add_arguments=add_arguments,
    sections=("source", "destination"),
)
