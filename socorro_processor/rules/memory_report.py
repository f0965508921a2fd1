"""The rule that unpacks the memory report, which an application writes when it runs out of memory."""

from __future__ import annotations

import errno
import zlib
from pathlib import Path
from typing import Any

from socorro_processor.configuration import Namespace, WholeNumber
from socorro_processor.errors import ProcessingEnvironmentError
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.serialization import NotJSON, decode

DUMP_NAME = "memory_report"

_GZIP = 16 + zlib.MAX_WBITS
_CHUNK = 4096
"""Bytes read at once; few, because what follows a gzip member is copied each time, and members may be tiny."""
_MAXIMUM_MEMBERS = 1000
"""Gzip members of a report. It has one or a few; a million empty ones would take too long."""

_ENVIRONMENT_ERRORS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO))
"""Errors that are about this machine, not about the report."""


class OutOfMemoryBinaryRule(Rule):
    """Unpack the memory report that came with the crash.

    Reads the dump ``memory_report``, JSON in gzip; writes ``memory_report``: the report, or
    ``{"ERROR": reason}``, with the reason as a note too.
    """

    required_config = Namespace()
    required_config.add_option(
        "max_size_uncompressed",
        default=20 * 1024 * 1024,
        doc="maximum size of an unpacked memory report, in bytes; a larger one is not kept",
        from_string_converter=WholeNumber(1),
    )

    def predicate(self, crash: Crash) -> bool:
        return DUMP_NAME in crash.dumps

    def action(self, crash: Crash) -> bool:
        try:
            crash.processed["memory_report"] = self._report(crash)
        except _UnusableReport as error:
            crash.note(f"the memory report cannot be used: {error}")
            crash.processed["memory_report"] = {"ERROR": str(error)}
            return False
        return True

    def _report(self, crash: Crash) -> Any:
        try:
            data = gunzip(crash.dumps[DUMP_NAME], self.config.max_size_uncompressed)
            return decode(data, crash.note)
        except zlib.error as error:
            raise _UnusableReport(f"it is not gzip: {error}") from error
        except NotJSON as error:
            raise _UnusableReport(f"it is {error}") from error
        except OSError as error:
            if error.errno in _ENVIRONMENT_ERRORS:
                raise ProcessingEnvironmentError(f"cannot read the memory report: {error.strerror}") from error
            raise _UnusableReport(f"it cannot be read: {error.strerror}") from error


class _UnusableReport(Exception):
    """The memory report cannot be used; the message says why, for the reader of the crash."""


def gunzip(path: Path, maximum: int) -> bytes:
    """Return the content of a gzip file of one or more members.

    Never keeps more than ``maximum`` + 1 bytes in memory. Raises zlib.error, OSError, and _UnusableReport if the
    content is larger, or its end is missing.
    """
    too_large = _UnusableReport(f"it is larger than max_size_uncompressed, {maximum} bytes")
    if path.stat().st_size > maximum:
        raise too_large
    data = bytearray()
    members = 1
    member = zlib.decompressobj(_GZIP)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            while chunk:
                if member.eof:
                    # Zeros may fill up the last block of a tape or disk.
                    if not (chunk := chunk.lstrip(b"\0")):
                        break
                    if members == _MAXIMUM_MEMBERS:
                        raise _UnusableReport(f"it has more than {_MAXIMUM_MEMBERS} gzip members")
                    members += 1
                    member = zlib.decompressobj(_GZIP)
                data += member.decompress(chunk, maximum + 1 - len(data))
                if len(data) > maximum:
                    raise too_large
                chunk = member.unused_data
    if not member.eof:
        raise _UnusableReport("its end is missing")
    return bytes(data)
