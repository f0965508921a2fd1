"""``socorro symbols index``: builds the indexes by which symbol files are sliced."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from socorro_processor.configuration import Configuration, DotDict
from socorro_processor.errors import ConfigurationError
from socorro_processor.rules.symbol_index_process import environment, limits
from socorro_processor.stackwalk.command import run
from socorro_processor.stackwalk.stackwalker import find_stackwalker
from socorro_processor.symbols.index import FileState, SymbolIndex, UnusableIndex
from socorro_processor.symbols.index_process import IndexProcess, NotIndexed
from socorro_processor.symbols.index_store import IndexStore, SymbolFile
from socorro_processor.symbols.verdict import VERSIONS, version_of


def build_indexes(configuration: Configuration, *, build_all: bool) -> int:
    """Index the symbol files of the stackwalker rule that have no index, or all of them. The exit code.

    A file that the stackwalker rejects counts as failed, each time.
    """
    rule = _stackwalker_rule(configuration.values)
    if rule is None:
        raise ConfigurationError("no rule of the processor has directories of symbols (symbols_path)")
    stackwalker = str(find_stackwalker(rule.command_pathname))
    printed = run([stackwalker, "--version"], limits(), environment()).output
    version = version_of(printed.decode(errors="replace"))
    if version not in VERSIONS:
        raise ConfigurationError(f"slices are known to be right for minidump-stackwalk {', '.join(sorted(VERSIONS))}")
    indexes = IndexStore(rule.symbol_index_path)
    roots = [Path(root) for root in (*rule.symbols_path, rule.symbol_cache_path) if root]
    files = [SymbolFile(root, str(path.relative_to(root))) for root in roots for path in sorted(root.glob("*/*/*.sym"))]
    console = Console(stderr=True, highlight=False)
    failed = 0
    with Progress(console=console, disable=not console.is_terminal) as progress:
        for file in progress.track(files, description="indexing"):
            try:
                index = None if build_all else _index(indexes, file, version)
                if index is None:
                    IndexProcess(file.path, indexes.path(file), stackwalker, version).finish()
                    index = _index(indexes, file, version)
                # Walks need this index too: by it they give the stackwalker what it rejects.
                if index is not None and index.corrupt:
                    raise NotIndexed("it is corrupt: the stackwalker rejects it; make it anew with dump_syms")
            except NotIndexed as error:
                failed += 1
                console.print(f"{file.path}: {error}", markup=False, soft_wrap=True)
    places = "" if files else f": there is none in {', '.join(str(root.absolute()) for root in roots)}"
    print(f"{len(files) - failed} of {len(files)} symbol files have an index{places}")
    return int(failed > 0)


def _index(indexes: IndexStore, file: SymbolFile, version: str) -> SymbolIndex | None:
    try:
        return indexes.get(file, FileState.of(file.path.stat()), version)
    except (UnusableIndex, OSError):
        return None


def _stackwalker_rule(values: DotDict) -> DotDict | None:
    """The first section that has the options of a stackwalker rule."""
    if "symbol_index_path" in values and "symbols_path" in values:
        return values
    sections = (_stackwalker_rule(value) for value in values.values() if isinstance(value, DotDict))
    return next((section for section in sections if section is not None), None)
