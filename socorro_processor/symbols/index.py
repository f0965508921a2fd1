"""The index of a symbol file: where in it each record stands that the stackwalker keeps, and what that covers.

With it the few records that a dump can need are read without the rest (``slicer``). It belongs to one state
of one file (size, time of change, inode), and holds what the stackwalker said of that file. As a file it is::

    magic, format version, checksum   of all that follows
    header                            JSON: of which file, what was said of it, each table's place and type
    tables                            numbers, one behind the other

It is read whole, not mapped: one that is damaged or cut short beneath a running processor does no harm.
"""

from __future__ import annotations

import json
import os
import struct
import tempfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from socorro_processor.errors import SocorroError

FORMAT = 1
_MAGIC = b"SYMINDEX"
_START = struct.Struct("<8sIII")
_MAXIMUM_HEADER = 1 << 20

TABLES = {
    "functions": ("start", "size", "at", "length", "header"),
    "publics": ("start", "at", "length"),
    "cfi": ("start", "size", "at", "length"),
    "win_frame_data": ("start", "size", "at", "length"),
    "win_fpo": ("start", "size", "at", "length"),
    "files": ("id", "at", "length"),
    "origins": ("id", "at", "length"),
}
"""Each table with its columns; sorted by the first one."""

Table = dict[str, NDArray[Any]]


class UnusableIndex(SocorroError):
    """There is none, it belongs to another state of the file, or it is damaged: it has to be built anew."""


@dataclass(frozen=True)
class FileState:
    """Which file, and in which state."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileState:
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)


@dataclass(frozen=True)
class SymbolIndex:
    """One symbol file's. Immutable."""

    file: FileState
    stackwalker: str
    """The version that judged it."""
    corrupt: bool = False
    """The stackwalker takes nothing of the file."""
    unsliceable: str = ""
    """Why the file can be used in full only; empty where it can be sliced."""
    module: bytes = b""
    """The MODULE line, with its line feed; empty where there is none."""
    url: bytes = b""
    """The INFO URL line that counts."""
    tables: Mapping[str, Table] = field(default_factory=dict)

    @property
    def memory(self) -> int:
        """Bytes that it takes up."""
        return 1000 + sum(column.nbytes for table in self.tables.values() for column in table.values())

    def save(self, path: Path) -> None:
        """Raises OSError. Whoever reads ``path`` meanwhile finds the one or the other index, whole."""
        columns = []
        tables: dict[str, dict[str, list[Any]]] = {}
        at = 0
        for name, table in self.tables.items():
            tables[name] = {}
            for column, values in table.items():
                data = numpy.ascontiguousarray(values).tobytes()
                tables[name][column] = [values.dtype.str, at, len(values)]
                columns.append(data)
                at += len(data)
        header = json.dumps(
            {
                "file": [self.file.size, self.file.mtime_ns, self.file.inode],
                "stackwalker": self.stackwalker,
                "corrupt": self.corrupt,
                "unsliceable": self.unsliceable,
                "module": self.module.decode("latin-1"),
                "url": self.url.decode("latin-1"),
                "tables": tables,
            }
        ).encode()
        checksum = zlib.crc32(header)
        for data in columns:
            checksum = zlib.crc32(data, checksum)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(_START.pack(_MAGIC, FORMAT, checksum, len(header)))
                file.write(header)
                file.writelines(columns)
            Path(temporary).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink()
            raise

    @classmethod
    def load(cls, path: Path, file: FileState, stackwalker: str) -> SymbolIndex:
        """Raises UnusableIndex unless it is that of ``file``, judged by this version of the stackwalker."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UnusableIndex(f"{path}: {error.strerror}") from error
        try:
            magic, form, checksum, header_size = _START.unpack_from(data)
            if magic != _MAGIC or form != FORMAT or header_size > _MAXIMUM_HEADER:
                raise UnusableIndex(f"{path}: another format")
            body = memoryview(data)[_START.size :]
            if zlib.crc32(body) != checksum:
                raise UnusableIndex(f"{path}: damaged")
            header = json.loads(bytes(body[:header_size]))
            if FileState(*header["file"]) != file or header["stackwalker"] != stackwalker:
                raise UnusableIndex(f"{path}: outdated")
            tables = _read_tables(header["tables"], data, _START.size + header_size)
            return cls(
                file,
                stackwalker,
                bool(header["corrupt"]),
                str(header["unsliceable"]),
                header["module"].encode("latin-1"),
                header["url"].encode("latin-1"),
                tables,
            )
        except (KeyError, TypeError, ValueError, IndexError, struct.error) as error:
            raise UnusableIndex(f"{path}: damaged") from error


def _read_tables(described: Mapping[str, Mapping[str, list[Any]]], data: bytes, start: int) -> dict[str, Table]:
    tables = {
        name: {
            column: numpy.frombuffer(data, numpy.dtype(described[name][column][0]), length, start + at)
            for column in columns
            for _, at, length in [described[name][column]]
        }
        for name, columns in TABLES.items()
        if described
    }
    for table in tables.values():
        if len({len(column) for column in table.values()}) != 1:
            raise ValueError("columns of several lengths")
    return tables
