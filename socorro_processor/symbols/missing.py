"""Which symbol files crashes missed, as the stores of processed crashes recorded it.

Every processed crash says so itself, in ``processing.missing_symbols``: a row ``[debug_file, debug_id,
code_file, code_id]`` a module. A store that keeps the rows in a table answers from there; for the
embedded default, crashes in files, these files are the record. So a crash counts once however often
it is processed, one that is removed counts no more, and saving costs nothing.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Protocol, runtime_checkable

from socorro_processor.configuration import DotDict
from socorro_processor.crash_id import check_crash_id, crash_date
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.crashstorage.missing_symbols import Missed, SymbolFile, recorded
from socorro_processor.errors import CrashIDNotFound, InvalidCrashID, PermanentStorageError, TransientStorageError

logger = logging.getLogger(__name__)


@runtime_checkable
class MissingSymbolsSource(Protocol):
    """What a crash store is that can be asked for missing symbols. Built with the store's configuration."""

    def __init__(self, config: DotDict) -> None: ...

    def missing_symbols(self, since: date | None = None) -> Iterator[Missed]:
        """Every crash submitted on this day or later, with what it missed. Raises CrashStorageError."""

    def close(self) -> None: ...


class ProcessedCrashFiles:
    """Reads the rows in the processed crashes of a FileSystemCrashStorage: some hundred of them a second.

    Crash ids say the day, so that crashes of earlier days are not even opened.
    """

    def __init__(self, config: DotDict) -> None:
        self._store = FileSystemCrashStorage(config)
        self._directory = Path(config.root) / "v1" / "processed_crash"

    def missing_symbols(self, since: date | None = None) -> Iterator[Missed]:
        for crash_id in self._crash_ids():
            if since is not None and crash_date(crash_id) < since:
                continue
            try:
                yield crash_id, recorded(self._store.get_unredacted_processed(crash_id))
            except CrashIDNotFound:  # removed since it was listed
                continue
            except PermanentStorageError as error:
                logger.warning("not counted: %s", error)

    def close(self) -> None:
        self._store.close()

    def _crash_ids(self) -> Iterator[str]:
        try:
            names = [path.name for path in self._directory.iterdir()]
        except FileNotFoundError:  # nothing was ever processed
            return
        except OSError as error:
            raise TransientStorageError(f"list the crashes in {self._directory}: {error.strerror}") from error
        for name in names:
            try:
                yield check_crash_id(name)
            except InvalidCrashID:  # being written, or none of ours
                continue


def source_in(config: DotDict) -> MissingSymbolsSource | None:
    """The first store configured in ``config``, or in a section of it, that can be asked; None where none can."""
    values = list(config.values())
    for value in values:
        if isinstance(value, type) and issubclass(value, FileSystemCrashStorage):
            return ProcessedCrashFiles(config)
        if isinstance(value, type) and issubclass(value, MissingSymbolsSource):
            source: MissingSymbolsSource = value(config)
            return source
    sections = (source_in(value) for value in values if isinstance(value, DotDict))
    return next((source for source in sections if source is not None), None)


def most_missed(crashes: Iterable[Missed]) -> list[tuple[SymbolFile, int]]:
    """Each symbol file with the number of crashes that missed it, the most missed first."""
    counts: Counter[SymbolFile] = Counter()
    for _, files in crashes:
        counts.update(set(files))
    return sorted(counts.items(), key=lambda item: (-item[1], [part or "" for part in item[0]]))
