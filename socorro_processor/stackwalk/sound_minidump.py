"""A minidump as small as can be, without a fault: what every stackwalker must be able to read."""

from __future__ import annotations

import struct

_VERSION = 0xA793
_SYSTEM_INFO, _THREAD_LIST, _MODULE_LIST = 7, 3, 4
_AMD64, _LINUX = 9, 0x8201


def sound_minidump() -> bytes:
    """One of an x86-64 Linux process without threads and modules; rust-minidump's status for it is OK."""
    nothing = struct.pack("<I", 0)
    system_info = struct.pack("<HHHBB5IHH24x", _AMD64, 0, 0, 1, 0, 0, 0, 0, _LINUX, 0, 0, 0)
    streams = {_SYSTEM_INFO: system_info, _THREAD_LIST: nothing, _MODULE_LIST: nothing}
    header = struct.pack("<4s5IQ", b"MDMP", _VERSION, len(streams), struct.calcsize("<4s5IQ"), 0, 0, 0)
    at = len(header) + len(streams) * struct.calcsize("<3I")
    directory = b""
    for kind, stream in streams.items():
        directory += struct.pack("<3I", kind, len(stream), at)
        at += len(stream)
    return header + directory + b"".join(streams.values())
