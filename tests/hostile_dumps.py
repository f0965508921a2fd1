"""Minidumps, annotations and symbol files that a stranger could send to make a walk cost gigabytes or hours.

One function for each kind, small on disk for its cost. All are walked within the bounds of socorro-stackwalk.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from typing import Final

LONG = 200_000
"""Letters of a name."""

DEBUG_ID: Final = "0403020106050807090A0B0C0D0E0F101"
_GUID = bytes(range(1, 17))
_AMD64, _LINUX, _WINDOWS, _MACOS = 9, 0x8201, 2, 0x8101
_STACK = 0x7FFF00000000
_MODULE = 0x400000
_MODULE_SIZE = 0x1000
_CRASHED = 1
_THREADS, _MODULES, _MEMORY, _EXCEPTION, _SYSTEM, _MEMORY64, _HANDLES = 3, 4, 5, 6, 7, 9, 12
_UNLOADED, _MEMORY_INFO, _NAMES, _BREAKPAD = 14, 16, 24, 0x47670001
_CPU_INFO, _PROC_STATUS, _LSB_RELEASE, _MAPS = 0x47670003, 0x47670004, 0x47670005, 0x47670009
_CRASHPAD, _MAC_CRASH_INFO, _BOOT_ARGUMENTS, _LIMITS, _SOFT_ERRORS = (
    0x43500001,
    0x4D7A0001,
    0x4D7A0002,
    0x4D7A0003,
    0x4D7A0004,
)


_ROOM = 16
"""Entries of a directory that have room in front; a longer one comes last."""


class Writer:
    """A minidump as it grows: each part has its final place at once."""

    def __init__(self, order: str = "<", platform: int = _LINUX) -> None:
        self.order = order
        self.platform = platform
        self.data = bytearray(32 + 12 * _ROOM)
        self.streams: list[tuple[int, int, int]] = []
        self.service_pack = 0
        # Many a dump has a million records of one layout.
        self._packers: dict[str, Callable[..., bytes]] = {}

    def pack(self, layout: str, *values: int | bytes) -> bytes:
        packer = self._packers.get(layout)
        if packer is None:
            packer = self._packers[layout] = struct.Struct(self.order + layout).pack
        return packer(*values)

    def put(self, blob: bytes) -> int:
        self.data += blob
        return len(self.data) - len(blob)

    def put_name(self, name: str) -> int:
        wide = name.encode("utf-16-le" if self.order == "<" else "utf-16-be")
        return self.put(self.pack("I", len(wide)) + wide)

    def stream(self, kind: int, blob: bytes) -> None:
        self.streams.append((kind, len(blob), self.put(blob)))

    def records(self, kind: int, records: Sequence[bytes]) -> None:
        self.stream(kind, self.pack("I", len(records)) + b"".join(records))

    def extended(self, kind: int, records: Sequence[bytes], header: str = "III") -> None:
        size = struct.calcsize("<" + header)
        values = [size, len(records[0]), len(records), 0][: len(header)]
        self.stream(kind, self.pack(header, *values) + b"".join(records))

    def context(self, *, stack: int = _STACK, instruction: int = _MODULE) -> tuple[int, int]:
        """Put the registers of a thread; return size and place."""
        registers = bytearray(1232)
        registers[0x30:0x34] = self.pack("I", 0x10000F)
        registers[0x98:0xA8] = self.pack("QQ", stack, stack)  # stack pointer, frame pointer
        registers[0xF8:0x100] = self.pack("Q", instruction)
        return len(registers), self.put(bytes(registers))

    def chain(self, frames: int, address: Callable[[int], int], step: int = 16) -> bytes:
        """A stack of frames that are found by frame pointers."""
        size = step * frames + 64
        stack = bytearray(size)
        for frame in range(1, frames):
            words = self.pack("QQ", _STACK + step * frame, address(frame))
            stack[step * (frame - 1) : step * (frame - 1) + 16] = words
        return bytes(stack)

    def thread(self, number: int, stack: tuple[int, int], context: tuple[int, int]) -> bytes:
        """A thread's record, with sizes and offsets."""
        return self.pack("I20xQ4I", number, _STACK, *stack, *context)

    def exception(self, thread: int) -> None:
        self.stream(_EXCEPTION, self.pack("I4xIIQQI4x120xII", thread, 11, 0, 0, _MODULE, 0, 0, 0))

    def module(self, base: int, name_at: int, debug: tuple[int, int] = (0, 0), size: int = _MODULE_SIZE) -> bytes:
        return self.pack("QI4xII52xII24x", base, size, 0, name_at, *debug)

    def finish(self) -> bytes:
        kinds = {kind for kind, _, _ in self.streams}
        if _SYSTEM not in kinds:
            self.stream(_SYSTEM, self.pack("H18xII28x", _AMD64, self.platform, self.service_pack))
        for kind in {_THREADS, _MODULES} - kinds:
            if kind == _THREADS:
                stack = self.put(bytes(64))
                self.records(kind, [self.thread(_CRASHED, (64, stack), self.context())])
                self.exception(_CRASHED)
            else:
                self.records(kind, [self.module(_MODULE, self.put_name("app"))])
        directory = b"".join(self.pack("3I", *stream) for stream in self.streams)
        directory_at = 32
        if len(self.streams) > _ROOM:
            directory_at = self.put(directory)
        else:
            self.data[32 : 32 + len(directory)] = directory
        signature = b"MDMP" if self.order == "<" else b"PMDM"
        self.data[:32] = signature + self.pack("5IQ", 0xA793, len(self.streams), directory_at, 0, 0, 0)
        return bytes(self.data)


def many_threads(order: str = "<", threads: int = 100_000, frames: int = 20, crashed: int = 99_990) -> bytes:
    """Threads that share one stack; the one that crashed is one of the last."""
    writer = Writer(order)
    stack = writer.chain(frames, lambda frame: _MODULE + frame)
    stack_at, context = writer.put(stack), writer.context()
    numbers = range(1, threads + 1)
    writer.records(_THREADS, [writer.thread(number, (len(stack), stack_at), context) for number in numbers])
    writer.exception(min(crashed, threads))
    return writer.finish()


def thread_names(order: str = "<") -> bytes:
    """Very many threads with long, overlapping names."""
    writer = Writer(order)
    count = 50_000
    stack, context = writer.put(bytes(64)), writer.context()
    writer.records(_THREADS, [writer.thread(number, (64, stack), context) for number in range(1, count + 1)])
    names = _overlapping_names(writer, count, LONG)
    # An offset of 64 bits.
    writer.records(_NAMES, [writer.pack("IQ", number + 1, at) for number, at in enumerate(names)])
    writer.exception(_CRASHED)
    return writer.finish()


def modules_of_one_name(order: str = "<", letter: str = "a") -> bytes:
    writer = Writer(order)
    name = writer.put_name(letter * LONG)
    _modules(writer, [name] * 10_000)
    _frames_in_all_modules(writer)
    return writer.finish()


def modules_of_control_characters(order: str = "<") -> bytes:
    """Each of these letters takes six bytes in JSON."""
    return modules_of_one_name(order, "\x01")


def modules_of_overlapping_names(order: str = "<") -> bytes:
    writer = Writer(order)
    _modules(writer, _overlapping_names(writer, 10_000, LONG))
    _frames_in_all_modules(writer)
    return writer.finish()


def modules_in_thousands(order: str = "<") -> bytes:
    writer = Writer(order)
    name = writer.put_name("lib.so")
    _modules(writer, [name] * 500_000)
    _frames_in_all_modules(writer)
    return writer.finish()


def overlapping_modules(order: str = "<") -> bytes:
    writer = Writer(order)
    name = writer.put_name("lib.so")
    writer.records(_MODULES, [writer.module(_MODULE + number, name) for number in range(10_000)])
    return writer.finish()


def debug_records(order: str = "<") -> bytes:
    """Records of every kind that name the symbols of a module: megabytes."""
    writer = Writer(order, _WINDOWS)
    name = writer.put_name("app.dll")
    kinds = [
        writer.pack("I", 0x53445352) + _GUID + writer.pack("I", 1),
        writer.pack("IIII", 0x3031424E, 0, 1, 1),
        writer.pack("I", 0x4270454C) + _GUID,
        b"what",
    ]
    places = [writer.put(kind + "é".encode() * 1_000_000 + b"\0") for kind in kinds]
    modules = [
        writer.module(_MODULE + _MODULE_SIZE * number, name, (2_000_020, places[number % 4])) for number in range(5_000)
    ]
    writer.records(_MODULES, modules)
    _frames_in_all_modules(writer)
    return writer.finish()


def deep_stack(
    order: str = "<", *, name: str = "app", in_module: bool = True, crashed: bool = True, frames: int = 170_000
) -> bytes:
    """Frames found by frame pointers, of the thread that crashed or of another."""
    writer = Writer(order)
    module = writer.module(_MODULE if in_module else 0x10000, writer.put_name(name))
    # Without a module a scan finds nothing, so only frame pointers are followed.
    writer.records(_MODULES, [module])
    stack = writer.chain(frames, lambda frame: _MODULE + frame % _MODULE_SIZE)
    deep = writer.thread(1, (len(stack), writer.put(stack)), writer.context())
    shallow = writer.thread(2, (64, writer.put(bytes(64))), writer.context())
    writer.records(_THREADS, [deep, shallow])
    writer.exception(1 if crashed else 2)
    return writer.finish()


def deep_stack_of_a_long_name(order: str = "<") -> bytes:
    return deep_stack(order, name="a" * LONG, frames=10_000)


def deep_stack_of_another_thread(order: str = "<") -> bytes:
    return deep_stack(order, crashed=False)


def deep_stack_without_modules(order: str = "<") -> bytes:
    return deep_stack(order, in_module=False)


def deep_stacks_of_all_threads(order: str = "<") -> bytes:
    writer = Writer(order)
    stack = writer.chain(170_000, lambda frame: _MODULE + frame % _MODULE_SIZE)
    place, context = writer.put(stack), writer.context()
    writer.records(_THREADS, [writer.thread(number, (len(stack), place), context) for number in range(1, 1_000)])
    writer.exception(5)
    return writer.finish()


def scanned_stacks(order: str = "<") -> bytes:
    """Stacks without frame pointers, in which most words could be a return address."""
    writer = Writer(order)
    words = [_MODULE + 16 + number % 512 if number % 39 == 38 else 0x1234 for number in range(40_000)]
    stack = b"".join(writer.pack("Q", word) for word in words)
    place, context = writer.put(stack), writer.context()
    writer.records(_THREADS, [writer.thread(number, (len(stack), place), context) for number in range(1, 1_000)])
    writer.exception(5)
    return writer.finish()


def unloaded_modules(order: str = "<", *, at_one_address: bool = False, long_names: bool = False) -> bytes:
    writer = Writer(order, _WINDOWS)
    count = 100_000
    stack = writer.chain(2_000, lambda frame: 0x70000000 + frame)
    writer.records(_THREADS, [writer.thread(1, (len(stack), writer.put(stack)), writer.context())])
    writer.exception(1)
    names = _overlapping_names(writer, count, LONG) if long_names else [writer.put_name("gone.dll")] * count
    step = 0 if at_one_address else 0x1000
    writer.extended(
        _UNLOADED,
        [writer.pack("QIIII", 0x70000000 + step * number, 0x10000, 0, 0, at) for number, at in enumerate(names)],
    )
    return writer.finish()


def unloaded_modules_at_one_address(order: str = "<") -> bytes:
    return unloaded_modules(order, at_one_address=True)


def unloaded_modules_of_long_names(order: str = "<") -> bytes:
    return unloaded_modules(order, long_names=True)


def unloaded_modules_of_long_names_at_one_address(order: str = "<") -> bytes:
    return unloaded_modules(order, at_one_address=True, long_names=True)


def memory_list(order: str = "<") -> bytes:
    writer = Writer(order)
    place = writer.put(bytes(64))
    writer.records(_MEMORY, [writer.pack("QII", 0x1000 * number, 64, place) for number in range(1_000_000)])
    return writer.finish()


def memory64_list(order: str = "<") -> bytes:
    writer = Writer(order)
    count = 1_000_000
    place = writer.put(bytes(count))
    regions = b"".join(writer.pack("QQ", 0x1000 * number, 1) for number in range(count))
    writer.stream(_MEMORY64, writer.pack("QQ", count, place) + regions)
    return writer.finish()


def memory_info(order: str = "<") -> bytes:
    writer = Writer(order, _WINDOWS)
    region = [
        writer.pack("QQIIQIIII", 0x1000 * number, 0, 4, 0, 0x1000, 0x1000, 4, 0x20000, 0) for number in range(1_000_000)
    ]
    size = 16
    # The count has 64 bits; its first half is taken for the whole count.
    header = writer.pack("IIII", size, 48, len(region), 0)
    writer.stream(_MEMORY_INFO, header + b"".join(region))
    return writer.finish()


def memory_maps(order: str = "<") -> bytes:
    writer = Writer(order)
    lines = (f"{0x1000 * n:x}-{0x1000 * n + 0x1000:x} r-xp 00000000 00:00 {n} /lib/{n}.so\n" for n in range(500_000))
    writer.stream(_MAPS, "".join(lines).encode())
    return writer.finish()


def memory_maps_of_one_line(order: str = "<") -> bytes:
    writer = Writer(order)
    writer.stream(_MAPS, b"1000-2000 r-xp 00000000 00:00 1 /" + "é".encode() * 20_000_000)
    return writer.finish()


def memory_maps_with_much_of_each(order: str = "<") -> bytes:
    """Lines of /proc/self/smaps, each for an address in a map."""
    writer = Writer(order)
    lines = "".join(f"A{n}: {n} kB\n" for n in range(1_000_000))
    writer.stream(_MAPS, f"1000-2000 r-xp 00000000 00:00 1 /lib/a.so\n{lines}".encode())
    return writer.finish()


def handles(order: str = "<", size: int = 32) -> bytes:
    writer = Writer(order, _WINDOWS)
    count = 100_000
    names = _overlapping_names(writer, count, LONG)
    tail = bytes(size - 32)
    writer.extended(_HANDLES, [writer.pack("QII16x", n, at, at) + tail for n, at in enumerate(names)], "IIII")
    return writer.finish()


def long_handles(order: str = "<") -> bytes:
    return handles(order, 40)


def handle_whose_objects_never_end(order: str = "<") -> bytes:
    """An object that is followed by itself."""
    writer = Writer(order, _WINDOWS)
    place = writer.put(bytes(12))
    writer.data[place : place + 12] = writer.pack("III", place, 1, 0)
    writer.extended(_HANDLES, [writer.pack("QII16xII", 1, 0, 0, place, 0)], "IIII")
    return writer.finish()


def handles_of_no_size(order: str = "<") -> bytes:
    """Four billion records of zero bytes, which fit into any stream."""
    writer = Writer(order, _WINDOWS)
    writer.stream(_HANDLES, writer.pack("IIII", 16, 0, 0xFFFFFFFF, 0) + bytes(64))
    return writer.finish()


def streams(order: str = "<") -> bytes:
    writer = Writer(order)
    writer.exception(_CRASHED)
    stack = writer.put(bytes(64))
    writer.records(_THREADS, [writer.thread(_CRASHED, (64, stack), writer.context())])
    writer.records(_MODULES, [writer.module(_MODULE, writer.put_name("app"))])
    writer.stream(_SYSTEM, writer.pack("H18xI32x", _AMD64, _LINUX))
    writer.streams += [(0x10000 + number, 4, 32) for number in range(1_000_000)]
    return writer.finish()


def soft_errors(order: str = "<") -> bytes:
    """Two of these letters take a hundred bytes in memory."""
    writer = Writer(order)
    writer.stream(_SOFT_ERRORS, b"[" + b'{"":[]},' * 1_000_000 + b"1]")
    return writer.finish()


def small_soft_errors(order: str = "<") -> bytes:
    writer = Writer(order)
    writer.stream(_SOFT_ERRORS, b"[" + b'{"":[]},' * 16_000 + b"1]")
    return writer.finish()


def deep_soft_errors(order: str = "<") -> bytes:
    writer = Writer(order)
    writer.stream(_SOFT_ERRORS, b"[" * 60_000 + b"]" * 60_000)
    return writer.finish()


def mac_crash_info(order: str = "<") -> bytes:
    """Twenty records at the same place, with strings of megabytes."""
    writer = Writer(order, _MACOS)
    strings = b"".join("\x01é".encode() * 1_000_000 + b"\0" for _ in range(5))
    record = writer.pack("QQQQQ", _MAC_CRASH_INFO, 5, 1, 0, 0) + strings
    place = writer.put(record)
    places = writer.pack("II", len(record), place) * 20
    writer.stream(_MAC_CRASH_INFO, writer.pack("III", _MAC_CRASH_INFO, 20, 40) + places)
    return writer.finish()


def texts(order: str = "<") -> bytes:
    writer = Writer(order)
    many = range(200_000)
    writer.stream(_LSB_RELEASE, b"DISTRIB_ID=" + b"\xff\x01" * 4_000_000)
    limits = "".join(f"Max {number}  {number}  unlimited  files\n" for number in many)
    writer.stream(_LIMITS, b"Limit  Soft Limit  Hard Limit  Units\n" + limits.encode())
    writer.stream(_CPU_INFO, b"processor : 1\n" * 1_000_000)
    writer.stream(_PROC_STATUS, b"Name: a\n" * 1_000_000)
    return writer.finish()


def system_names(order: str = "<") -> bytes:
    writer = Writer(order, _MACOS)
    name = writer.put_name("a" * 20_000_000)
    writer.service_pack = name
    writer.stream(_BOOT_ARGUMENTS, writer.pack("IQ", _BOOT_ARGUMENTS, name))
    return writer.finish()


def crashpad_annotations(order: str = "<") -> bytes:
    """A dictionary of a hundred thousand entries, shared by a thousand modules."""
    writer = Writer(order)
    count = 100_000
    key = writer.put(writer.pack("I", 1_000) + b"k" * 1_000 + b"\0")
    value = writer.put(writer.pack("I", 100_000) + b"v" * 100_000 + b"\0")
    entries = writer.pack("I", count) + writer.pack("II", key, value) * count
    entries_at = writer.put(entries)
    listed = writer.pack("I", count) + writer.pack("I", value) * count
    listed_at = writer.put(listed)
    objects = writer.pack("I", count) + writer.pack("IHHI", key, 1, 0, value) * count
    objects_at = writer.put(objects)
    places = (len(listed), listed_at, len(entries), entries_at, len(objects), objects_at)
    module_at = writer.put(writer.pack("I6I", 1, *places))
    links = writer.pack("I", 1_000) + writer.pack("III", 0, 28, module_at) * 1_000
    links_at = writer.put(links)
    info = writer.pack("I", 1) + bytes(32) + writer.pack("4I", len(entries), entries_at, len(links), links_at)
    writer.stream(_CRASHPAD, info)
    return writer.finish()


def all_at_once(order: str = "<") -> bytes:
    """Everything as large as counts allow, at the same time."""
    writer = Writer(order)
    stack = writer.chain(600, lambda frame: _MODULE + _MODULE_SIZE * (frame % 300))
    place, context = writer.put(stack), writer.context()
    numbers = range(1, 5_001)
    writer.records(_THREADS, [writer.thread(number, (len(stack), place), context) for number in numbers])
    writer.exception(4_999)
    names = _overlapping_names(writer, 20_000, LONG)
    _modules(writer, names)
    writer.records(_NAMES, [writer.pack("IQ", number, names[number]) for number in numbers])
    writer.extended(
        _UNLOADED, [writer.pack("QIIII", 0x70000000, 0x10000, 0, 0, names[number]) for number in range(5_000)]
    )
    writer.extended(_HANDLES, [writer.pack("QII16x", n, at, at) for n, at in enumerate(names)] * 2, "IIII")
    memory = writer.put(bytes(64))
    writer.records(_MEMORY, [writer.pack("QII", 0x1000 * number, 64, memory) for number in range(200_000)])
    lines = (f"{0x1000 * n:x}-{0x1000 * n + 0x1000:x} r-xp 00000000 00:00 {n} /lib/{n}.so\n" for n in range(100_000))
    writer.stream(_MAPS, "".join(lines).encode())
    info = [
        writer.pack("QQIIQIIII", 0x1000 * number, 0, 4, 0, 0x1000, 0x1000, 4, 0x20000, 0) for number in range(100_000)
    ]
    writer.stream(_MEMORY_INFO, writer.pack("IIII", 16, 48, len(info), 0) + b"".join(info))
    writer.stream(_SOFT_ERRORS, b"[" + b'{"":[]},' * 16_000 + b"1]")
    return writer.finish()


KINDS: Final[dict[Callable[[str], bytes], tuple[str, ...]]] = {
    many_threads: ("threads", "unfinished_stacks"),
    thread_names: ("threads", "thread_names", "names"),
    modules_of_one_name: ("names",),
    modules_of_control_characters: ("names",),
    modules_of_overlapping_names: ("names",),
    modules_in_thousands: ("modules",),
    overlapping_modules: (),
    debug_records: ("debug_records",),
    deep_stack: ("frames",),
    deep_stack_of_a_long_name: ("frames", "names"),
    deep_stack_of_another_thread: ("frames",),
    deep_stack_without_modules: ("frames",),
    deep_stacks_of_all_threads: ("frames", "unfinished_stacks"),
    scanned_stacks: ("frames", "unfinished_stacks"),
    unloaded_modules: ("unloaded_modules",),
    unloaded_modules_at_one_address: ("unloaded_modules", "unloaded_modules_of_a_frame"),
    unloaded_modules_of_long_names: ("unloaded_modules", "names"),
    unloaded_modules_of_long_names_at_one_address: ("unloaded_modules", "unloaded_modules_of_a_frame", "names"),
    memory_list: ("memory_regions",),
    memory64_list: ("memory_regions",),
    memory_info: ("memory_info",),
    memory_maps: ("memory_maps_bytes",),
    memory_maps_of_one_line: ("memory_maps_bytes",),
    memory_maps_with_much_of_each: ("memory_maps_bytes",),
    handles: ("handles", "names"),
    long_handles: ("handles", "names"),
    handle_whose_objects_never_end: (),
    handles_of_no_size: (),
    streams: ("streams",),
    soft_errors: ("soft_errors",),
    small_soft_errors: (),
    deep_soft_errors: (),
    mac_crash_info: ("mac_crash_info",),
    texts: ("lsb_release", "proc_limits", "cpu_info", "proc_status"),
    system_names: ("names",),
    crashpad_annotations: (),
    all_at_once: ("threads", "modules", "handles", "memory_regions", "memory_maps", "memory_info", "names"),
}
"""The kinds of dumps, each with the names of the bounds that the walk must report."""


def certificates() -> bytes:
    """Annotations in which one signer with a long name signed very many modules."""
    modules = [f"m{number}" for number in range(200_000)]
    return json.dumps({"ModuleSignatureInfo": json.dumps({"s" * 1_000_000: modules, "t": ["app"]})}).encode()


def crash_with_symbols() -> bytes:
    """A deep stack in a module whose symbols are at ``app/DEBUG_ID/app.sym``."""
    writer = Writer()
    debug = b"RSDS" + _GUID + struct.pack("<I", 1) + b"app\0"
    writer.records(_MODULES, [writer.module(_MODULE, writer.put_name("app"), (len(debug), writer.put(debug)))])
    stack = writer.chain(50_000, lambda frame: _MODULE + 16 + frame % 512)
    writer.records(
        _THREADS, [writer.thread(1, (len(stack), writer.put(stack)), writer.context(instruction=_MODULE + 16))]
    )
    writer.exception(1)
    return writer.finish()


def symbols_of_many_inlines(inlines: int = 10_000) -> bytes:
    lines = [f"MODULE Linux x86_64 {DEBUG_ID} app", "FILE 0 app.c"]
    lines += [f"INLINE_ORIGIN {number} inlined{number}" for number in range(inlines)]
    lines += ["FUNC 0 1000 0 outer"]
    lines += [f"INLINE {number} 1 0 {number} 0 1000" for number in range(inlines)]
    return "\n".join([*lines, "0 1000 1 0", ""]).encode()


def symbols_of_long_names(letters: int = 150_000) -> bytes:
    """Names that are as long as a line may be, in all kinds of records."""
    name = "é" * (letters // 2)
    lines = [f"MODULE Linux x86_64 {DEBUG_ID} app", f"FILE 0 {name}", f"INLINE_ORIGIN 0 {name}"]
    lines += [f"FUNC 0 1000 0 {name}", "INLINE 0 1 0 0 0 1000", "0 1000 1 0", ""]
    return "\n".join(lines).encode()


def symbols_of_a_megabyte() -> bytes:
    """A name that is too long for any reader of symbol files."""
    return symbols_of_long_names(1_000_000)


def symbols_of_endless_rules() -> bytes:
    """Rules that give each frame a caller, and of which each frame reads all."""
    lines = [f"MODULE Linux x86_64 {DEBUG_ID} app", "FUNC 0 1000 0 app"]
    lines += ["STACK CFI INIT 0 1000 .cfa: $rsp 16 + .ra: .cfa 8 - ^"]
    lines += [f"STACK CFI 1 $rbx: .cfa {number} - ^" for number in range(100_000)]
    return "\n".join([*lines, ""]).encode()


SYMBOLS: Final[dict[Callable[[], bytes], tuple[str, ...]]] = {
    symbols_of_many_inlines: ("inlines", "unfinished_stacks"),
    symbols_of_long_names: ("frames", "symbol_names"),
    symbols_of_a_megabyte: ("frames",),
    symbols_of_endless_rules: ("lookups", "unfinished_stacks"),
}


def _modules(writer: Writer, names: Sequence[int]) -> None:
    """Put modules one after the other."""
    writer.records(_MODULES, [writer.module(_MODULE + _MODULE_SIZE * number, at) for number, at in enumerate(names)])


def _frames_in_all_modules(writer: Writer) -> None:
    stack = writer.chain(10_000, lambda frame: _MODULE + _MODULE_SIZE * frame)
    writer.records(_THREADS, [writer.thread(_CRASHED, (len(stack), writer.put(stack)), writer.context())])
    writer.exception(_CRASHED)


def _overlapping_names(writer: Writer, count: int, letters: int) -> list[int]:
    """Put names that are all long and different; each begins within the one before."""
    # Any four of its letters, read as a length, give a length that fits into the file.
    length = writer.pack("I", letters * 2)
    unit = {"<": b"\x61\x00", ">": b"\x00\x61"}[writer.order]
    blob = bytearray()
    for _ in range(count):
        blob += length + unit * 2
    blob += unit * (letters + 8)
    start = writer.put(bytes(blob))
    return [start + 8 * number for number in range(count)]
