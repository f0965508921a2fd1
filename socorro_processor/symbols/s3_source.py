"""Symbol files in a bucket of S3, or of a server that speaks its protocol: private symbols."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

from socorro_processor.configuration import DotDict
from socorro_processor.crashstorage.objects import NoSuchObject
from socorro_processor.crashstorage.s3_bucket import S3Bucket
from socorro_processor.errors import CrashStorageError
from socorro_processor.symbols.source import SourceAway, SymbolsNotThere


class S3Source:
    """Objects whose key is the path in the layout, below ``prefix``."""

    def __init__(self, config: DotDict) -> None:
        """``config`` holds the values of ``s3_options``. Raises ConfigurationError."""
        self.bucket = S3Bucket(config)
        self.name = f"s3://{'/'.join(filter(None, (config.bucket_name, config.prefix.strip('/'))))}"

    def chunks(self, path: str) -> Generator[bytes]:
        try:
            with contextlib.closing(self.bucket.chunks(path, None)) as chunks:
                yield from chunks
        except NoSuchObject:
            raise SymbolsNotThere(f"no {path} in {self.name}") from None
        except CrashStorageError as error:
            raise SourceAway(str(error)) from error

    def close(self) -> None:
        self.bucket.close()
