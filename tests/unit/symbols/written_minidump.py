"""Minidumps of a few hundred bytes, with the content that a test wants."""

from __future__ import annotations

import struct

GUID = bytes(range(1, 17))
MODULES = ((0x7F0000010000, 0x10000),)

_LINUX = 0x8201


def written(
    cpu: int,
    *,
    modules: tuple[tuple[int, int], ...] = MODULES,
    stack: bytes = b"",
    memory: bytes = b"",
    memory64: bytes = b"",
    context: bytes = b"",
    exception_context: bytes = b"",
    exception_address: int = 0,
    address: int = 0x1000,
    padding: int = 0,
    names: tuple[str, ...] = (),
    platform: int = _LINUX,
    module_count: int | None = None,
    name_size: int | None = None,
    memory64_count: int | None = None,
    memory64_size: int | None = None,
    stack_at: int | None = None,
) -> bytes:
    """One thread; memory begins at ``address``. The last arguments are lies about what is there."""
    data = bytearray(32 + 6 * 12)

    def put(blob: bytes) -> int:
        data.extend(bytes(padding) + blob)
        return len(data) - len(blob)

    entries = b""
    for number, (base, size) in enumerate(modules):
        name = (names[number] if number < len(names) else f"lib{number}.so").encode("utf-16-le")
        name_at = put(struct.pack("<I", len(name) if name_size is None else name_size) + name)
        record = b"LEpB" + GUID[:15] + bytes([number % 256])
        entries += struct.pack("<QI4xII52xII24x", base, size, 0, name_at, len(record), put(record))
    count = len(modules) if module_count is None else module_count
    stack_place = put(stack) if stack_at is None else stack_at
    thread = struct.pack("<I20xQ4I", 1, address, len(stack), stack_place, len(context), put(context))
    context_place = put(exception_context)
    exception = struct.pack("<I20xQ128xII", 1, exception_address, len(exception_context), context_place)
    memory_place, memory64_place = put(memory), put(memory64)
    size64 = len(memory64) if memory64_size is None else memory64_size
    count64 = 1 if memory64_count is None else memory64_count
    streams = {
        7: struct.pack("<H18xI32x", cpu, platform),
        4: struct.pack("<I", count) + entries,
        3: struct.pack("<I", 1) + thread,
        6: exception,
        5: struct.pack("<IQII", 1, address, len(memory), memory_place),
        9: struct.pack("<QQQQ", count64, memory64_place, address, size64),
    }
    directory = b"".join(struct.pack("<3I", kind, len(blob), put(blob)) for kind, blob in streams.items())
    data[:32] = struct.pack("<4s5IQ", b"MDMP", 0xA793, len(streams), 32, 0, 0, 0)
    data[32 : 32 + len(directory)] = directory
    return bytes(data)
