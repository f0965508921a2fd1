"""The checks of ``socorro doctor`` for symbols: the cache with its manager, and each source."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

from inotify_simple import INotify

from socorro_processor.configuration import Configuration, DotDict
from socorro_processor.errors import ConfigurationError, ProcessingEnvironmentError
from socorro_processor.machine.writable_directory import check_room, check_writable
from socorro_processor.symbol_cache.records import is_managed, records_of
from socorro_processor.symbols.supplier import S3, SymbolSupplier, rules_with_symbols

_MAXIMUM_WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")


class SymbolCheck(NamedTuple):
    part: str
    component: str
    check: Callable[[], tuple[str, str]]
    """Returns what was found, and a note on it; raises SocorroError, saying what to do."""


def symbol_checks(configuration: Configuration) -> Iterator[SymbolCheck]:
    """Yield the checks of what is configured. A source that is away may take as long as its time-out."""
    companion = configuration.values.companion_process
    rules = list(rules_with_symbols(configuration.values.processor))
    if companion.get("symbol_cache_path"):
        yield SymbolCheck("companion_process", companion.symbol_cache_path, partial(_cache, companion, rules))
    for rule in rules:
        yield SymbolCheck("symbols", ", ".join(_kept_in(rule)), partial(_symbols, rule))
        for name in rule.symbols.sources:
            yield SymbolCheck("symbols.sources", name, partial(_source, rule, name))


def _cache(config: DotDict, rules: list[DotDict]) -> tuple[str, str]:
    cache = Path(config.symbol_cache_path).absolute()
    _refuse_kept_symbols(cache, rules)
    try:
        is_there = check_writable(cache)
        if is_there:
            check_room(cache)
    except OSError as error:
        raise ProcessingEnvironmentError(
            f"the symbol cache {cache} cannot be written: {error.filename}: {error.strerror}: give it to the "
            "processor's user, or set companion_process.symbol_cache_path to another directory"
        ) from error
    manager = "no manager runs"
    if is_there and is_managed(cache):
        status = records_of(cache, config.state_path).status()
        manager = f"managed by process {status.pid}" if status else "managed"
    directories = sum(1 for _ in os.walk(cache))
    _check_inotify(directories)
    return f"{cache}: {directories} directories, {manager}", "" if is_there else f"{cache} will be made"


def _refuse_kept_symbols(cache: Path, rules: list[DotDict]) -> None:
    """Raise ConfigurationError where symbol files that somebody keeps by hand are in the cache, whose manager removes
    them."""
    for rule in rules:
        directories = [name for name in rule.symbols.sources if name != S3 and "://" not in name]
        named = [("symbols_path", each) for each in _kept_in(rule)]
        for option, directory in [*named, *(("symbols.sources", each) for each in directories)]:
            if Path(directory).resolve().is_relative_to(cache.resolve()):
                raise ConfigurationError(
                    f"the symbol cache {cache} has {directory} of {option} in it, and its manager removes any file "
                    "for room: set companion_process.symbol_cache_path to another directory, in resource.symbols for "
                    "all who need it"
                )


def _check_inotify(directories: int) -> None:
    allowed = int(_MAXIMUM_WATCHES.read_text())
    if directories >= allowed:
        raise ProcessingEnvironmentError(
            f"inotify may watch only {allowed} of the {directories} directories of the symbol cache, which is looked "
            "through once a minute instead: raise the sysctl fs.inotify.max_user_watches"
        )
    try:
        INotify().close()
    except OSError as error:
        raise ProcessingEnvironmentError(
            f"inotify cannot be used: {error.strerror}; raise the sysctl fs.inotify.max_user_instances"
        ) from error


def _symbols(rule: DotDict) -> tuple[str, str]:
    """Look for symbol files in the directories, up to the first."""
    directories = [Path(each).absolute() for each in (*_kept_in(rule), rule.symbol_cache_path) if each]
    found = next((directory for directory in directories if _has_symbols(directory)), None)
    if found is not None:
        return f"there are some in {found}", ""
    # A stackwalker that is given an address gets them itself.
    if rule.symbols.sources or rule.get("public_symbols_url") or rule.get("private_symbols_url"):
        return "none yet, they come from their sources", ""
    where = f"in {directories[0]} as <debug file>/<debug id>/<name>.sym" if directories else "in a symbols_path"
    return "none were found", (
        f"no symbol files were found, so frames have no names: put them {where} (`socorro symbols add "
        "FILE` does), or name sources (resource.symbols.sources)"
    )


def _kept_in(rule: DotDict) -> tuple[str, ...]:
    """Return the directories of symbols that somebody keeps by hand; a rule of an operator's own may have none."""
    directories: tuple[str, ...] = rule.get("symbols_path") or ()
    return directories


def _has_symbols(directory: Path) -> bool:
    return any(directory.glob("*/*/*.sym"))


def _source(rule: DotDict, name: str) -> tuple[str, str]:
    with closing(SymbolSupplier(rule.symbols, rule.symbol_cache_path)) as supplier:
        return supplier.check(name), ""
