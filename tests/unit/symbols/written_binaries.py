"""Binaries that no linker made: the minimum of PE, PDB and Mach-O that has an id."""

from __future__ import annotations

import struct
from uuid import UUID

ID = UUID("5a9832e5-2872-41c1-838e-d98914e9b7ff")
DEBUG_ID = ID.hex.upper()
_VARIANT = {0x1000007: 3}
"""The subtypes of Mach-O processors that are not 0."""


def pe(pdb_path: bytes, age: int = 1) -> bytes:
    """A program for x86-64, with a section that has the debug directory."""
    record = b"RSDS" + ID.bytes_le + struct.pack("<I", age) + pdb_path + b"\0"
    data = bytearray(0x400)
    data[:2] = b"MZ"
    struct.pack_into("<I", data, 0x3C, 0x80)
    struct.pack_into("<4sHHIIIHH", data, 0x80, b"PE\0\0", 0x8664, 1, 0, 0, 0, 240, 0x22)
    optional = 0x98
    struct.pack_into("<HBBIIIII", data, optional, 0x20B, 14, 0, 0, 0x200, 0, 0, 0x1000)
    struct.pack_into(
        "<QIIHHHHHHIIIIHH", data, optional + 24, 1 << 32, 0x1000, 0x200, 6, 0, 0, 0, 6, 0, 0, 0x2000, 0x200, 0, 3, 0
    )
    struct.pack_into("<QQQQII", data, optional + 72, 1 << 20, 4096, 1 << 20, 4096, 0, 16)
    struct.pack_into("<II", data, optional + 112 + 6 * 8, 0x1000, 28)
    struct.pack_into("<8sIIII", data, optional + 240, b".rdata", 0x200, 0x1000, 0x200, 0x200)
    struct.pack_into("<12xIIII", data, 0x200, 2, len(record), 0x1040, 0x240)
    data[0x240 : 0x240 + len(record)] = record
    return bytes(data)


def pdb(age: int, dbi_age: int) -> bytes:
    """Streams 1 (with id and age) and 3 (DBI, with the age of the program)."""
    block = 512
    info = struct.pack("<III", 20000404, 0, age) + ID.bytes_le
    dbi = struct.pack("<iII", -1, 19990903, dbi_age) + bytes(52)
    sizes = (0, len(info), 0xFFFFFFFF, len(dbi))
    directory = struct.pack("<I4I2I", len(sizes), *sizes, 3, 4)
    magic = b"Microsoft C/C++ MSF 7.00\r\n\x1aDS\0\0\0"
    blocks = [
        magic + struct.pack("<6I", block, 1, 7, len(directory), 0, 5),
        b"",
        b"",
        info,
        dbi,
        struct.pack("<I", 6),
        directory,
    ]
    return b"".join(each.ljust(block, b"\0") for each in blocks)


def macho(identifier: UUID = ID, processor: int = 0x100000C, kind: int = 2) -> bytes:
    """A program (or ``kind`` 10: its dSYM) with a UUID and one symbol, in a segment of code."""
    name = b"\0_main\0\0"
    symbols_at = 32 + 72 + 80 + 24 + 24
    segment = struct.pack(
        "<II16s4Q4I", 0x19, 152, b"__TEXT", 1 << 32, 0x1000, 0, symbols_at + 16 + len(name), 7, 5, 1, 0
    )
    section = struct.pack("<16s16sQQ8I", b"__text", b"__TEXT", 1 << 32, 0x1000, 0, 0, 0, 0, 0x80000400, 0, 0, 0)
    table = struct.pack("<6I", 2, 24, symbols_at, 1, symbols_at + 16, len(name))
    uuid = struct.pack("<II16s", 0x1B, 24, identifier.bytes)
    header = struct.pack("<8I", 0xFEEDFACF, processor, _VARIANT.get(processor, 0), kind, 3, 152 + 24 + 24, 0, 0)
    symbol = struct.pack("<IBBHQ", 1, 0xF, 1, 0, (1 << 32) + 0x40)
    return header + segment + section + table + uuid + symbol + name


def fat(*programs: tuple[int, bytes]) -> bytes:
    """Programs for several processors in one file."""
    header = struct.pack(">II", 0xCAFEBABE, len(programs))
    content = b""
    for processor, program in programs:
        at = 4096 + len(content)
        header += struct.pack(">5I", processor, _VARIANT.get(processor, 0), at, len(program), 12)
        content += program.ljust(-(-len(program) // 4096) * 4096, b"\0")
    return header.ljust(4096, b"\0") + content
