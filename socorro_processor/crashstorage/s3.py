"""Keep crashes as objects in a bucket of S3, or of a compatible server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from socorro_processor.configuration import DotDict, Namespace, class_converter
from socorro_processor.crashstorage.base import CrashStorageBase, Dump
from socorro_processor.crashstorage.keys import DatePrefixKeyBuilder
from socorro_processor.crashstorage.objects import ObjectCrashStorage
from socorro_processor.crashstorage.s3_bucket import S3Bucket


class StorageInBucket(CrashStorageBase):
    """The base of all stores in a bucket."""

    required_config = Namespace()
    required_config.add_option(
        "resource_class",
        default=S3Bucket,
        doc="the class of the bucket",
        from_string_converter=class_converter,
        reference_value_from="resource.boto",
    )

    def __init__(self, config: DotDict) -> None:
        super().__init__(config)
        self._bucket: S3Bucket = config.resource_class(config)

    def setup(self) -> None:
        self._bucket.make()

    def check(self) -> None:
        self._bucket.check()

    def close(self) -> None:
        self._bucket.close()

    def places(self) -> set[str]:
        return {f"{type(self).__name__} in {self._bucket.place}"}

    def __str__(self) -> str:
        return f"{type(self).__name__} in {self._bucket}"


class BotoS3CrashStorage(StorageInBucket, ObjectCrashStorage):
    """Keeps each object under ``{prefix}/{key}`` of its bucket; for the keys see the module ``keys``.

    Dumps are streamed between the network and files in both directions. S3 stores an object as a whole or not at all.
    """

    required_config = Namespace()
    required_config.add_option(
        "keybuilder_class",
        default=DatePrefixKeyBuilder,
        doc="the class that makes the keys of raw crashes, the one that the collector uses",
        from_string_converter=class_converter,
        reference_value_from="resource.boto",
    )

    def __init__(self, config: DotDict) -> None:
        super().__init__(config)
        self._keys = config.keybuilder_class()

    def put(self, key: str, content: Dump) -> None:
        self._bucket.put(key, content)

    def get(self, key: str, maximum_size: int | None = None) -> bytes:
        return self._bucket.get(key, maximum_size)

    def fetch(self, key: str, path: Path, maximum_size: int) -> None:
        self._bucket.fetch(key, path, maximum_size)

    def delete(self, key: str) -> bool:
        return self._bucket.delete(key)

    def are_absent(self, keys: Iterable[str]) -> Iterator[bool]:
        return self._bucket.are_absent(keys)

    def list_folder(self, folder: str) -> Iterator[str]:
        return self._bucket.list_folder(folder)
