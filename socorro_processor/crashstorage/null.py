"""The store that keeps nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from socorro_processor.crash_id import check_crash_id
from socorro_processor.crashstorage.base import CrashStorageBase, ProcessedCrash, RawCrash
from socorro_processor.errors import CrashIDNotFound
from socorro_processor.serialization import Note, ignore


class NullCrashStorage(CrashStorageBase):
    """Every save succeeds and keeps nothing; no crash is ever found."""

    def new_crashes(self) -> Iterator[str]:
        """Return no crash ids."""
        return iter(())

    def get_raw_crash(self, crash_id: str, note: Note = ignore) -> RawCrash:
        self._has_none(crash_id)

    def get_raw_dump(self, crash_id: str, name: str | None = None) -> bytes:
        self._has_none(crash_id)

    def get_raw_dumps(self, crash_id: str) -> dict[str, bytes]:
        self._has_none(crash_id)

    def get_raw_dumps_as_files(self, crash_id: str, directory: Path, note: Note = ignore) -> dict[str, Path]:
        self._has_none(crash_id)

    def get_processed(self, crash_id: str) -> ProcessedCrash:
        self._has_none(crash_id)

    def get_unredacted_processed(self, crash_id: str) -> ProcessedCrash:
        self._has_none(crash_id)

    def held(self, crash_id: str) -> list[str]:
        check_crash_id(crash_id)
        return []

    def remove(self, crash_id: str) -> None:
        self._has_none(crash_id)

    def _has_none(self, crash_id: str) -> NoReturn:
        raise CrashIDNotFound(f"NullCrashStorage has no crash {check_crash_id(crash_id)}")
