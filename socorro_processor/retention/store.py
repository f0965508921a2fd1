"""The store whose crashes are bounded: it lists and measures them, and can remove the dumps alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from socorro_processor.crash_id import DAYS_AHEAD, check_crash_id, crash_date
from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage, translate_errors
from socorro_processor.crashstorage.keys import dump_key, dumps_removed_key, processed_crash_key
from socorro_processor.errors import CrashStorageError, InvalidCrashID, NoStoreYetError
from socorro_processor.fields import FIELDS_BY_NAME
from socorro_processor.retention.ledger import Measured
from socorro_processor.search.results import FoundCrash

_NAMES, _PROCESSED = "v1/dump_names", "v1/processed_crash"
"""Flat folders: each crash with a raw crash has a file in the first, each processed one in the second."""

_LARGEST_READ = 1 << 20
"""Bytes of a raw crash that is read for its product."""
_LONGEST_PRODUCT = 255  # characters; a search index keeps as many
_AHEAD = DAYS_AHEAD * 86400.0  # seconds
_BLOCK = 512
"""The unit of ``st_blocks`` (stat(2))."""


class RetainedStore(FileSystemCrashStorage):
    """A FileSystemCrashStorage, for the part of the program that bounds it."""

    @property
    def root(self) -> Path:
        return self._root

    def exists(self) -> bool:
        """Return False if no crash was ever saved here. Raises TransientStorageError if the store is away."""
        try:
            self._check_tops("v1")
        except NoStoreYetError:
            return False
        return True

    def seen(self) -> Iterator[tuple[str, float]]:
        """Yield the id of each crash, some twice, and when it was processed; 0 if that is not known yet.

        The two folders are read once, whatever is in the others; of most crashes no file is looked at.
        """
        for folder in (_NAMES, _PROCESSED):
            for entry in self._entries(folder):
                # Any other file there is being written, or is not ours.
                with suppress(InvalidCrashID, FileNotFoundError):
                    crash_id = check_crash_id(entry.name)
                    processed = entry.stat(follow_symlinks=False).st_mtime if folder == _PROCESSED else 0.0
                    yield crash_id, processed

    def has_raw_crash(self, crash_id: str) -> bool:
        return not all(self.are_absent(self._keys.raw_crash_keys(crash_id)))

    def measure(self, crash_id: str, found: FoundCrash | None, now: float) -> Measured | None:
        """Measure a crash; return None if it is not there any more.

        ``found`` is what the search index has of it, ``now`` the time as ``time.time``.
        """
        raw_keys = self._keys.raw_crash_keys(crash_id)
        raw: os.stat_result | None = None
        size = dumps = parts = 0
        processed = 0.0
        for key, part in self._parts(crash_id).items():
            if (status := self._status(key)) is None:
                continue
            parts += 1
            size += status.st_blocks * _BLOCK
            if key in raw_keys:
                raw = status
            elif key == processed_crash_key(crash_id):
                processed = status.st_mtime
            elif part.startswith("dump "):
                dumps += status.st_blocks * _BLOCK
        if not parts:
            return None
        fields = found.fields if found else {}
        product = fields.get("product") or ("" if found else self._product_in(crash_id, raw))
        return Measured(
            crash_id,
            _arrival(crash_id, raw, now),
            size,
            dumps,
            processed,
            product[:_LONGEST_PRODUCT],
            fields.get("signature"),
        )

    def remove_dumps(self, crash_id: str, because: str) -> None:
        """Remove the dumps and attachments of a crash, and keep the rest. ``because`` is what people are told."""
        # The reason comes first: whoever misses a dump finds it.
        self.put(dumps_removed_key(crash_id), because.encode())
        for name in dict.fromkeys([MAIN_DUMP, *self._earlier_dump_names(crash_id)]):
            self.delete(dump_key(crash_id, name))

    def _status(self, key: str) -> os.stat_result | None:
        path = self._path(key)
        with translate_errors("look for", path), suppress(FileNotFoundError, NotADirectoryError):
            return path.lstat()
        return None

    def _product_in(self, crash_id: str, raw: os.stat_result | None) -> str:
        """Return the product that a raw crash names; empty if it names none, or is too large to be read for that."""
        if raw is None or raw.st_size > _LARGEST_READ:
            return ""
        annotations: dict[str, Any] = {}
        with suppress(CrashStorageError):
            annotations = self.get_raw_crash(crash_id)
        products = (annotations.get(name) for name in FIELDS_BY_NAME["product"].annotations)
        return next((product for product in products if isinstance(product, str) and product), "")


def _arrival(crash_id: str, raw: os.stat_result | None, now: float) -> float:
    """Return when a crash arrived: the day in its id, or later, if its raw crash was written later.

    An id that is dated in the future tells nothing.
    """
    day = crash_date(crash_id)
    dated = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    if raw is None:
        return dated
    return raw.st_mtime if dated > now + _AHEAD else max(dated, raw.st_mtime)
