"""The smallest minidumps to try a stackwalker with.

The structures are in Microsoft's ``minidumpapiset.h``: MINIDUMP_HEADER, MINIDUMP_DIRECTORY, MINIDUMP_SYSTEM_INFO,
MINIDUMP_THREAD, MINIDUMP_MODULE. The number for Linux is Breakpad's (``minidump_format.h``, MD_OS_LINUX);
``symbols/binary.py`` cites the specification of the module's record.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

_VERSION = 0xA793
_THREAD_LIST, _MODULE_LIST, _SYSTEM_INFO = 3, 4, 7
_AMD64, _LINUX = 9, 0x8201
_HEADER = struct.Struct("<4s5IQ")
_DIRECTORY_ENTRY = struct.Struct("<3I")

MODULE_NAME, MODULE_ID = "judged", "0403020106050807090A0B0C0D0E0F100"
"""The debug file and the debug id of the module of ``minidump_with_a_module``."""
_GUID = bytes(range(1, 17))
_BASE, _SIZE = 0x400000, 0x1000
_CONTEXT_FLAGS, _RIP = 0x30, 0xF8
"""Offsets in CONTEXT of x86-64, of 1,232 bytes (``winnt.h``)."""


def sound_minidump() -> bytes:
    """Return the minidump of an x86-64 Linux process without threads and modules, which every stackwalker can read."""
    return _Minidump().with_streams({_THREAD_LIST: _list(), _MODULE_LIST: _list()})


def minidump_with_a_module() -> bytes:
    """Return the minidump of a thread in the only module, whose symbol file a walk reads."""
    dump = _Minidump()
    name = MODULE_NAME.encode("utf-16-le")
    name_at = dump.put(struct.pack("<I", len(name)) + name)
    code_view = b"RSDS" + _GUID + struct.pack("<I", 0) + MODULE_NAME.encode() + b"\0"
    module = struct.pack("<QI4xII52xII24x", _BASE, _SIZE, 0, name_at, len(code_view), dump.put(code_view))
    context = bytearray(1232)
    struct.pack_into("<I", context, _CONTEXT_FLAGS, 0x100003)
    struct.pack_into("<Q", context, _RIP, _BASE)
    thread = struct.pack("<I20xQ4I", 1, 0, 0, 0, len(context), dump.put(bytes(context)))
    return dump.with_streams({_THREAD_LIST: _list(thread), _MODULE_LIST: _list(module)})


def _list(*items: bytes) -> bytes:
    return struct.pack("<I", len(items)) + b"".join(items)


class _Minidump:
    def __init__(self) -> None:
        self._data = bytearray(_HEADER.size + 3 * _DIRECTORY_ENTRY.size)

    def put(self, data: bytes) -> int:
        """Append data and return its offset."""
        self._data += data
        return len(self._data) - len(data)

    def with_streams(self, streams: Mapping[int, bytes]) -> bytes:
        """Return the whole file, with the system's information and two more streams, by their type."""
        all_streams = {
            _SYSTEM_INFO: struct.pack("<HHHBB5IHH24x", _AMD64, 0, 0, 1, 0, 0, 0, 0, _LINUX, 0, 0, 0),
            **streams,
        }
        _HEADER.pack_into(self._data, 0, b"MDMP", _VERSION, len(all_streams), _HEADER.size, 0, 0, 0)
        for number, (kind, stream) in enumerate(all_streams.items()):
            at = _HEADER.size + number * _DIRECTORY_ENTRY.size
            place = self.put(stream)
            _DIRECTORY_ENTRY.pack_into(self._data, at, kind, len(stream), place)
        return bytes(self._data)
