"""Identify the build of a binary: the debug file and debug id under which its symbols are stored.

    path = Path("build/app")
    for binary in identify(path, kind_of(path)):
        binary.debug_file, binary.debug_id    # "app", "E4DF04A6765287CCEA3F3C2A8BD10C440"

It reads ELF, PE, PDB and Mach-O as far as that needs. The file may be hostile: nothing is read beyond its end, and no
count in it is trusted.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PureWindowsPath

from socorro_processor.symbols.dump_file import DumpFile, NotUnderstood, ReadAhead, limit
from socorro_processor.symbols.elf import ElfFile, NotLinked, entries


class Kind(StrEnum):
    ELF = "ELF"
    PE = "PE"
    PDB = "PDB"
    MACHO = "Mach-O"


@dataclass(frozen=True)
class Binary:
    """A file with code, with debug information, or with both."""

    path: Path
    kind: Kind
    debug_file: str
    """The likely name in a store of symbols: an ELF file may have another, its SONAME."""
    debug_id: str
    has_code: bool = True
    """False if it holds debug information split off another file."""
    architecture: str = ""
    """The architecture of a Mach-O file, as dump_syms names it."""


# How files begin. ELF: System V ABI, chapter 4, ELF Identification. PDB: LLVM, The MSF File Format, The Superblock.
# Mach-O: Apple, loader.h (MH_MAGIC, MH_MAGIC_64) and fat.h (FAT_MAGIC with fat_arch, FAT_MAGIC_64 with fat_arch_64).

_MAGIC_SIZE = 32
_ELF_MAGIC = b"\x7fELF"
_PDB_MAGIC = b"Microsoft C/C++ MSF 7.00\r\n\x1aDS\0\0\0"
_MACHO_MAGIC = {b"\xce\xfa\xed\xfe": "<", b"\xcf\xfa\xed\xfe": "<", b"\xfe\xed\xfa\xce": ">", b"\xfe\xed\xfa\xcf": ">"}
_FAT_MAGIC = {b"\xca\xfe\xba\xbe": struct.Struct(">8xI8x"), b"\xca\xfe\xba\xbf": struct.Struct(">8xQ16x")}
"""The layout of an entry; only its offset is read."""

_MAXIMUM_ARCHITECTURES = 16
"""A Java class begins like a fat Mach-O file, with its version, 45 or more, in place of this number
(Java Virtual Machine Specification, 4.1)."""
_MAXIMUM_HEADERS = 1 << 16
_MAXIMUM_PATH = 1024
_MAXIMUM_DIRECTORY = 64 << 20


def kind_of(path: Path) -> Kind | None:
    """Return the kind of binary that a file begins like; None if it is not a binary. Raises NotUnderstood."""
    with DumpFile(path) as file:
        begin = file.read(0, min(_MAGIC_SIZE, file.size), "its first bytes")
    if begin.startswith(_ELF_MAGIC):
        return Kind.ELF
    if begin == _PDB_MAGIC:
        return Kind.PDB
    if begin.startswith(b"MZ"):
        return Kind.PE
    if begin[:4] in _MACHO_MAGIC:
        return Kind.MACHO
    if begin[:4] in _FAT_MAGIC and 0 < int.from_bytes(begin[4:8], "big") <= _MAXIMUM_ARCHITECTURES:
        return Kind.MACHO
    return None


def identify(path: Path, kind: Kind) -> list[Binary]:
    """Return the binary, or each binary in a fat Mach-O file. Raises NotUnderstood."""
    with DumpFile(path) as file:
        match kind:
            case Kind.ELF:
                return [_elf(path, file)]
            case Kind.PE:
                return [_pe(path, file)]
            case Kind.PDB:
                return [Binary(path, Kind.PDB, path.name, _pdb_id(file), has_code=False)]
            case Kind.MACHO:
                return [_macho(path, file, at) for at in _offsets(file)]


def _debug_id(identifier: bytes, *, swapped: bool, age: int = 0) -> str:
    """Return the debug id of an identifier of 16 bytes, whose first numbers may be little-endian.

    Breakpad, docs/symbol_files.md, MODULE records.
    """
    order = "<" if swapped else ">"
    numbers = struct.pack(">IHH", *struct.unpack(f"{order}IHH", identifier[:8]))
    return f"{(numbers + identifier[8:]).hex().upper()}{age:x}"


_SPLIT_OFF = (".debug", ".dbg")


def _elf(path: Path, file: DumpFile) -> Binary:
    elf = ElfFile(file)
    name = path.stem if not elf.has_code and path.suffix in _SPLIT_OFF else path.name
    return Binary(path, Kind.ELF, name, _debug_id(elf.build_id(), swapped=elf.is_little_endian), elf.has_code)


# PE: Microsoft, PE Format: MS-DOS Stub, COFF File Header, Optional Header Data Directories, Section Table, The .debug
# Section. The CodeView record: LLVM, llvm/Object/CVDebugRecord.h, PDB70DebugInfo

_DEBUG_DIRECTORY = 6
_CODEVIEW = 2


def _pe(path: Path, file: DumpFile) -> Binary:
    (at,) = struct.unpack("<I", file.read(0x3C, 4, "the DOS header"))
    signature, sections, optional_size, magic = struct.unpack("<4s2xH12xH2xH", file.read(at, 26, "the PE header"))
    if signature != b"PE\0\0" or magic not in (0x10B, 0x20B):
        raise NotUnderstood("it has no PE header")
    optional = at + 24
    directory = optional + (96 if magic == 0x10B else 112) + 8 * _DEBUG_DIRECTORY
    if directory + 8 > optional + optional_size:
        raise NotUnderstood("a PE file without a debug directory")
    address, size = struct.unpack("<II", file.read(directory, 8, "a data directory"))
    for each in range(sections):
        start, raw_size, raw = struct.unpack(
            "<12xIII", file.read(optional + optional_size + 40 * each, 24, "a section header")
        )
        if start <= address < start + raw_size:
            return _read_debug_directory(path, file, address - start + raw, size)
    raise NotUnderstood("it has no debug id: link it with /DEBUG, or with --build-id")


def _read_debug_directory(path: Path, file: DumpFile, at: int, size: int) -> Binary:
    limit(size // 28, _MAXIMUM_HEADERS, "entries of a debug directory")
    for each in range(size // 28):
        type_, length, record = struct.unpack("<12xII4xI", file.read(at + 28 * each, 28, "a debug directory"))
        if type_ != _CODEVIEW or not 24 <= length <= 24 + _MAXIMUM_PATH:
            continue
        signature, guid, age = struct.unpack("<4s16sI", file.read(record, 24, "a CodeView record"))
        if signature == b"RSDS":
            pdb = file.read(record + 24, length - 24, "the name of a PDB").partition(b"\0")[0]
            name = PureWindowsPath(pdb.decode("utf-8", "replace")).name or path.name
            debug_id = _debug_id(guid, swapped=True, age=age)
            return Binary(path, Kind.PE, name, debug_id)
    raise NotUnderstood("it has no debug id: link it with /DEBUG, or with --build-id")


# PDB: LLVM, The MSF File Format: The Superblock, The Stream Directory; The PDB Info Stream: Stream Header; The PDB DBI
# Stream: Stream Header

_INFO, _DBI = 1, 3


def _pdb_id(file: DumpFile) -> str:
    block_size, directory_size, map_block = struct.unpack("<I8xI4xI", file.read(32, 24, "the superblock"))
    if block_size not in (512, 1024, 2048, 4096, 8192, 16384, 32768):
        raise NotUnderstood(f"blocks of {block_size} bytes")
    limit(directory_size, _MAXIMUM_DIRECTORY, "bytes of a directory of streams")
    blocks = file.read(map_block * block_size, 4 * -(-directory_size // block_size), "the map of the directory")
    directory = b"".join(
        file.read(block * block_size, block_size, "the directory") for (block,) in struct.iter_unpack("<I", blocks)
    )
    try:
        (count,) = struct.unpack_from("<I", directory)
        sizes = struct.unpack_from(f"<{min(count, _DBI + 1)}I", directory, 4)
        firsts = []
        place = 4 + 4 * count
        for size in sizes:
            firsts.append(struct.unpack_from("<I", directory, place)[0] if size not in (0, 0xFFFFFFFF) else None)
            place += 4 * -(-size // block_size) if size != 0xFFFFFFFF else 0
    except struct.error as error:
        raise NotUnderstood("a directory of streams that is too short") from error
    if len(firsts) <= _DBI or firsts[_INFO] is None:
        raise NotUnderstood("a PDB without its own id")
    age, guid = struct.unpack("<I16s", file.read(firsts[_INFO] * block_size + 8, 20, "the info stream"))
    if firsts[_DBI] is not None:
        (age,) = struct.unpack("<I", file.read(firsts[_DBI] * block_size + 8, 4, "the DBI stream"))
    return _debug_id(guid, swapped=True, age=age)


# Mach-O: Apple, loader.h: mach_header, load_command, uuid_command; fat.h: fat_header, fat_arch; processors: machine.h

_MH_OBJECT, _MH_DSYM = 1, 10
_LC_UUID = 0x1B
_ARCHITECTURES = {
    (0x7, None): "x86",
    (0x1000007, None): "x86_64",
    (0x1000007, 8): "x86_64h",
    (0xC, 9): "armv7",
    (0xC, 11): "armv7s",
    (0x100000C, None): "arm64",
    (0x100000C, 2): "arm64e",
}
"""Architectures by processor and variant; None stands for any other variant."""


def _offsets(file: DumpFile) -> list[int]:
    magic, count = struct.unpack(">4sI", file.read(0, 8, "the Mach-O header"))
    layout = _FAT_MAGIC.get(magic)
    if layout is None:
        return [0]
    return [offset for (offset,) in entries(file, 8, count, layout.size, layout)]


def _macho(path: Path, file: DumpFile, at: int) -> Binary:
    order = _MACHO_MAGIC.get(magic := file.read(at, 4, "the Mach-O header"))
    if order is None:
        raise NotUnderstood("a fat Mach-O file with an entry that is not Mach-O")
    processor, variant, kind, count = struct.unpack(f"{order}4I", file.read(at + 4, 16, "the Mach-O header"))
    variant &= 0xFFFFFF
    architecture = _ARCHITECTURES.get((processor, variant)) or _ARCHITECTURES.get((processor, None))
    if kind == _MH_OBJECT:
        raise NotLinked("a Mach-O file that is neither a program nor a library")
    if architecture is None:
        raise NotUnderstood(f"a Mach-O file for processor {processor:#x}")
    limit(count, _MAXIMUM_HEADERS, "load commands")
    place = at + (32 if magic[0 if order == "<" else 3] == 0xCF else 28)
    commands = ReadAhead(file, "a load command")
    for _ in range(count):
        command, size = struct.unpack(f"{order}II", commands.read(place, 8))
        if command == _LC_UUID:
            debug_id = _debug_id(commands.read(place + 8, 16), swapped=False)
            return Binary(path, Kind.MACHO, path.name, debug_id, kind != _MH_DSYM, architecture)
        place += max(size, 8)
    raise NotUnderstood("it has no UUID")
