"""The project's own indexes of crashes pass the suite for them."""

from __future__ import annotations

from pathlib import Path

from socorro_processor.configuration import defaults
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.search.base import CrashIndex
from socorro_processor.search.indexed_filesystem import IndexedFileSystemCrashStorage
from socorro_processor.search.sqlite.crashstorage import SQLiteSearchIndex
from socorro_processor.search.sqlite.reading import SQLiteCrashIndex
from socorro_processor.testing import SavingSuite, SearchSuite
from socorro_processor.testing.searches import OWN_FIELDS, TABLE


def new_index(directory: Path) -> SQLiteSearchIndex:
    return SQLiteSearchIndex(defaults(SQLiteSearchIndex, path=str(directory), own_fields=OWN_FIELDS))


class TestSQLite(SearchSuite):
    def new_store(self, directory: Path) -> CrashStorageBase:
        return new_index(directory)

    def new_index(self, directory: Path) -> CrashIndex:
        return SQLiteCrashIndex(directory, TABLE)


class TestSQLiteWithMoreRowsThanItKeeps(SearchSuite):
    def new_store(self, directory: Path) -> CrashStorageBase:
        return new_index(directory)

    def new_index(self, directory: Path) -> CrashIndex:
        return SQLiteCrashIndex(directory, TABLE, most_kept=1)


class TestIndexedFileSystem(SearchSuite):
    def new_store(self, directory: Path) -> CrashStorageBase:
        config = defaults(IndexedFileSystemCrashStorage, root=str(directory), own_fields=OWN_FIELDS)
        return IndexedFileSystemCrashStorage(config)

    def new_index(self, directory: Path) -> CrashIndex:
        return SQLiteCrashIndex(directory / "search", TABLE)


class TestSavingToSQLite(SavingSuite):
    def new_store(self, directory: Path) -> CrashStorageBase:
        return new_index(directory)
