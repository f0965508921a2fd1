"""The symbol files that crashes missed, as the stores of processed crashes record them.

Every processed crash lists them in ``processing.missing_symbols``: one row ``[debug_file, debug_id,
code_file, code_id]`` for each module. A store that keeps the rows in a table answers from there. With the
embedded default, crashes in files, these files are the record. So a crash counts once however often it is
processed, a removed crash no longer counts, and saving costs nothing.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from socorro_processor.configuration import DotDict, components
from socorro_processor.crash_id import check_crash_id, crash_date
from socorro_processor.crashstorage.base import CrashStorageBase, ProcessedCrash
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.errors import CrashIDNotFound, InvalidCrashID, PermanentStorageError, TransientStorageError
from socorro_processor.kernel_modules import is_of_kernel

logger = logging.getLogger(__name__)


class MissedModule(NamedTuple):
    """A module whose symbols a crash missed, with the names and ids by which symbols are looked up."""

    debug_file: str
    debug_id: str
    code_file: str | None
    code_id: str | None

    @property
    def may_exist(self) -> bool:
        """False if nobody has symbols for it: a part of the kernel, or an id that is all zeros, as that of a font."""
        return bool(self.debug_id.strip("0")) and not is_of_kernel(self.debug_file)


Missed = tuple[str, list[MissedModule]]
"""A crash id, and the symbol files that this crash missed."""


def missed_modules(processed_crash: ProcessedCrash) -> list[MissedModule]:
    """Return the rows of a processed crash; a malformed one is left out."""
    processing = processed_crash.get("processing")
    rows = processing.get("missing_symbols") if isinstance(processing, dict) else None
    return [MissedModule(*row) for row in rows if _is_row(row)] if isinstance(rows, list) else []


def _is_row(row: Any) -> bool:
    return (
        isinstance(row, list)
        and len(row) == len(MissedModule._fields)
        and all(isinstance(value, str) for value in row[:2])
        and all(isinstance(value, str | None) for value in row[2:])
    )


@runtime_checkable
class MissingSymbolsSource(Protocol):
    """A crash store that can be asked for missing symbols. Built with the store's configuration."""

    def __init__(self, config: DotDict) -> None: ...

    def missing_symbols(self, since: date | None = None) -> Iterator[Missed]:
        """Yield each crash submitted on this day or later, and what it missed. Raises CrashStorageError."""

    def missing_symbols_of(self, day: date) -> Iterator[MissedModule]:
        """Yield the files that crashes of this day missed, each once, in ascending order. Raises CrashStorageError."""

    def close(self) -> None: ...

    def __str__(self) -> str:
        """Name the place of the crashes, for people."""


class ProcessedCrashFiles:
    """Reads the rows from the processed crashes of a FileSystemCrashStorage, a few hundred crashes a second.

    Crash ids have the day in them, so crashes of earlier days are not opened.
    """

    def __init__(self, config: DotDict) -> None:
        self._store = FileSystemCrashStorage(config)
        self._directory = Path(config.root) / "v1" / "processed_crash"

    def missing_symbols(self, since: date | None = None) -> Iterator[Missed]:
        return self._missed_by(id for id in self._crash_ids() if since is None or crash_date(id) >= since)

    def missing_symbols_of(self, day: date) -> Iterator[MissedModule]:
        missed = self._missed_by(crash_id for crash_id in self._crash_ids() if crash_date(crash_id) == day)
        yield from sorted({file for _, files in missed for file in files}, key=_order)

    def _missed_by(self, crash_ids: Iterable[str]) -> Iterator[Missed]:
        for crash_id in crash_ids:
            try:
                yield crash_id, missed_modules(self._store.get_unredacted_processed(crash_id))
            except CrashIDNotFound:  # removed since it was listed
                continue
            except PermanentStorageError as error:
                logger.warning("crash %s is not counted: %s", crash_id, error)

    def close(self) -> None:
        self._store.close()

    def __str__(self) -> str:
        return str(self._store)

    def _crash_ids(self) -> Iterator[str]:
        try:
            names = [path.name for path in self._directory.iterdir()]
        except FileNotFoundError:  # nothing was ever processed
            return
        except OSError as error:
            raise TransientStorageError(f"cannot list the crashes in {self._directory}: {error.strerror}") from error
        for name in names:
            try:
                yield check_crash_id(name)
            except InvalidCrashID:  # being written, or not ours
                continue


def missing_symbols_source(config: DotDict) -> MissingSymbolsSource | None:
    """Return the first store in ``config`` or a section of it that can be asked; None if there is none."""
    for store_class, section in components(config, CrashStorageBase):
        if issubclass(store_class, FileSystemCrashStorage):
            return ProcessedCrashFiles(section)
        if issubclass(store_class, MissingSymbolsSource):
            return store_class(section)
    return None


def most_missed(crashes: Iterable[Missed]) -> list[tuple[MissedModule, int]]:
    """Return each symbol file that may exist, and the number of crashes that missed it, the most missed first."""
    counts: Counter[MissedModule] = Counter()
    for _, files in crashes:
        counts.update({file for file in files if file.may_exist})
    return sorted(counts.items(), key=lambda item: (-item[1], _order(item[0])))


def _order(file: MissedModule) -> list[str]:
    return [part or "" for part in file]
