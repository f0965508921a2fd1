"""``socorro symbols index``: makes the indexes by which a walk reads only what it needs of a symbol file."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from socorro_processor.cli.untrusted import plain
from socorro_processor.configuration import Configuration, DotDict, sections
from socorro_processor.errors import ConfigurationError
from socorro_processor.stackwalk.stackwalker import OWN, Stackwalker
from socorro_processor.symbol_cache.index_process import CORRUPT, IndexProcess, NotIndexed


def build_indexes(configuration: Configuration, *, build_all: bool) -> int:
    """Index the symbol files of the stackwalker rule that have no index, or all of them. The exit code.

    A file that the stackwalker rejects counts as failed, each time.
    """
    rule = _stackwalker_rule(configuration.values)
    if rule is None:
        raise ConfigurationError("no rule of the processor has directories of symbols (symbols_path)")
    stackwalker = Stackwalker(program=rule.command_pathname).own_program()
    if not stackwalker:
        raise ConfigurationError(f"only {OWN} makes indexes, and uses them; bin/install-stackwalker builds it")
    roots = [Path(root) for root in (*rule.symbols_path, rule.symbol_cache_path) if root]
    files = [path for root in roots for path in sorted(root.glob("*/*/*.sym"))]
    console = Console(stderr=True, highlight=False)
    failed = 0
    with Progress(console=console, disable=not console.is_terminal) as progress:
        for file in progress.track(files, description="indexing"):
            try:
                process = IndexProcess(file, stackwalker, rule.symbol_index_path, anew=build_all)
                # Walks need this index too: by it they know what they reject.
                if process.finish().verdict == CORRUPT:
                    raise NotIndexed("it is corrupt: the stackwalker rejects it; make it anew with dump_syms")
            except (NotIndexed, OSError) as error:
                failed += 1
                console.print(f"{plain(str(file))}: {plain(str(error))}", markup=False, soft_wrap=True)
    places = "" if files else f": there is none in {', '.join(str(root.absolute()) for root in roots)}"
    print(f"{len(files) - failed} of {len(files)} symbol files have an index{places}")
    return int(failed > 0)


def _stackwalker_rule(values: DotDict) -> DotDict | None:
    """Return the first section that has the options of a stackwalker rule."""
    return next((rule for rule in sections(values) if "symbol_index_path" in rule and "symbols_path" in rule), None)
