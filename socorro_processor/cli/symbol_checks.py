"""Check symbols for ``socorro doctor``: the cache with its manager, and each source."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from inotify_simple import INotify

from socorro_processor.configuration import DotDict
from socorro_processor.errors import ConfigurationError, ProcessingEnvironmentError
from socorro_processor.machine.writable_directory import check_room, check_writable
from socorro_processor.symbol_cache.records import is_managed, records_of
from socorro_processor.symbols.supplier import S3, SymbolSupplier, rules_with_symbols

_MAXIMUM_WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")


def symbol_checks(values: DotDict) -> Iterator[tuple[str, str, Callable[[], tuple[str, str]]]]:
    """Yield part, component and check of everything configured; see ``doctor.Check``.

    The check of a source that is away may take as long as its timeout.
    """
    companion = values.companion_process
    rules = list(rules_with_symbols(values.processor))
    if companion.get("symbol_cache_path"):
        yield "companion_process", companion.symbol_cache_path, partial(_cache, companion, rules)
    for rule in rules:
        yield "symbols", ", ".join(_symbols_paths(rule)), partial(_symbols, rule)
        for name in rule.symbols.sources:
            yield "symbols.sources", name, partial(_source, rule, name)


def _cache(config: DotDict, rules: list[DotDict]) -> tuple[str, str]:
    cache = Path(config.symbol_cache_path).absolute()
    _refuse_kept_symbols(cache, rules)
    try:
        is_there = check_writable(cache)
        if is_there:
            check_room(cache)
    except OSError as error:
        raise ProcessingEnvironmentError(
            f"cannot write to the symbol cache {cache}: {error.filename}: {error.strerror} (give it to the processor's "
            "user, or set companion_process.symbol_cache_path to another directory)"
        ) from error
    manager = "no manager runs"
    if is_there and is_managed(cache):
        status = records_of(cache, config.state_path).status()
        manager = f"managed by process {status.pid}" if status else "managed"
    directories = sum(1 for _ in os.walk(cache))
    _check_inotify(directories)
    return f"{cache}: {directories} directories, {manager}", "" if is_there else f"{cache} will be made"


def _refuse_kept_symbols(cache: Path, rules: list[DotDict]) -> None:
    """Raise ConfigurationError if a directory of symbol files is in the cache, whose manager would remove them."""
    for rule in rules:
        directories = [name for name in rule.symbols.sources if name != S3 and "://" not in name]
        paths = [("symbols_path", each) for each in _symbols_paths(rule)]
        for option, directory in [*paths, *(("symbols.sources", each) for each in directories)]:
            if Path(directory).resolve().is_relative_to(cache.resolve()):
                raise ConfigurationError(
                    f"the symbol cache {cache} contains {directory} of {option}, and its manager removes any file to "
                    "make room: set companion_process.symbol_cache_path to another directory, in resource.symbols for "
                    "every section that needs it"
                )


def _check_inotify(directories: int) -> None:
    allowed = int(_MAXIMUM_WATCHES.read_text())
    if directories >= allowed:
        raise ProcessingEnvironmentError(
            f"inotify may watch only {allowed} of the {directories} directories of the symbol cache, so the manager "
            "scans it once a minute instead: raise the sysctl fs.inotify.max_user_watches"
        )
    try:
        INotify().close()
    except OSError as error:
        raise ProcessingEnvironmentError(
            f"cannot use inotify: {error.strerror}; raise the sysctl fs.inotify.max_user_instances"
        ) from error


def _symbols(rule: DotDict) -> tuple[str, str]:
    """Look for a directory that has symbol files."""
    directories = [Path(each).absolute() for each in (*_symbols_paths(rule), rule.symbol_cache_path) if each]
    directory = next((each for each in directories if _has_symbols(each)), None)
    if directory is not None:
        return f"symbol files in {directory}", ""
    # A stackwalker that has the address of a server downloads them itself.
    if rule.symbols.sources or rule.get("public_symbols_url") or rule.get("private_symbols_url"):
        return "none yet; they come from their sources", ""
    where = f"in {directories[0]} as <debug file>/<debug id>/<name>.sym" if directories else "in a symbols_path"
    return "none", (
        f"no symbol files were found, so frames have no names: put them {where} (`socorro symbols add "
        "FILE` does), or name sources (resource.symbols.sources)"
    )


def _symbols_paths(rule: DotDict) -> tuple[str, ...]:
    """Return the directories of symbols that people maintain; an operator's own rule may lack the option."""
    directories: tuple[str, ...] = rule.get("symbols_path") or ()
    return directories


def _has_symbols(directory: Path) -> bool:
    return any(directory.glob("*/*/*.sym"))


def _source(rule: DotDict, name: str) -> tuple[str, str]:
    with closing(SymbolSupplier(rule.symbols, rule.symbol_cache_path)) as supplier:
        return supplier.check(name), ""
