"""``socorro symbols add`` puts symbols into the local store, the directory in which walks look first."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.progress import MofNCompleteColumn

from socorro_processor.cli.command import Command
from socorro_processor.cli.progress import progress_bar
from socorro_processor.cli.standard_error import say
from socorro_processor.cli.symbol_files import add_binaries_argument, symbols_rule
from socorro_processor.configuration import Configuration
from socorro_processor.errors import ConfigurationError
from socorro_processor.stackwalk.local_symbols import OTHER_BUILD, REFUSED, Addition, LocalSymbols
from socorro_processor.stackwalk.new_symbols import SymbolFileMaker, find_symbols
from socorro_processor.untrusted import plain


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_binaries_argument(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON list of objects")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    rule = symbols_rule(configuration)
    if not rule.symbols_path:
        raise ConfigurationError("there is no local symbol store: set symbols_path of the rule")
    symbols = LocalSymbols(Path(rule.symbols_path[0]), SymbolFileMaker(rule.command_pathname, say))
    found = find_symbols(arguments.items)
    results: list[Addition] = []
    try:
        with progress_bar(MofNCompleteColumn()) as progress:
            for each in progress.track(found, description="added"):
                results.append(symbols.add(each))
        results += symbols.other_builds(arguments.items, results)
    finally:
        # After an interruption, too, for the files before it.
        _print(results, arguments.json)
    return 1 if any(each.result in (REFUSED, OTHER_BUILD) for each in results) else 0


def _print(results: list[Addition], as_json: bool) -> None:
    if as_json:
        print(json.dumps([_as_object(each) for each in results]))
        return
    for found, result, wanted, reason in results:
        if wanted is None:
            print(f"{plain(str(found))}: {result}: {plain(reason)}")
        else:
            note = f" ({plain(reason)})" if reason else ""
            print(f"{plain(str(found))}: {result}, {plain(wanted.debug_file)}/{wanted.debug_id}{note}")


def _as_object(each: Addition) -> dict[str, object]:
    named = each.wanted._asdict() if each.wanted else {}
    return {"files": list(map(str, each.found.files)), "result": each.result, "reason": each.reason, **named}


COMMAND = Command(
    name="symbols add",
    summary="Add symbols of your own binaries to the local store, the directory in which walks look first.",
    description=(
        "It prints the result for each file: added; already there; replaced, if the old one had no functions; or "
        "refused, and why. It also says if a minidump names another build of a file that was added: the build that "
        "crashed is needed."
    ),
    exit_codes={1: "some files were not added, or are not the build that a minidump names"},
    example="socorro symbols add build\nsocorro symbols add ./app app.dmp",
    run=run,
    add_arguments=_add_arguments,
    sections=("processor",),
)
