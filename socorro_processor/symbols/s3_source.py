"""Symbol files in a bucket on S3, or on a server that speaks its protocol: private symbols."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Generator

from socorro_processor.configuration import DotDict
from socorro_processor.crashstorage.objects import NoSuchObject
from socorro_processor.crashstorage.s3_bucket import S3Bucket
from socorro_processor.errors import CrashStorageError
from socorro_processor.machine.request_deadline import Deadline, Deadlines
from socorro_processor.symbols.source import SourceAway, SymbolsNotThere


class S3Source:
    """A bucket of symbol files. A key is the path in the layout, after ``prefix``."""

    def __init__(self, config: DotDict, download_timeout: float) -> None:
        """``config`` has the options of ``s3_options``. Raises ConfigurationError."""
        self.bucket = S3Bucket(config)
        self._answer_time: float = config.number_of_tries * (config.connection_timeout + config.read_timeout)
        self._download_timeout = download_timeout
        self._deadlines = Deadlines()
        self.name = f"s3://{'/'.join(filter(None, (config.bucket_name, config.prefix.strip('/'))))}"

    def chunks(self, path: str) -> Generator[bytes]:
        with self._deadlines.within(self._download_timeout) as deadline:
            try:
                yield from self._chunks(path, deadline)
            except NoSuchObject:
                raise SymbolsNotThere(f"no {path} in {self.name}") from None
            except CrashStorageError as error:
                raise SourceAway(f"{self.name}: {deadline.reason}" if deadline.reason else str(error)) from error

    def _chunks(self, path: str, deadline: Deadline) -> Generator[bytes]:
        deadline.step(self._answer_time, f"did not answer within {self._answer_time:g} s")
        answered = functools.partial(deadline.step, self._download_timeout, "")
        with contextlib.closing(self.bucket.chunks(path, None, answered)) as chunks:
            while True:
                with deadline.here():
                    chunk = next(chunks, b"")
                if deadline.reason:
                    # Without a length, a connection that was cut looks like the end of the file.
                    raise SourceAway(f"{self.name}: {deadline.reason}")
                if not chunk:
                    return
                yield chunk

    def close(self) -> None:
        self._deadlines.close("the processor ends")
        self.bucket.close()
