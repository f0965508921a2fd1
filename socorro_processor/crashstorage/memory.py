"""A store that lasts as long as its process, for tests."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from socorro_processor.configuration import DotDict
from socorro_processor.crashstorage.base import CrashStorageBase, Dump, ProcessedCrash, RawCrash
from socorro_processor.crashstorage.keys import processed_crash_key
from socorro_processor.crashstorage.objects import NoSuchObject, ObjectCrashStorage, ObjectTooLarge, local_file_errors


class InMemoryCrashStorage(ObjectCrashStorage):
    """Keeps crashes as the bytes that another store would write, so each reader receives a copy.

    Unlike the other object stores it keeps raw crashes and dumps with each processed crash.
    """

    def __init__(self, config: DotDict) -> None:
        super().__init__(config)
        self._lock = threading.Lock()
        self._objects: dict[str, bytes] = {}

    def save_raw_and_processed(
        self, raw_crash: RawCrash, dumps: Mapping[str, Dump], processed_crash: ProcessedCrash, crash_id: str
    ) -> None:
        CrashStorageBase.save_raw_and_processed(self, raw_crash, dumps, processed_crash, crash_id)

    def new_crashes(self) -> Iterator[str]:
        """Return the ids of the raw crashes here that have no processed crash."""
        with self._lock:
            keys = set(self._objects)
        crash_ids = [key.rpartition("/")[2] for key in keys if key.startswith("v2/raw_crash/")]
        return (crash_id for crash_id in crash_ids if processed_crash_key(crash_id) not in keys)

    def put(self, key: str, content: Dump) -> None:
        if not isinstance(content, bytes):
            with local_file_errors("read the dump", path := Path(content)):
                content = path.read_bytes()
        with self._lock:
            self._objects[key] = content

    def get(self, key: str, maximum_size: int | None = None) -> bytes:
        with self._lock:
            data = self._objects.get(key)
        if data is None:
            raise NoSuchObject(key)
        if maximum_size is not None and len(data) > maximum_size:
            raise ObjectTooLarge(f"{len(data)} bytes, more than {maximum_size}")
        return data

    def fetch(self, key: str, path: Path, maximum_size: int) -> None:
        data = self.get(key, maximum_size)
        with local_file_errors("write", path):
            path.write_bytes(data)

    def are_absent(self, keys: Iterable[str]) -> Iterator[bool]:
        with self._lock:
            return iter([key not in self._objects for key in keys])

    def list_folder(self, folder: str) -> Iterator[str]:
        with self._lock:
            keys = [key for key in self._objects if fnmatchcase(key.rpartition("/")[0], folder)]
        return iter(sorted(key.rpartition("/")[2] for key in keys))

    def delete(self, key: str) -> bool:
        with self._lock:
            return self._objects.pop(key, None) is not None
