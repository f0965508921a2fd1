"""Read the build id of an ELF file, and where its code has no name.

The file may be hostile: nothing is read beyond its end, and no count in it is trusted.

System V ABI, chapter 4: ELF Header, Sections, Symbol Table; chapter 5: Program Header, Note Section. STT_GNU_IFUNC and
NT_GNU_BUILD_ID are GNU's (glibc, elf.h). Without a build id Breakpad uses the first page of ``.text``, folded to 16
bytes (src/common/linux/file_id.cc).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cached_property
from itertools import zip_longest
from typing import NamedTuple

from socorro_processor.symbols.dump_file import DumpFile, NotUnderstood, limit

_ET_EXEC, _ET_DYN = 2, 3
_PT_LOAD, _PT_NOTE = 1, 4
_SHT_SYMTAB, _SHT_NOTE, _SHT_NOBITS, _SHT_DYNSYM = 2, 7, 8, 11
_STT_NOTYPE, _STT_FUNC, _STT_GNU_IFUNC = 0, 2, 10
_NT_GNU_BUILD_ID = 3
_PAGE = 4096
_IDENTIFIER = 16

_MAXIMUM_NOTES = 256
_LARGEST_NOTES = 1 << 16
_LARGEST_SYMBOLS = 64 << 20
_MAXIMUM_GAPS = 1 << 20


class NotLinked(NotUnderstood):
    """The file has code, but cannot be loaded: it is an object file or a core dump."""


class _Segment(NamedTuple):
    kind: int
    at: int
    address: int
    size: int


class _Section(NamedTuple):
    name: int
    kind: int
    at: int
    size: int


class ElfFile:
    """An open ELF file. Every method raises NotUnderstood."""

    def __init__(self, file: DumpFile) -> None:
        self._file = file
        bits, encoding = file.read(4, 2, "what kind of ELF it is")
        self._is_64 = bits == 2
        self.is_little_endian = encoding != 2
        self._order = "<" if self.is_little_endian else ">"
        header = struct.Struct(f"{self._order}HHI{'3Q' if self._is_64 else '3I'}I6H")
        read = header.unpack(file.read(_IDENTIFIER, header.size, "the ELF header"))
        kind, _, _, _, self._segments_at, self._sections_at, _, _, *tables = read
        self._segment_size, self._segment_count, self._section_size, self._section_count, self._names = tables
        if kind not in (_ET_EXEC, _ET_DYN):
            raise NotLinked("an ELF file that is neither a program nor a library")

    @property
    def has_code(self) -> bool:
        """False if the file holds debug information split off another file."""
        return self._text is None or self._text.kind != _SHT_NOBITS

    def build_id(self) -> bytes:
        """Return 16 bytes: the beginning of the build id, or what dumps and symbol files use in its place."""
        notes = [(each.at, each.size) for each in self._segments if each.kind == _PT_NOTE]
        notes += [(each.at, each.size) for each in self._sections if each.kind == _SHT_NOTE]
        limit(len(notes), _MAXIMUM_NOTES, "places of notes")
        build_id = next(filter(None, (self._build_id(at, size) for at, size in notes)), b"")
        if not build_id and self._text is not None and self.has_code:
            build_id = _fold(self._file.read(self._text.at, min(self._text.size, _PAGE), "the code"))
        if not build_id:
            raise NotUnderstood("it has no build id: link it with --build-id")
        return build_id[:16].ljust(16, b"\0")

    def ends_of_names(self) -> list[int]:
        """Return where named code ends and unnamed code begins, as addresses relative to the first one loaded.

        A stackwalker extends a name to the next one. In a stripped library most functions have no name.
        """
        code: dict[int, int] = {}
        for start, size in self._functions():
            code[start] = max(code.get(start, 0), size)
        base = min((each.address for each in self._segments if each.kind == _PT_LOAD), default=0)
        starts = sorted(code)
        ends = []
        end = 0
        for start, next_start in zip_longest(starts, starts[1:]):
            # A function without a size, written in assembly, extends to the next name.
            end = max(end, start + code[start] if code[start] else next_start or 0)
            if end and (next_start is None or end < next_start):
                ends.append(end - base)
        limit(len(ends), _MAXIMUM_GAPS, "gaps between names")
        return [each for each in ends if 0 <= each < 1 << 64]

    def _functions(self) -> Iterator[tuple[int, int]]:
        """Yield the address and size of each symbol that may be a function."""
        # Info, section, value and size.
        layout = struct.Struct(f"{self._order}4xBxHQQ" if self._is_64 else f"{self._order}4xIIBxH")
        tables = [each for each in self._sections if each.kind in (_SHT_SYMTAB, _SHT_DYNSYM)]
        limit(sum(each.size for each in tables), _LARGEST_SYMBOLS, "bytes of symbols")
        for table in tables:
            read = self._file.read(table.at, table.size - table.size % layout.size, "symbols")
            for fields in layout.iter_unpack(read):
                info, section, value, size = fields if self._is_64 else (fields[2], fields[3], fields[0], fields[1])
                if section and value and info & 0xF in (_STT_NOTYPE, _STT_FUNC, _STT_GNU_IFUNC):
                    yield value, size

    @cached_property
    def _segments(self) -> list[_Segment]:
        layout = struct.Struct(f"{self._order}I4xQQ8xQ" if self._is_64 else f"{self._order}III4xI")
        return [
            _Segment(*fields)
            for fields in entries(self._file, self._segments_at, self._segment_count, self._segment_size, layout)
        ]

    @cached_property
    def _sections(self) -> list[_Section]:
        layout = struct.Struct(f"{self._order}II16xQQ" if self._is_64 else f"{self._order}II8xII")
        return [
            _Section(*fields)
            for fields in entries(self._file, self._sections_at, self._section_count, self._section_size, layout)
        ]

    @cached_property
    def _text(self) -> _Section | None:
        """The section ``.text``."""
        name = b".text\0"
        if self._names >= len(self._sections):
            return None
        names = self._sections[self._names]
        named = (each for each in self._sections if each.name <= names.size - len(name))
        read = ((each, self._file.read(names.at + each.name, len(name), "a section's name")) for each in named)
        return next((section for section, text in read if text == name), None)

    def _build_id(self, at: int, size: int) -> bytes:
        """Return the build id among these notes; empty if there is none."""
        notes = self._file.read(at, size, "notes") if size <= min(_LARGEST_NOTES, self._file.size - at) else b""
        place = 0
        while place + 12 <= len(notes):
            name_size, content_size, kind = struct.unpack_from(f"{self._order}III", notes, place)
            content_at = place + 12 + -(-name_size // 4) * 4
            if kind == _NT_GNU_BUILD_ID and notes[place + 12 : place + 12 + name_size] == b"GNU\0":
                return notes[content_at : content_at + content_size]
            place = content_at + -(-content_size // 4) * 4
        return b""


def entries(file: DumpFile, at: int, count: int, size: int, layout: struct.Struct) -> Iterator[tuple[int, ...]]:
    """Read a table of ``count`` entries of ``size`` bytes, which begin with ``layout``. Raises NotUnderstood."""
    if count and size < layout.size:
        raise NotUnderstood(f"a table of entries of {size} bytes")
    for each in range(count):
        yield layout.unpack(file.read(at + each * size, layout.size, "an entry of a table"))


def _fold(code: bytes) -> bytes:
    folded = bytearray(16)
    for position, byte in enumerate(code):
        folded[position % 16] ^= byte
    return bytes(folded)
