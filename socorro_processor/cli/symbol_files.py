"""``socorro symbols fetch`` puts symbol files into the cache, ``socorro symbols upload`` into the bucket."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from rich.progress import MofNCompleteColumn

from socorro_processor.cli.command import Command, build_component
from socorro_processor.cli.crash_ids import FORMS, STANDARD_INPUT, crash_id_of
from socorro_processor.cli.progress import progress_bar
from socorro_processor.cli.standard_error import say
from socorro_processor.configuration import Configuration, DotDict
from socorro_processor.errors import ConfigurationError, InvalidCrashID, SocorroError
from socorro_processor.stackwalk.dump_walker import Dump, DumpWalker, how_symbols_were_used
from socorro_processor.stackwalk.new_symbols import SymbolFileMaker, SymbolsRefused, find_symbols
from socorro_processor.stackwalk.stackwalker import BASE_ENVIRONMENT, FIELDS, Stackwalker
from socorro_processor.symbols.layout import SymbolFileID
from socorro_processor.symbols.s3_source import S3Source
from socorro_processor.symbols.supplier import S3, SymbolSupplier, rules_with_symbols
from socorro_processor.symbols.supply_result import CACHED, FETCHED, SupplyResult
from socorro_processor.untrusted import plain


def _add_fetch_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "items",
        metavar="DEBUG_FILE/DEBUG_ID|CRASH_ID",
        nargs="+",
        help=f"a symbol file; or a crash in the source store ({FORMS}), for all that its dumps need; - reads both from "
        "standard input",
    )
    _add_json(parser)


def _fetch(arguments: argparse.Namespace, configuration: Configuration) -> int:
    rule = symbols_rule(configuration)
    if not SymbolSupplier.is_wanted(rule.symbols):
        raise ConfigurationError("there are no sources of symbols: set resource.symbols.sources")
    with (
        closing(SymbolSupplier(rule.symbols, rule.symbol_cache_path)) as supplier,
        progress_bar(MofNCompleteColumn()) as progress,
    ):
        results = dict(_wanted(configuration, arguments.items, supplier))
        wanted = [each for each, result in results.items() if result not in (CACHED, FETCHED)]
        for each in wanted:
            supplier.forget(each.path)
        task = progress.add_task("fetched", total=len(wanted))
        results |= supplier.supply_all(wanted, lambda _: progress.advance(task)).results
        supplied = SupplyResult(results)
    _print(supplied, arguments.json)
    return 0 if all(result in (CACHED, FETCHED) for result in supplied.results.values()) else 1


def _add_upload_arguments(parser: argparse.ArgumentParser) -> None:
    add_binaries_argument(parser)
    _add_json(parser)


def _upload(arguments: argparse.Namespace, configuration: Configuration) -> int:
    rule = symbols_rule(configuration)
    results: dict[SymbolFileID, str] = {}
    refused = 0
    maker = SymbolFileMaker(rule.command_pathname, say)
    supplier = SymbolSupplier(rule.symbols, rule.symbol_cache_path) if SymbolSupplier.is_wanted(rule.symbols) else None
    with (
        closing(S3Source(rule.symbols[S3], rule.symbols.download_timeout)) as source,
        progress_bar(MofNCompleteColumn()) as progress,
    ):
        for symbols in progress.track(find_symbols(arguments.items), description="uploaded"):
            try:
                with maker.symbol_file(symbols) as (identity, file):
                    source.bucket.put(identity.path, file)
            except SymbolsRefused as error:
                refused += 1
                say(f"not uploaded: {symbols}: {error}")
                continue
            results[identity] = "uploaded"
            if supplier is not None:
                supplier.forget(identity.path)
    if supplier is not None:
        supplier.close()
    _print(SupplyResult(results), arguments.json)
    return 1 if refused or not results else 0


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print a JSON list of objects")


def add_binaries_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "items",
        metavar="FILE",
        nargs="+",
        help="a binary with debug information (ELF, PE with its PDB, Mach-O; dump_syms converts it), a .sym file, a "
        "directory of these, or a minidump, for the binaries that it names and this machine has",
    )


def symbols_rule(configuration: Configuration) -> DotDict:
    """Return the options of the first rule that uses symbols."""
    rule = next(rules_with_symbols(configuration.values.processor), None)
    if rule is None:
        raise ConfigurationError("no rule of the processor uses symbols; BreakpadStackwalkerRule2015 does")
    return rule


def _wanted(
    configuration: Configuration, items: list[str], supplier: SymbolSupplier
) -> Iterator[tuple[SymbolFileID, str]]:
    """Yield each symbol file that is wanted, and its result so far; empty if it has not been asked for."""
    for item in _items(items):
        try:
            crash_id = crash_id_of(item)
        except InvalidCrashID as error:
            debug_file, slash, debug_id = item.rpartition("/")
            if not slash:
                raise SocorroError(f"{error}; name a crash id, or DEBUG_FILE/DEBUG_ID") from error
            try:
                yield SymbolFileID.of(debug_file, debug_id), ""
            except ValueError as mistake:
                raise SocorroError(f"{plain(item[:80])}: {mistake}") from mistake
        else:
            yield from _of_crash(configuration, crash_id, supplier)


def _items(words: list[str]) -> Iterator[str]:
    for word in words:
        if word == STANDARD_INPUT:
            yield from (line.strip() for line in sys.stdin if line.strip())
        else:
            yield word


def _of_crash(
    configuration: Configuration, crash_id: str, supplier: SymbolSupplier
) -> Iterator[tuple[SymbolFileID, str]]:
    """Yield the symbol files that walks of a crash's dumps need.

    They are fetched during the walks, because the further ones depend on them.
    """
    rule = symbols_rule(configuration)
    stackwalker = Stackwalker(program=rule.command_pathname, environment=BASE_ENVIRONMENT)
    walker = DumpWalker(stackwalker, [rule.symbol_cache_path], supplier, makes_indexes=False)
    settings = {
        **dict.fromkeys(FIELDS, ()),
        "symbol_cache_path": (rule.symbol_cache_path,),
        "questions_timeout": (f"{rule.symbols.download_timeout:g}",),
    }

    with (
        closing(walker),
        closing(build_component("source", configuration)) as store,
        tempfile.TemporaryDirectory() as directory,
    ):
        dumps = store.get_raw_dumps_as_files(crash_id, Path(directory), say)
        if not dumps:
            say(f"{crash_id} has no dumps")
        for name, dump in dumps.items():
            walk = walker.walk(Dump(crash_id, name, {**settings, "dump_file_pathname": (str(dump),)}))
            yield from walk.supplied.results.items()
            for path in how_symbols_were_used(walk.result.json_dump):
                debug_file, debug_id, _ = path.split("/")
                if (there := SymbolFileID(debug_file, debug_id, path)) not in walk.supplied.results:
                    yield there, CACHED
            if not walk.result.success:
                say(f"{name}: {walk.result.status}")


def _print(supplied: SupplyResult, as_json: bool) -> None:
    if as_json:
        print(json.dumps([{**each._asdict(), "result": result} for each, result in supplied.results.items()]))
        return
    for each, result in supplied.results.items():
        print(f"{plain(each.debug_file)}/{each.debug_id}: {plain(result)}")


FETCH = Command(
    name="symbols fetch",
    summary="Fetch symbol files from their sources into the cache, even if they were missing a while ago.",
    exit_codes={0: "all files are in the cache", 1: "some are not"},
    example=(
        "socorro symbols fetch xul.pdb/83CF4DC03621B778E931FC713889E8F10\n"
        "socorro symbols fetch 0bba61c5-dfc3-43e7-dead-8afd20161123"
    ),
    run=_fetch,
    add_arguments=_add_fetch_arguments,
    sections=("source", "processor"),
)

UPLOAD = Command(
    name="symbols upload",
    summary="Put symbol files into their bucket, under the names in their MODULE lines.",
    description="A file that the stackwalker rejects is refused: no walk could use it.",
    exit_codes={0: "all files were uploaded", 1: "some were not"},
    example="socorro symbols upload build",
    run=_upload,
    add_arguments=_add_upload_arguments,
    sections=("processor",),
)
