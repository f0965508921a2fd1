"""The store that keeps nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

from socorro_processor.crash_id import check_crash_id
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.errors import CrashIDNotFound


class NullCrashStorage(CrashStorageBase):
    """Every save succeeds and keeps nothing; no crash is ever found."""

    def new_crashes(self) -> Iterator[str]:
        """Return no crash ids."""
        return iter(())

    def held(self, crash_id: str) -> list[str]:
        check_crash_id(crash_id)
        return []

    def _has_none(self, crash_id: str, *arguments: object, **named: object) -> NoReturn:
        raise CrashIDNotFound(f"NullCrashStorage has no crash {check_crash_id(crash_id)}")

    get_raw_crash = get_raw_dump = get_raw_dumps = get_raw_dumps_as_files = _has_none
    get_processed = get_unredacted_processed = remove = _has_none
