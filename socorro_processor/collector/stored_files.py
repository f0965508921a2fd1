"""Write the files of an upload to one sink, one behind the other, and remember where each is.

A crash store has only dumps, by name. An attachment is stored as a dump, too; its name does not begin as that of a
minidump, so no rule walks it. A name that stores refuse, have already or need themselves becomes another one,
with a note.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Literal, Protocol

from socorro_processor.collector.compression import GZIP_MAGIC, ZSTD_MAGIC, Decompressor, Gunzip, Uncompressed, Unzstd
from socorro_processor.collector.refusal import too_large
from socorro_processor.collector.submission import StoredFile
from socorro_processor.crashstorage.base import MAIN_DUMP

_MAXIMUM_NAME = 100
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9_.-]+", re.ASCII)
_RESERVED = frozenset(("dump", "crash_report", "dump_names", "dumps_removed", "processed_crash", "raw_crash"))
"""Stores keep something else of a crash under these names."""
_MAGIC = max(len(GZIP_MAGIC), len(ZSTD_MAGIC))


class Sink(Protocol):
    def write(self, data: bytes) -> object:
        """Write all of it, or raise OSError, which goes through to whoever feeds the reader."""
        ...


class StoredFiles:
    """The files of one upload. A minidump that comes compressed is stored decompressed, as stackwalkers want it."""

    def __init__(self, sink: Sink, maximum_files: int, count_decoded: Callable[[int], None]) -> None:
        """``count_decoded`` is told of decompressed bytes, and refuses those that are too many."""
        self._sink = sink
        self._maximum_files = maximum_files
        self._count_decoded = count_decoded
        self._written = 0
        self._open: _OpenFile | None = None
        self.files: list[StoredFile] = []
        self.notes: list[str] = []

    def begin(self, field_name: str, file_name: str) -> None:
        """Begin a file. Raises Refused if there are too many."""
        if len(self.files) == self._maximum_files:
            raise too_large("maximum_files", "the files of a crash", self._maximum_files)
        name = self._unique(_clean(field_name))
        kind: Literal["dump", "attachment"] = "dump" if name.startswith(MAIN_DUMP) else "attachment"
        if name != field_name:
            self.notes.append(f"the file {field_name[:100]!r} is stored as {name}")
        self._open = _OpenFile(name, kind, file_name, self._written, self._write, self._count_decoded)

    def write(self, data: bytes) -> None:
        """Write more of the file that was begun last. Raises Refused and OSError."""
        assert self._open is not None
        self._open.feed(data)

    def end(self) -> None:
        """End the file. Raises Refused if it is a compressed minidump that was cut."""
        assert self._open is not None
        stored, how = self._open.finish()
        self._open = None
        self.files.append(stored)
        if how:
            self.notes.append(f"{stored.name} was sent as {how}")

    def _write(self, data: bytes) -> None:
        self._sink.write(data)
        self._written += len(data)

    def _unique(self, name: str) -> str:
        taken = {file.name for file in self.files}
        candidate, number = name, 2
        while candidate in taken or candidate in _RESERVED:
            suffix = f"_{number}"
            candidate, number = name[: _MAXIMUM_NAME - len(suffix)] + suffix, number + 1
        return candidate


class _OpenFile:
    """The file that is being written."""

    def __init__(
        self,
        name: str,
        kind: Literal["dump", "attachment"],
        sent_as: str,
        start: int,
        write: Callable[[bytes], None],
        count_decoded: Callable[[int], None],
    ) -> None:
        self._name, self._kind, self._sent_as, self._start = name, kind, sent_as, start
        self._write = write
        self._count_decoded = count_decoded
        self._size = 0
        self._checksum = hashlib.sha256()
        self._beginning = b""
        self._decompressor: Decompressor | None = None
        self._compression = ""

    def feed(self, data: bytes) -> None:
        if self._decompressor is None:
            self._beginning += data
            if len(self._beginning) < _MAGIC:
                return
            data = self._begin()
        assert self._decompressor is not None
        self._decompressor.feed(data)

    def finish(self) -> tuple[StoredFile, str]:
        """Return the file, and the name of the compression that was undone, or an empty text."""
        if self._decompressor is None:
            data = self._begin()
            assert self._decompressor is not None
            self._decompressor.feed(data)
        self._decompressor.finish()
        stored = StoredFile(self._name, self._kind, self._sent_as, self._start, self._size, self._checksum.hexdigest())
        return stored, self._compression

    def _begin(self) -> bytes:
        """Choose the decompressor by the first bytes of the file; return these."""
        if self._kind == "dump" and self._beginning.startswith(GZIP_MAGIC):
            self._decompressor, self._compression = Gunzip(self._store_decoded), "gzip"
        elif self._kind == "dump" and self._beginning.startswith(ZSTD_MAGIC):
            self._decompressor, self._compression = Unzstd(self._store_decoded), "zstd"
        else:
            self._decompressor = Uncompressed(self._store)
        data, self._beginning = self._beginning, b""
        return data

    def _store_decoded(self, data: bytes) -> None:
        self._count_decoded(len(data))
        self._store(data)

    def _store(self, data: bytes) -> None:
        self._write(data)
        self._size += len(data)
        self._checksum.update(data)


def last_part(path: str) -> str:
    """Return a file name without its directories, in the way of Windows or of POSIX, and without control characters."""
    name = re.split(r"[\\/]", path.strip())[-1]
    return "".join(character for character in name if character.isprintable())[:255]


def _clean(name: str) -> str:
    """Return a name that stores take, as similar as possible."""
    cleaned = _NOT_IN_NAME.sub("_", last_part(name)).lstrip(".-")[:_MAXIMUM_NAME]
    return cleaned or "attachment"
