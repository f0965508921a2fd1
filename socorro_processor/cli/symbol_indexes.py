"""``socorro symbols index`` makes the indexes by which a walk reads only what it needs of a symbol file."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.progress import MofNCompleteColumn

from socorro_processor.cli.command import Command
from socorro_processor.cli.progress import progress_bar
from socorro_processor.cli.standard_error import say
from socorro_processor.cli.symbol_files import symbols_rule
from socorro_processor.configuration import Configuration
from socorro_processor.errors import ConfigurationError
from socorro_processor.stackwalk.stackwalker import OWN, Stackwalker
from socorro_processor.symbol_cache.index_process import CORRUPT, IndexProcess, NotIndexed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="also index those that have an index")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    rule = symbols_rule(configuration)
    stackwalker = Stackwalker(program=rule.command_pathname).own_program()
    if not stackwalker:
        raise ConfigurationError(f"only {OWN} makes indexes, and uses them; bin/install-stackwalker builds it")
    roots = [Path(root) for root in (*(rule.get("symbols_path") or ()), rule.symbol_cache_path) if root]
    files = [path for root in roots for path in sorted(root.glob("*/*/*.sym"))]
    failed = 0
    with progress_bar(MofNCompleteColumn()) as progress:
        for file in progress.track(files, description="indexed"):
            try:
                process = IndexProcess(file, stackwalker, rule.get("symbol_index_path") or "", anew=arguments.all)
                # The index is kept: it tells walks that the file is corrupt.
                if process.finish().verdict == CORRUPT:
                    raise NotIndexed("it is corrupt: the stackwalker rejects it; make it again with dump_syms")
            except (NotIndexed, OSError) as error:
                failed += 1
                say(f"{file}: {error}")
    places = "" if files else f": there are none in {', '.join(str(root.absolute()) for root in roots)}"
    print(f"{len(files) - failed} of {len(files)} symbol files have an index{places}")
    return int(failed > 0)


COMMAND = Command(
    name="symbols index",
    summary="Make the indexes by which walks read only what they need of symbol files.",
    description="This indexes the symbol files of the local store and of the cache that have no index.",
    exit_codes={0: "all files have an index", 1: "some have none, or are corrupt"},
    example="socorro symbols index --all",
    run=run,
    add_arguments=add_arguments,
    sections=("processor",),
)
