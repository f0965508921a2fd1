"""A minidump of a few megabytes that takes a stackwalker gigabytes: very many threads that share one deep stack."""

from __future__ import annotations

import struct

_AMD64, _LINUX = 9, 0x8201
_STACK = 0x7FFF00000000


def minidump_of_threads(threads: int, frames: int = 20) -> bytes:
    """Each thread has this many frames, which are found by their frame pointers."""
    data = bytearray(32 + 3 * 12)

    def put(blob: bytes) -> int:
        data.extend(blob)
        return len(data) - len(blob)

    stack = b"".join(
        struct.pack("<QQ", _STACK + 16 * (frame + 1), 0x400000 + 16 * frame) for frame in range(1, frames)
    ) + bytes(64)
    context = bytearray(1232)
    struct.pack_into("<I", context, 0x30, 0x10000F)
    struct.pack_into("<QQ", context, 0x98, _STACK, _STACK)  # stack pointer; the frame pointer is behind it
    struct.pack_into("<Q", context, 0xA0, _STACK)
    struct.pack_into("<Q", context, 0xF8, 0x400000)
    name = "app".encode("utf-16-le")
    name_at = put(struct.pack("<I", len(name)) + name)
    module = struct.pack("<QI4xII52x16x24x", 0x400000, 0x100000, 0, name_at)
    stack_at, context_at = put(stack), put(bytes(context))
    listed = b"".join(
        struct.pack("<I20xQ4I", number, _STACK, len(stack), stack_at, len(context), context_at)
        for number in range(1, threads + 1)
    )
    streams = {
        7: struct.pack("<H18xI32x", _AMD64, _LINUX),
        4: struct.pack("<I", 1) + module,
        3: struct.pack("<I", threads) + listed,
    }
    directory = b"".join(struct.pack("<3I", kind, len(blob), put(blob)) for kind, blob in streams.items())
    data[:32] = struct.pack("<4s5IQ", b"MDMP", 0xA793, len(streams), 32, 0, 0, 0)
    data[32 : 32 + len(directory)] = directory
    return bytes(data)
