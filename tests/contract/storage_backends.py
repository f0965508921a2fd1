"""Every store that keeps crashes, ready for the contract; a new one is one line in BACKENDS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from socorro_processor.configuration import class_name, defaults
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.crashstorage.fallback import FallbackCrashStorage, PrimaryDeferredStorage
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.crashstorage.memory import InMemoryCrashStorage
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.crashstorage.s3 import BotoS3CrashStorage
from socorro_processor.crashstorage.statsd import StatsdBenchmarkingWrapper
from socorro_processor.search.indexed_filesystem import IndexedFileSystemCrashStorage
from socorro_processor.testing.stores import LIMITS
from tests.integration.s3_bucket import bucket_options, put_object


@dataclass(frozen=True)
class StorageBackend:
    """A store with LIMITS."""

    store: CrashStorageBase
    plant: Callable[[str, bytes], None]
    """Writes an object under a key without the store, as another program might."""


def filesystem(directory: Path) -> StorageBackend:
    store = defaults_of(FileSystemCrashStorage, root=root(directory / "crashes"))
    return StorageBackend(store, planter(directory / "crashes"))


def indexed_filesystem(directory: Path) -> StorageBackend:
    store = defaults_of(IndexedFileSystemCrashStorage, root=root(directory / "crashes"))
    return StorageBackend(store, planter(directory / "crashes"))


def memory(directory: Path) -> StorageBackend:
    store = defaults_of(InMemoryCrashStorage)
    return StorageBackend(store, store.put)


def poly(directory: Path) -> StorageBackend:
    name = class_name(FileSystemCrashStorage)
    store = PolyCrashStorage(
        defaults(
            PolyCrashStorage,
            storage_classes=f"{name}, {name}",
            **at("storage0", root=root(directory / "a")),
            **at("storage1", root=root(directory / "b")),
        )
    )
    return StorageBackend(store, planter(directory / "a"))


def benchmarked(directory: Path) -> StorageBackend:
    store = defaults_of(
        StatsdBenchmarkingWrapper,
        wrapped_crashstore=class_name(FileSystemCrashStorage),
        active_list="save_raw_and_processed, get_raw_crash",
        root=root(directory / "crashes"),
    )
    return StorageBackend(store, planter(directory / "crashes"))


def fallback(directory: Path) -> StorageBackend:
    return of_two(FallbackCrashStorage, "primary", "secondary", directory)


def primary_deferred(directory: Path) -> StorageBackend:
    return of_two(PrimaryDeferredStorage, "primary", "deferred", directory)


def s3(directory: Path) -> StorageBackend:
    options = bucket_options()
    return StorageBackend(defaults_of(BotoS3CrashStorage, **options), partial(put_object, options))


BACKENDS: dict[str, Callable[[Path], StorageBackend]] = {
    "filesystem": filesystem,
    "indexed_filesystem": indexed_filesystem,
    "memory": memory,
    "poly": poly,
    "benchmarked": benchmarked,
    "fallback": fallback,
    "primary_deferred": primary_deferred,
    "s3": s3,
}


def defaults_of(store_class, **values: object):
    return store_class(defaults(store_class, **{**LIMITS, **values}))


def of_two(store_class, first: str, second: str, directory: Path) -> StorageBackend:
    filesystem = class_name(FileSystemCrashStorage)
    config = defaults(
        store_class,
        **at(first, storage_class=filesystem, root=root(directory / first)),
        **at(second, storage_class=filesystem, root=root(directory / second)),
    )
    return StorageBackend(store_class(config), planter(directory / first))


def root(directory: Path) -> str:
    """A directory of crashes, still empty."""
    for top in ("v1", "v2"):
        (directory / top).mkdir(parents=True)
    return str(directory)


def at(namespace: str, **values: object) -> dict[str, object]:
    return {f"{namespace}.{name}": value for name, value in {**LIMITS, **values}.items()}


def planter(root: Path) -> Callable[[str, bytes], None]:
    def plant(key: str, data: bytes) -> None:
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).write_bytes(data)

    return plant
