"""Symbol files in a bucket of S3, or of a server that speaks its protocol: private symbols."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

from socorro_processor.configuration import DotDict, Namespace
from socorro_processor.crashstorage.objects import NoSuchObject
from socorro_processor.crashstorage.s3_bucket import S3Bucket
from socorro_processor.errors import CrashStorageError
from socorro_processor.symbols.source import SourceAway, SymbolsNotThere

_DEFAULTS = {"bucket_name": "symbols", "number_of_tries": 1}
"""Where they differ from those of the crash store, with which it shares no values."""


def s3_options() -> Namespace:
    """The options of the bucket with symbols."""
    options = Namespace()
    for name, option in S3Bucket.get_required_config().items():
        options.add_option(
            name,
            default=_DEFAULTS.get(name, option.default),
            doc=option.doc,
            from_string_converter=option.from_string_converter,
            secret=option.secret,
            reference_value_from="secrets.symbols" if option.secret else "resource.symbols.s3",
        )
    return options


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
