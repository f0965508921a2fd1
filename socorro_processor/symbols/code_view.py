"""The CodeView record of a module in a minidump: under which name and id its symbols are filed.

Names and ids are those that rust-minidump prints.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

NO_DEBUG_ID = "0" * 33
"""What is printed of a module that has none."""

_PDB70, _PDB20, _ELF = b"RSDS", b"NB10", b"LEpB"
_GUID = 16


class Names(NamedTuple):
    debug_file: str
    debug_id: str
    code_id: str


def names(record: bytes, module_name: str, code_id: str, is_apple: bool) -> Names:
    """What is known of a module with this record. ``code_id`` is Windows', empty elsewhere. Raises ValueError."""
    if len(record) < 4:
        if record:
            raise ValueError(f"{len(record)} bytes")
        return Names("", NO_DEBUG_ID, code_id)
    kind, body = record[:4], record[4:]
    if kind == _PDB70:
        _need(body, _GUID + 4)
        (age,) = struct.unpack_from("<I", body, _GUID)
        guid = _guid(body)
        debug_id = f"{guid}{age:x}" if guid.strip("0") else NO_DEBUG_ID
        return Names(_file_name(body[_GUID + 4 :]), debug_id, guid.lower() if is_apple else code_id)
    if kind == _PDB20:
        _need(body, 12)
        _, signature, age = struct.unpack_from("<3I", body)
        return Names(_file_name(body[12:]), f"{signature:08X}{age:x}", code_id)
    if kind == _ELF:
        name = base_name(module_name)
        if not body.strip(b"\0"):  # a font, say: mapped, but no code
            return Names(name, NO_DEBUG_ID, "")
        return Names(name, f"{_guid(body.ljust(_GUID, bytes(1)))}0", body.hex())
    return Names("", NO_DEBUG_ID, code_id)


def base_name(path: str) -> str:
    """The last part of a path, be it of Windows or another system."""
    return path.replace("\\", "/").rpartition("/")[2]


def _need(body: bytes, size: int) -> None:
    if len(body) < size:
        raise ValueError(f"{len(body)} bytes where at least {size} were expected")


def _file_name(data: bytes) -> str:
    return base_name(data.split(b"\0", 1)[0].decode("utf-8", "replace"))


def _guid(data: bytes) -> str:
    """The first three of its numbers are little-endian."""
    first, second, third = struct.unpack_from("<IHH", data)
    return f"{first:08X}{second:04X}{third:04X}{data[8:_GUID].hex().upper()}"
