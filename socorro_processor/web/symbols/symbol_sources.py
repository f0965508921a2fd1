"""The sources of the page of the symbols: the index, the store of symbols, the cache, and what its forms need."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from socorro_processor.configuration import DotDict
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.monitoring.audit import Audit
from socorro_processor.report.symbol_places import SymbolPlaces
from socorro_processor.stackwalk.new_symbols import SymbolFileMaker
from socorro_processor.symbol_cache.records import Status, is_managed, records_of
from socorro_processor.symbols.layout import SymbolFileID
from socorro_processor.symbols.supplier import SymbolSupplier, rules_with_symbols
from socorro_processor.web.pages.once import Once
from socorro_processor.web.pages.search_sources import SearchSources
from socorro_processor.web.symbols.symbol_upload import INCOMING, SymbolUploads, UploadLimits

MOST_HELD = 20
"""Symbol files of one name that are listed, the newest."""
_MOST_READ = 2000
"""Directories that are read for that."""
_MOST_NAMES = 100_000


class HeldFile(NamedTuple):
    """A symbol file that is held under the name of another one."""

    debug_id: str
    size: int
    moment: datetime
    """When it was written."""


class CacheState(NamedTuple):
    """The state of the symbol cache."""

    path: str
    managed: bool
    status: Status | None
    problem: str = ""


@dataclass(frozen=True)
class SymbolSources:
    """Threads may share it."""

    search: SearchSources
    directories: tuple[Path, ...]
    """The directories where walks look for symbols, the local store first and the cache last."""
    store: Path | None
    """The local store; None if there is none."""
    uploads: SymbolUploads | None
    """None without a local store."""
    remote: tuple[str, ...]
    """The sources that symbol files are fetched from."""
    cache: Callable[[], CacheState | None]
    """Returns None if no cache is configured."""
    connect: Callable[[], CrashQueueBase]
    audit: Audit
    working_directory: str = ""
    """The directory in which commands find the configuration of this server."""
    once: Once = field(default_factory=Once)

    @classmethod
    def of(cls, values: DotDict, search: SearchSources, audit: Audit) -> SymbolSources:
        """Return the sources of a whole configuration. Raises ConfigurationError."""
        section = values.new_crash_source
        symbols = SymbolPlaces.of(values.processor)
        places = [Path(each) for each in symbols.directories]
        rule = next(rules_with_symbols(values.processor), None)
        store = places[0] if places else None
        uploads = None
        if rule is not None and store is not None:
            maker = SymbolFileMaker(rule.command_pathname)
            uploads = SymbolUploads(store, maker, UploadLimits.of(values.web), lambda path: _forget(rule, path))
        caches = [Path(rule.symbol_cache_path).absolute()] if rule is not None and rule.symbol_cache_path else []
        return cls(
            search,
            (*places, *caches),
            store,
            uploads,
            tuple(rule.symbols.sources) if rule is not None else (),
            lambda: cache_state(values.companion_process),
            lambda: section.new_crash_source_class(section),
            audit,
            symbols.working_directory,
        )

    def has(self, wanted: SymbolFileID) -> bool:
        """Return True if a directory has the file."""
        return any((directory / wanted.path).is_file() for directory in self.directories)

    def held(self, debug_file: str) -> list[HeldFile]:
        """Return the symbol files that are held under a name, the newest first."""
        found = [each for directory in self.directories for each in _files_in(directory / debug_file)]
        return sorted(found, key=lambda each: each.moment, reverse=True)

    def number_of_names(self) -> int | None:
        """Return the number of debug files that the local store has symbols of; None if it cannot be read."""
        if self.store is None:
            return None
        try:
            with os.scandir(self.store) as entries:
                return sum(1 for each in islice(entries, _MOST_NAMES) if each.name != INCOMING)
        except FileNotFoundError:
            return 0
        except OSError:
            return None


def cache_state(config: DotDict) -> CacheState | None:
    """Return what ``socorro symbols status`` says; None if there is no cache."""
    if not config.get("symbol_cache_path"):
        return None
    path = Path(config.symbol_cache_path).absolute()
    try:
        managed = is_managed(path)
        return CacheState(str(path), managed, records_of(path, config.state_path).status())
    except FileNotFoundError:
        return CacheState(str(path), False, None)
    except (OSError, ValueError) as error:
        return CacheState(str(path), False, None, str(error))


def _files_in(directory: Path) -> Iterator[HeldFile]:
    """Yield the symbol files of one debug file: ``<debug id>/<name>.sym``."""
    try:
        with os.scandir(directory) as entries:
            names = [each.name for each in islice(entries, _MOST_READ)]
    except OSError:
        return
    for name in names:
        with suppress(OSError, ValueError):
            wanted = SymbolFileID.of(directory.name, name)
            status = (directory.parent / wanted.path).stat()
            yield HeldFile(name, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def _forget(rule: DotDict, path: str) -> None:
    """Let sources that lacked the file be asked again, in every process."""
    if SymbolSupplier.is_wanted(rule.symbols):
        with closing(SymbolSupplier(rule.symbols, rule.symbol_cache_path)) as supplier:
            supplier.forget(path)
