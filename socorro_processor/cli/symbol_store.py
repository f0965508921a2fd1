"""``socorro symbols add``: symbols into the local store, the directory in which the stackwalker looks first."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rich.progress import MofNCompleteColumn

from socorro_processor.cli.command import Command
from socorro_processor.cli.new_symbols import (
    FoundSymbols,
    SymbolFileMaker,
    SymbolsRefused,
    add_binaries_argument,
    find_symbols,
    modules_of,
)
from socorro_processor.cli.progress import progress_bar
from socorro_processor.cli.symbol_files import symbols_rule
from socorro_processor.cli.untrusted import plain
from socorro_processor.configuration import Configuration
from socorro_processor.errors import ConfigurationError, SocorroError
from socorro_processor.machine.regular_file import replacing
from socorro_processor.symbols.dump_syms import Converted, has_functions
from socorro_processor.symbols.layout import SymbolFileID

ADDED, REPLACED, THERE, REFUSED = "added", "replaced", "already there", "refused"
OTHER_BUILD = "names another build"
"""The result of a minidump: the store has a module of it in the build that was named, and not in its own."""

_BARE = "without functions and lines: it has no debug information"
_CHUNK = 1 << 20


class Result(NamedTuple):
    found: FoundSymbols
    result: str
    wanted: SymbolFileID | None
    reason: str = ""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_binaries_argument(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON list of objects")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    rule = symbols_rule(configuration)
    if not rule.symbols_path:
        raise ConfigurationError("there is no local store of symbols: set symbols_path of the rule")
    store = Path(rule.symbols_path[0])
    maker = SymbolFileMaker(rule.command_pathname)
    found = find_symbols(arguments.items)
    results: list[Result] = []
    try:
        with progress_bar(MofNCompleteColumn()) as progress:
            for each in progress.track(found, description="added"):
                results.append(_add(store, each, maker))
        results += _other_builds(store, arguments.items, results)
    finally:
        # Also of those before an interruption.
        _print(results, arguments.json)
    return 1 if any(each.result in (REFUSED, OTHER_BUILD) for each in results) else 0


def _print(results: list[Result], as_json: bool) -> None:
    if as_json:
        print(json.dumps([_as_object(each) for each in results]))
        return
    for found, result, wanted, reason in results:
        if wanted is None:
            print(f"{plain(str(found))}: {result}: {plain(reason)}")
        else:
            note = f" ({reason})" if reason else ""
            print(f"{plain(str(found))}: {result}, {plain(wanted.debug_file)}/{wanted.debug_id}{note}")


def _as_object(each: Result) -> dict[str, object]:
    named = each.wanted._asdict() if each.wanted else {}
    return {"files": list(map(str, each.found.files)), "result": each.result, "reason": each.reason, **named}


def _add(store: Path, found: FoundSymbols, maker: SymbolFileMaker) -> Result:
    if (wanted := _there_already(store, found)) is not None:
        return Result(found, THERE, wanted)
    try:
        with maker.symbol_file(found) as made:
            return Result(found, _put(store, made), made.wanted, "" if has_functions(made.file) else _BARE)
    except SymbolsRefused as error:
        return Result(found, REFUSED, None, str(error))


def _other_builds(store: Path, items: list[str], results: list[Result]) -> Iterator[Result]:
    """Say which modules of the minidumps have no symbols yet, although some of another build were named."""
    named: dict[str, SymbolFileID] = {each.wanted.debug_file: each.wanted for each in results if each.wanted}
    for item in dict.fromkeys(items):
        for module in modules_of(item):
            try:
                wanted = SymbolFileID.of(module.debug_file, module.debug_id)
            except ValueError:  # a name that no file can have
                continue
            other = named.get(module.debug_file)
            if other and not (store / wanted.path).is_file():
                reason = f"not {other.debug_file}/{other.debug_id}: the one that crashed is needed"
                yield Result(FoundSymbols((Path(item),)), OTHER_BUILD, wanted, reason)


def _there_already(store: Path, found: FoundSymbols) -> SymbolFileID | None:
    """Return what the store has of binaries as well as they could give it, before any is converted."""
    for binary in found.binaries[:1]:
        try:
            wanted = SymbolFileID.of(binary.debug_file, binary.debug_id)
        except ValueError:
            return None
        return wanted if has_functions(store / wanted.path) else None
    return None


def _put(store: Path, made: Converted) -> str:
    target = store / made.wanted.path
    try:
        is_there = target.is_file()
        if is_there and (has_functions(target) or not has_functions(made.file)):
            return THERE
        target.parent.mkdir(parents=True, exist_ok=True)
        with made.file.open("rb") as source, replacing(target) as copy:
            shutil.copyfileobj(source, copy, _CHUNK)
    except OSError as error:
        raise SocorroError(f"cannot write {target}: {error.strerror}") from error
    return REPLACED if is_there else ADDED


COMMAND = Command(
    name="symbols add",
    summary="Add symbols of your own binaries to the local store, the directory in which walks look first.",
    description=(
        "It is printed what became of each file: added; already there; replaced, where the one there had no functions; "
        "or refused, and why. Where a minidump names another build of a file that was added, this is said: the build "
        "that crashed is needed."
    ),
    exit_codes={1: "not all was added, or something is of another build than a minidump names"},
    example="socorro symbols add build\nsocorro symbols add ./app app.dmp",
    run=run,
    add_arguments=_add_arguments,
    sections=("processor",),
)
