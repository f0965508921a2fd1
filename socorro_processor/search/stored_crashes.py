"""Go through the processed crashes of stores, to build an index from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from socorro_processor.crashstorage.base import CrashStorageBase, ProcessedCrash, each_store
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.errors import ConfigurationError

_BATCH = 1000
_ALL = 10**12


class StoredCrashes:
    """The processed crashes of the first store, behind a destination, that can list and return its crashes."""

    def __init__(self, destination: CrashStorageBase) -> None:
        """Raises ConfigurationError if there is no such store."""
        for _, store in each_store({"destination": destination}):
            is_listed = isinstance(store, FileSystemCrashStorage) or store.can("newest")
            if is_listed and store.can("get_unredacted_processed") and store.can("missing_processed"):
                self._store = store
                return
        raise ConfigurationError(
            f"cannot build an index: no store of the destination ({destination}) lists and returns its crashes; "
            "FileSystemCrashStorage and PostgreSQLCrashStorage do"
        )

    def ids(self) -> Iterator[str]:
        """Yield the ids of all processed crashes, each once."""
        if isinstance(self._store, FileSystemCrashStorage):
            yield from self._store.processed_ids()
            return
        yield from (crash.crash_id for crash in self._store.newest(_ALL) if crash.is_processed)

    def get(self, crash_id: str) -> ProcessedCrash:
        """Return a processed crash. Raises as ``CrashStorageBase.get_unredacted_processed``."""
        return self._store.get_unredacted_processed(crash_id)

    def missing(self, crash_ids: Sequence[str]) -> set[str]:
        """Return the ids of crashes that are not here."""
        ids = iter(crash_ids)
        missing: set[str] = set()
        while batch := list(islice(ids, _BATCH)):
            missing |= self._store.missing_processed(batch)
        return missing

    def __str__(self) -> str:
        return str(self._store)
