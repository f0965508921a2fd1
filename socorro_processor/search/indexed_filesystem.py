"""The embedded default: crashes in a directory, with an index of them to search."""

from __future__ import annotations

from pathlib import Path

from socorro_processor.configuration import DotDict, Namespace
from socorro_processor.crashstorage.base import ProcessedCrash
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.errors import CrashIDNotFound, CrashStorageError
from socorro_processor.fields import field_options
from socorro_processor.search.sqlite.crashstorage import HasSearchIndex, SQLiteSearchIndex

_DIRECTORY = "search"


class IndexedFileSystemCrashStorage(FileSystemCrashStorage, HasSearchIndex):
    """A FileSystemCrashStorage with a SQLiteSearchIndex beside it, which never holds up or fails a crash."""

    required_config = Namespace()
    required_config.add_option(
        "search_path",
        default="",
        doc=f"the directory of the search index, on a local disk (empty: {_DIRECTORY}, below root)",
    )
    required_config.update(field_options())

    def __init__(self, config: DotDict) -> None:
        super().__init__(config)
        self.index = SQLiteSearchIndex(
            config, path=self.index_directory(config), has_earlier_crashes=self._has_processed
        )

    @classmethod
    def index_directory(cls, config: DotDict) -> Path:
        return Path(config.search_path or Path(config.root) / _DIRECTORY)

    def save_processed(self, processed_crash: ProcessedCrash) -> None:
        super().save_processed(processed_crash)
        self.index.save_processed(processed_crash)
        # If the file system went away in between, the crash comes again, and so it gets into the index, too.
        self._check_tops()

    def held(self, crash_id: str) -> list[str]:
        return [*super().held(crash_id), *self.index.held(crash_id)]

    def remove(self, crash_id: str) -> None:
        # The index comes last: if it fails, the next try finds it still there.
        existed = True
        try:
            super().remove(crash_id)
        except CrashIDNotFound:
            existed = False
        try:
            self.index.remove(crash_id)
        except CrashIDNotFound:
            if not existed:
                raise CrashIDNotFound(f"{self} has no crash {crash_id}") from None

    def setup(self) -> None:
        super().setup()
        self.index.setup()

    def check(self) -> None:
        super().check()
        self.index.check()

    def examine(self) -> str:
        # The index is in the same directory: if that will be made, so will it.
        return super().examine() or self.index.examine()

    def __str__(self) -> str:
        # The source is often the same directory, without the index: people are told of one place.
        return f"{FileSystemCrashStorage.__name__} in {self._root}"

    def close(self) -> None:
        self.index.close()
        super().close()

    def _has_processed(self) -> bool:
        try:
            return next(self.processed_ids(), None) is not None
        except CrashStorageError:
            # The store is away, or was never made: its first crash tells which.
            return self._root.exists()
