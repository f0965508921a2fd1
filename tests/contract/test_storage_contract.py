"""The project's own stores pass the suite for stores. Another one is a line in BACKENDS."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.crashstorage.s3 import BotoS3CrashStorage
from socorro_processor.testing import ObjectStoreSuite
from tests.contract.storage_backends import BACKENDS, StorageBackend, defaults_of
from tests.integration.s3_bucket import no_bucket_options


class OwnStoreSuite(ObjectStoreSuite):
    name: ClassVar[str]
    backend: StorageBackend

    def new_store(self, directory: Path) -> CrashStorageBase:
        self.backend = BACKENDS[self.name](directory)
        return self.backend.store

    def plant(self, store: CrashStorageBase, key: str, data: bytes) -> None:
        self.backend.plant(key, data)


class Test_s3(OwnStoreSuite):
    name = "s3"

    def store_without_place(self, directory: Path) -> CrashStorageBase:
        return defaults_of(BotoS3CrashStorage, **no_bucket_options())


class Test_memory(OwnStoreSuite):
    name = "memory"
    # Its place is the process itself.
    test_a_store_whose_place_is_gone_never_reports_a_crash_missing = None


for name in BACKENDS.keys() - {"s3", "memory"}:
    globals()[f"Test_{name}"] = type(f"Test_{name}", (OwnStoreSuite,), {"name": name})
