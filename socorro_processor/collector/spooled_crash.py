"""The file of one spooled crash: its dumps, one after the other, and behind them what else is known of it.

====================  ==================================================================================
bytes                 content
====================  ==================================================================================
as the spans say      the dumps and attachments, as they arrived
length of contents    the contents: a JSON object, see ``Contents``
48 at the end         ``spooled1``, the length of the contents (8 bytes, big-endian), their SHA-256
====================  ==================================================================================

The format is this program's own. The dumps are on the disk before anyone knows what they are, so that an upload is
written once, in one file. Each has a checksum: a disk may return something else than was written.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from socorro_processor.crash_id import check_crash_id
from socorro_processor.crashqueue.base import QUEUES, QueueName
from socorro_processor.errors import InvalidCrashID, SocorroError
from socorro_processor.machine.regular_file import write_all
from socorro_processor.serialization import NotJSON, decode, encode

_END = struct.Struct(">8sQ32s")
_MAGIC = b"spooled1"
_CHUNK = 1 << 20  # bytes


class DamagedCrash(SocorroError):
    """The file of a spooled crash does not hold what was written into it."""


@dataclass(frozen=True)
class Span:
    """A dump or an attachment within the file."""

    name: str
    start: int
    size: int
    sha256: str


@dataclass(frozen=True)
class Contents:
    """All of a spooled crash but the bytes of its files."""

    crash_id: str
    raw_crash: dict[str, Any]
    files: tuple[Span, ...]
    queue: QueueName | None
    """The queue that the crash id goes into; None if the crash is deferred."""
    checksum: str
    """The checksum that tells whether two uploads are one crash."""
    unchecked_ids: tuple[str, ...] = ()
    """The ids under which the store may have had the crash before: it could not be asked in time."""

    def encoded(self) -> bytes:
        """Return the end of the file."""
        data = encode(
            {
                "crash_id": self.crash_id,
                "raw_crash": self.raw_crash,
                "files": [[file.name, file.start, file.size, file.sha256] for file in self.files],
                "queue": self.queue,
                "checksum": self.checksum,
                "unchecked_ids": self.unchecked_ids,
            }
        )
        return data + _END.pack(_MAGIC, len(data), hashlib.sha256(data).digest())


class SpooledCrash:
    """The file of a spooled crash, open for reading. Each byte that it returns was checked."""

    def __init__(self, path: Path) -> None:
        """Raises DamagedCrash, and OSError if the file cannot be read."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        self._descriptor = os.open(path, flags)
        try:
            self.contents = _read_contents(self._descriptor)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> SpooledCrash:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, span: Span) -> bytes:
        """Return a file as bytes. Raises DamagedCrash, OSError."""
        return b"".join(self._checked(span))

    def copy(self, span: Span, path: Path, write: Callable[[int, bytes], None] = write_all) -> None:
        """Write a file into a new file of its own. Raises DamagedCrash, OSError, and what ``write`` raises."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        try:
            for chunk in self._checked(span):
                write(descriptor, chunk)
        finally:
            os.close(descriptor)

    def check(self) -> None:
        """Read all of the crash. Raises DamagedCrash, OSError."""
        for span in self.contents.files:
            for _ in self._checked(span):
                pass

    def _checked(self, span: Span) -> Iterator[bytes]:
        digest = hashlib.sha256()
        for chunk in _chunks(self._descriptor, span.start, span.size):
            digest.update(chunk)
            yield chunk
        if digest.hexdigest() != span.sha256:
            raise DamagedCrash(f"{span.name} has another checksum than when it was written")


def _chunks(descriptor: int, start: int, size: int) -> Iterator[bytes]:
    end = start + size
    while start < end:
        if not (chunk := os.pread(descriptor, min(_CHUNK, end - start), start)):
            raise DamagedCrash(f"the file ends {end - start} bytes too early")
        start += len(chunk)
        yield chunk


def _read_contents(descriptor: int) -> Contents:
    size = os.fstat(descriptor).st_size
    if size < _END.size:
        raise DamagedCrash(f"the file has only {size} bytes")
    magic, length, checksum = _END.unpack(b"".join(_chunks(descriptor, size - _END.size, _END.size)))
    if magic != _MAGIC or length > size - _END.size:
        raise DamagedCrash("the file does not end as that of a spooled crash does")
    data = b"".join(_chunks(descriptor, size - _END.size - length, length))
    if hashlib.sha256(data).digest() != checksum:
        raise DamagedCrash("the raw crash has another checksum than when it was written")
    try:
        value = decode(data)
        queue = value["queue"]
        contents = Contents(
            check_crash_id(value["crash_id"]),
            value["raw_crash"],
            tuple(Span(*each) for each in value["files"]),
            queue if queue in QUEUES else None,
            value["checksum"],
            tuple(value["unchecked_ids"]),
        )
    except (NotJSON, InvalidCrashID, KeyError, TypeError) as error:
        # The checksum is right, so another version of this program wrote it.
        raise DamagedCrash(f"this version cannot read the raw crash: {type(error).__name__}: {error}") from error
    if any(span.start < 0 or span.size < 0 or span.start + span.size > size for span in contents.files):
        raise DamagedCrash("a dump lies outside of the file")
    return contents
