"""What ``socorro doctor`` looks at of symbols: the cache with its manager, and each source."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

from inotify_simple import INotify

from socorro_processor.configuration import Configuration, DotDict
from socorro_processor.errors import ProcessingEnvironmentError
from socorro_processor.symbols.cache_records import is_managed, records_of
from socorro_processor.symbols.supplier import SymbolSupplier, rules_with_symbols

_MAXIMUM_WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")


class SymbolCheck(NamedTuple):
    part: str
    component: str
    check: Callable[[], str]
    """Returns what was found; raises SocorroError, saying what to do."""


def symbol_checks(configuration: Configuration) -> Iterator[SymbolCheck]:
    """Those of what is configured. A source that is away may take as long as its time-out."""
    companion = configuration.values.companion_process
    if companion.get("symbol_cache_path"):
        yield SymbolCheck("companion_process", companion.symbol_cache_path, partial(_cache, companion))
    for rule in rules_with_symbols(configuration.values.processor):
        for name in rule.symbols.sources:
            yield SymbolCheck("symbols.sources", name, partial(_source, rule, name))


def _cache(config: DotDict) -> str:
    cache = Path(config.symbol_cache_path).absolute()
    directory = next(path for path in (cache, *cache.parents) if path.exists())
    if not directory.is_dir() or not os.access(directory, os.W_OK | os.X_OK):
        raise ProcessingEnvironmentError(
            f"the symbol cache {cache} cannot be written: give the processor's user {directory}, or set "
            "companion_process.symbol_cache_path to another directory"
        )
    manager = "no manager runs"
    if directory == cache and is_managed(cache):
        status = records_of(cache, config.state_path).status()
        manager = f"managed by process {status.pid}" if status else "managed"
    directories = sum(1 for _ in os.walk(cache))
    _check_inotify(directories)
    return f"{cache}: {directories} directories, {manager}"


def _check_inotify(directories: int) -> None:
    allowed = int(_MAXIMUM_WATCHES.read_text())
    if directories >= allowed:
        raise ProcessingEnvironmentError(
            f"the symbol cache has {directories} directories, of which inotify may watch {allowed} only, and is looked "
            "through once a minute instead: raise the sysctl fs.inotify.max_user_watches"
        )
    try:
        INotify().close()
    except OSError as error:
        raise ProcessingEnvironmentError(
            f"inotify cannot be used: {error.strerror}; raise the sysctl fs.inotify.max_user_instances"
        ) from error


def _source(rule: DotDict, name: str) -> str:
    with closing(SymbolSupplier(rule.symbols, rule.symbol_cache_path)) as supplier:
        return supplier.check(name)
