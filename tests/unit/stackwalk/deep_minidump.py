"""A minidump of a thread that called itself until its stack was full."""

from __future__ import annotations

import struct

from tests.unit.symbols.written_minidump import written

_AMD64 = 9
_STACK = 0x7FFF00000000
_MODULE, _MODULE_SIZE = 0x400000, 0x100000
_CONTEXT_SIZE, _FLAGS, _STACK_POINTER, _FRAME_POINTER, _INSTRUCTION = 1232, 0x30, 0x98, 0xA0, 0xF8


def minidump_of_a_deep_stack(frames: int) -> bytes:
    """Return a dump with these frames, each found by its frame pointer, in ten functions of a module ``lib0.so``."""
    stack = b"".join(
        struct.pack("<QQ", _STACK + 16 * frame, _MODULE + 0x100 * (1 + frame % 10) + 0x20) for frame in range(1, frames)
    )
    context = bytearray(_CONTEXT_SIZE)
    struct.pack_into("<I", context, _FLAGS, 0x10000F)
    for place, value in ((_STACK_POINTER, _STACK), (_FRAME_POINTER, _STACK), (_INSTRUCTION, _MODULE + 0x120)):
        struct.pack_into("<Q", context, place, value)
    return written(
        _AMD64,
        modules=((_MODULE, _MODULE_SIZE),),
        stack=stack + bytes(64),
        context=bytes(context),
        exception_context=bytes(context),
        exception_address=_STACK - 8,
        address=_STACK,
    )
