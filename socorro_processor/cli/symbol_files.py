"""``socorro symbols fetch`` and ``upload``: symbol files into the cache, and into the bucket."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from rich.progress import MofNCompleteColumn

from socorro_processor.cli.command import build
from socorro_processor.cli.crash_ids import crash_id_of
from socorro_processor.cli.progress import progress_bar
from socorro_processor.cli.untrusted import plain
from socorro_processor.configuration import Configuration, DotDict
from socorro_processor.errors import ConfigurationError, InvalidCrashID, ProcessingEnvironmentError, SocorroError
from socorro_processor.rules.symbol_index_process import ask
from socorro_processor.stackwalk.stackwalker import find_stackwalker
from socorro_processor.symbols.download import module_line
from socorro_processor.symbols.dump_file import NotUnderstood
from socorro_processor.symbols.minidump import read
from socorro_processor.symbols.s3_source import S3Source
from socorro_processor.symbols.supplied import CACHED, FETCHED, Supplied
from socorro_processor.symbols.supplier import S3, SymbolSupplier, rules_with_symbols
from socorro_processor.symbols.verdict import NoVerdict, is_corrupt
from socorro_processor.symbols.wanted import Wanted, needed_symbols

_STANDARD_INPUT = "-"
_FIRST_LINE = 4_096


def fetch(configuration: Configuration, items: list[str], as_json: bool) -> int:
    """Get what is named, or what the dumps of a crash need, into the cache."""
    rule = _rule(configuration)
    if not SymbolSupplier.is_wanted(rule.symbols):
        raise ConfigurationError("there are no sources of symbols: set resource.symbols.sources")
    wanted = list(dict.fromkeys(_wanted(configuration, items)))
    with (
        closing(SymbolSupplier(rule.symbols, rule.symbol_cache_path)) as supplier,
        progress_bar(MofNCompleteColumn()) as progress,
    ):
        for each in wanted:
            supplier.forget(each.path)
        task = progress.add_task("got", total=len(wanted))
        supplied = supplier.supply_all(wanted, lambda _: progress.advance(task))
    _print(supplied, as_json)
    return 0 if all(result in (CACHED, FETCHED) for result in supplied.results.values()) else 1


def upload(configuration: Configuration, items: list[str], as_json: bool) -> int:
    """Put the symbol files below these directories into the bucket, each where its MODULE line says.

    One that the stackwalker rejects is refused: no walk would have anything of it.
    """
    if not items:
        raise SocorroError("a directory of .sym files is expected")
    rule = _rule(configuration)
    files = [file for item in items for file in _symbol_files(Path(item))]
    results: dict[Wanted, str] = {}
    refused = 0
    supplier = SymbolSupplier(rule.symbols, rule.symbol_cache_path) if SymbolSupplier.is_wanted(rule.symbols) else None
    with (
        closing(S3Source(rule.symbols[S3], rule.symbols.download_timeout)) as source,
        progress_bar(MofNCompleteColumn()) as progress,
    ):
        for file in progress.track(files, description="uploaded"):
            try:
                wanted = _checked(file)
                _judge(file, rule.command_pathname)
            except SocorroError as error:
                refused += 1
                print(f"socorro: {plain(str(error))}", file=sys.stderr)
                continue
            source.bucket.put(wanted.path, file)
            results[wanted] = "uploaded"
            if supplier is not None:
                supplier.forget(wanted.path)
    if supplier is not None:
        supplier.close()
    _print(Supplied(results), as_json)
    return 1 if refused or not results else 0


def _rule(configuration: Configuration) -> DotDict:
    """The options of the rule that has dumps walked."""
    found = next(rules_with_symbols(configuration.values.processor), None)
    if found is None:
        raise ConfigurationError("no rule of the processor gets symbols; BreakpadStackwalkerRule2015 does")
    return found


def _wanted(configuration: Configuration, items: list[str]) -> Iterator[Wanted]:
    for item in _given(items):
        try:
            crash_id = crash_id_of(item)
        except InvalidCrashID as error:
            debug_file, slash, debug_id = item.rpartition("/")
            if not slash:
                raise SocorroError(f"{error}; a crash id, or DEBUG_FILE/DEBUG_ID, is expected") from error
            try:
                yield Wanted.of(debug_file, debug_id)
            except ValueError as mistake:
                raise SocorroError(f"{plain(item[:80])}: {mistake}") from mistake
        else:
            yield from _of_crash(configuration, crash_id)


def _given(items: list[str]) -> Iterator[str]:
    if not items:
        raise SocorroError("a crash id, or DEBUG_FILE/DEBUG_ID, is expected; - reads them from standard input")
    for item in items:
        if item == _STANDARD_INPUT:
            yield from (line.strip() for line in sys.stdin if line.strip())
        else:
            yield item


def _of_crash(configuration: Configuration, crash_id: str) -> Iterator[Wanted]:
    """What all its dumps need."""

    def note(text: str) -> None:
        print(f"socorro: {plain(text)}", file=sys.stderr)

    with closing(build("source", configuration)) as store, tempfile.TemporaryDirectory() as directory:
        dumps = store.get_raw_dumps_as_files(crash_id, Path(directory), note)
        if not dumps:
            note(f"{crash_id} has no dumps")
        for name, dump in dumps.items():
            try:
                yield from needed_symbols(read(dump))
            except NotUnderstood as error:
                note(f"{name}: {error}")


def _symbol_files(path: Path) -> Iterable[Path]:
    if not path.is_dir():
        raise SocorroError(f"{path} is no directory")
    return sorted(file for file in path.rglob("*.sym") if file.is_file())


def _checked(file: Path) -> Wanted:
    """What it is the symbol file of."""
    try:
        with file.open("rb") as opened:
            module = module_line(opened.read(_FIRST_LINE))
            opened.seek(-1, 2)
            ended = opened.read() == b"\n"
    except OSError as error:
        raise SocorroError(f"not uploaded: {file}: {error.strerror}") from error
    if module is None:
        raise SocorroError(f"not uploaded: {file} does not begin with a MODULE line")
    if not ended:
        raise SocorroError(f"not uploaded: {file}: its last line has no end, it was cut off")
    try:
        return Wanted.of(*module)
    except ValueError as error:
        raise SocorroError(f"not uploaded: {file}: {error}") from error


def _judge(file: Path, command_pathname: str) -> None:
    """Raise SocorroError where the stackwalker rejects the file; where it cannot be asked, say so."""
    try:
        corrupt = is_corrupt(file, str(find_stackwalker(command_pathname)), ask)
    except (NoVerdict, ProcessingEnvironmentError) as error:
        print(f"socorro: {plain(str(file))} was not tried with the stackwalker: {plain(str(error))}", file=sys.stderr)
        return
    if corrupt:
        raise SocorroError(
            f"not uploaded: {file} is corrupt: the stackwalker rejects it, for a line that is not as it should be; "
            "make it anew with dump_syms"
        )


def _print(supplied: Supplied, as_json: bool) -> None:
    if as_json:
        print(json.dumps([{**each._asdict(), "result": result} for each, result in supplied.results.items()]))
        return
    for each, result in supplied.results.items():
        print(f"{plain(each.debug_file)}/{each.debug_id}: {plain(result)}")
