"""Unpack a zip file that a stranger may have made: bounded in memory, files and bytes, whatever it says of itself.

for name, path in unpack(zip_file, directory, bounds):
    ...
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from socorro_processor.collector.stored_files import last_part
from socorro_processor.errors import SocorroError

MAGIC = b"PK\x03\x04"

_LARGEST_DIRECTORY = 4 << 20
"""Bytes of the list of files in a zip file, which is read as a whole; 1,000 files take 100 kB."""
_CHUNK = 1 << 20
_ENCRYPTED = 0x1
"""A flag of a file (APPNOTE.TXT, section 4.4.4)."""
_LONGEST_NAME = 200
"""Bytes of a file name."""


class NotUnpacked(SocorroError):
    """A zip file, or a file in it, is damaged or of a kind that is not taken; the message says why."""


class Unpacked(NamedTuple):
    """A file of a zip file."""

    name: str
    """Its name there, with its directories."""
    path: Path | None
    """None if it could not be unpacked."""
    reason: str = ""
    """Why it could not."""


def unpack(
    file: Path, directories: Iterator[Path], maximum_files: int, count: Callable[[int], None]
) -> Iterator[Unpacked]:
    """Yield each file, unpacked into one of the ``directories``, which are empty, one for each file.

    ``count`` is told of bytes before they are written, and raises what ends all. Raises NotUnpacked, OSError.
    """
    with file.open("rb") as opened:
        try:
            archive = zipfile.ZipFile(cast(BinaryIO, _BoundedReader(opened)))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error, EOFError) as error:
            raise NotUnpacked(f"it is no zip file that can be read: {error}") from error
        with archive:
            members = [each for each in archive.infolist() if not each.is_dir()]
            if len(members) > maximum_files:
                raise NotUnpacked(f"it has {len(members)} files, at most {maximum_files} are taken")
            for member in members:
                yield _unpack_one(archive, member, directories, count)


def file_name(text: str) -> str:
    """Return the last part of a name, as a file may be called here."""
    name = last_part(text).encode("utf-8", "replace")[:_LONGEST_NAME].decode("utf-8", "ignore").strip()
    return name if name.strip(".") else "file"


def _unpack_one(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, directories: Iterator[Path], count: Callable[[int], None]
) -> Unpacked:
    name = member.filename
    if member.flag_bits & _ENCRYPTED:
        return Unpacked(name, None, "it is encrypted")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Others let a file say how much memory its decompression takes.
        return Unpacked(name, None, "its compression is not deflate")
    path = next(directories) / file_name(name)
    try:
        with archive.open(member) as packed, path.open("xb") as out:
            while chunk := packed.read(_CHUNK):
                count(len(chunk))
                out.write(chunk)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, ValueError, struct.error) as error:
        path.unlink(missing_ok=True)
        return Unpacked(name, None, f"it is damaged: {error}")
    return Unpacked(name, path)


class _BoundedReader(io.RawIOBase):
    """A file of which no more is read at once than a list of files may have."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, io.SEEK_END)
        file.seek(0)

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(min(size, _LARGEST_DIRECTORY + 1) if size >= 0 else _LARGEST_DIRECTORY + 1)
        if len(data) > _LARGEST_DIRECTORY:
            raise zipfile.BadZipFile(f"its list of files has more than {_LARGEST_DIRECTORY} bytes")
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        # A place comes from the zip file: an offset that no file has is damage, not a failure of the disk.
        if whence == io.SEEK_SET and not 0 <= offset <= self._size:
            raise zipfile.BadZipFile(f"it names a place, {offset}, beyond its {self._size} bytes")
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True
