"""Random crashes: minidumps whose stacks point into their modules, and symbol files for these."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random

from tests.equality.random_symbols import CPUS, Cpu, random_symbols

MODULE_SIZE = 0x1000
GUID = bytes(range(1, 17))
NAMES = ("one.so", "two.pdb", "Three.PDB", "four")
SYSTEMS = (0x8201, 0x8201, 2, 0x8101, 0x8102, 0x8203)

NO_SYMBOL_FILES = ("directory", "unreadable", "link to nothing")
"""Things that may be in place of a symbol file."""


@dataclass(frozen=True)
class RandomCrash:
    dump: bytes
    symbols: dict[str, bytes]
    """Symbol files by their path in a store."""
    no_symbols: dict[str, str] = field(default_factory=dict)
    """One of ``NO_SYMBOL_FILES`` by its path in a store."""

    def write(self, directory: Path) -> None:
        """Write the minidump as ``directory/dump``, and a store of its symbol files as ``directory/symbols``."""
        (directory / "dump").write_bytes(self.dump)
        (directory / "symbols").mkdir()
        for place in (*self.symbols, *self.no_symbols):
            path = directory / "symbols" / place
            path.parent.mkdir(parents=True, exist_ok=True)
            kind = self.no_symbols.get(place)
            if kind == "directory":
                path.mkdir()
            elif kind == "link to nothing":
                path.symlink_to("nothing")
            else:
                path.write_bytes(self.symbols.get(place, b"MODULE Linux x86 1 a\n"))
                path.chmod(0 if kind == "unreadable" else 0o644)


@dataclass(frozen=True)
class Module:
    base: int
    size: int
    path: str
    record: bytes
    """The CodeView record, or nothing."""
    symbols: str | None
    """The path of its symbol file in a store."""


def random_crash(random: Random) -> RandomCrash:
    cpu = random.choice(CPUS)
    page = random.choice((0x40, 0x100, 0x400, MODULE_SIZE))
    deep = random.random() < 0.06
    modules = random_modules(random, cpu)
    symbols, no_symbols = {}, {}
    for place in {module.symbols: None for module in modules if module.symbols}:
        kind = random.random()
        if kind < 0.94:
            symbols[place] = random_symbols(random, cpu, page, deep=deep)
        elif kind < 0.97:
            no_symbols[place] = random.choice(NO_SYMBOL_FILES)
    return RandomCrash(random_dump(random, cpu, modules, page, deep), symbols, no_symbols)


def random_modules(random: Random, cpu: Cpu) -> list[Module]:
    modules: list[Module] = []
    for number in range(random.choice((1, 1, 2, 2, 3, 5))):
        base = cpu.base + 0x10000 * number
        if number == 1 and random.random() < 0.15:
            base = modules[0].base + random.choice((0, 0x10, 0x800))
        elif number > 1 and random.random() < 0.02:
            base = random.choice((0, 1, (1 << 8 * cpu.pointer) - MODULE_SIZE, (1 << 64) - 1))
        size = MODULE_SIZE if random.random() < 0.98 else random.choice((0, 1, 0x10, 0xFFFFFFFF))
        modules.append(_module(random, base, size))
    return modules


def _module(random: Random, base: int, size: int) -> Module:
    name = random.choice(NAMES)
    path = random.choice(("/lib/{}", "/lib/{}", "/opt/{}", r"C:\dir\{}", "{}", "/lib/é {}", "/lib/")).format(name)
    # Its name differs from that of its symbols.
    debug_file = name if random.random() < 0.85 else random.choice(NAMES)
    guid = GUID if random.random() < 0.8 else bytes([random.randrange(3)]) * 16
    age = random.choice((1, 1, 1, 1, 2, 0xAB))
    own_name = path.replace("\\", "/").split("/")[-1]
    debug_id = f"{_as_hexadecimal(guid)}{age:x}" if any(guid) else None
    kind = random.random()
    if kind < 0.86:
        directory = random.choice((b"", b"", b"/build/", b"c:\\b\\"))
        record = b"RSDS" + guid + struct.pack("<I", age) + directory + debug_file.encode() + b"\0"
    elif kind < 0.88:
        # Without a name, the module's own name is used.
        debug_file = own_name
        record = b"RSDS" + guid + struct.pack("<I", age) + b"\0"
    elif kind < 0.93:
        debug_file = own_name
        record = b"LEpB" + guid + random.choice((b"", b"more"))
        debug_id = f"{_as_hexadecimal(guid)}0" if any(record[4:]) else None
    elif kind < 0.96:
        record = struct.pack("<4s3I", b"NB10", 0, 0x1234ABCD, age) + debug_file.encode() + b"\0"
        debug_id = f"1234ABCD{age:x}"
    else:
        record, debug_id = random.choice((b"", b"", b"RSDS", b"what is this?")), None
    if debug_id is None or not debug_file:
        return Module(base, size, path, record, None)
    file = debug_file[:-4] if debug_file.lower().endswith(".pdb") else debug_file
    return Module(base, size, path, record, f"{debug_file}/{debug_id}/{file}.sym")


def _as_hexadecimal(guid: bytes) -> str:
    first, second, third = struct.unpack_from("<IHH", guid)
    return f"{first:08X}{second:04X}{third:04X}{guid[8:].hex().upper()}"


def random_dump(random: Random, cpu: Cpu, modules: list[Module], page: int, deep: bool) -> bytes:
    """Return a minidump; with ``deep`` nearly all of its stack points into the modules."""
    data = bytearray(32 + 9 * 12)

    def put(blob: bytes) -> int:
        data.extend(bytes(random.choice((0, 0, 1, 4))) + blob)
        return len(data) - len(blob)

    def put_name(text: str) -> int:
        wide = text.encode("utf-16-le")
        return put(struct.pack("<I", len(wide)) + wide)

    # The left-out part begins with a module's version, whose missing signature means that there is none.
    records = b"".join(
        struct.pack("<QI4xII52xII24x", m.base, m.size, 0, put_name(m.path), len(m.record), put(m.record))
        for m in modules
    )
    bases = [module.base for module in modules]
    elsewhere = cpu.base + 0x100000
    unloaded = [
        (random.choice((elsewhere, elsewhere, random.choice(bases))) + random.choice((0, 0x800)), random.choice(NAMES))
        for _ in range(random.choice((0, 0, 1, 3)))
    ]
    unloaded_records = b"".join(
        struct.pack("<Q4I", base & (1 << 64) - 1, random.choice((MODULE_SIZE, 0x10, 0)), 0, 0, put_name(name))
        for base, name in unloaded
    )
    bases += [base for base, _ in unloaded[:1]]

    stack_at = cpu.stack + random.choice((0, 0, 0, 4, 1))
    words = random.choice((0, 4, 30, 120, 120, 300)) if not deep else random.choice((120, 700, 1500))

    def word() -> int:
        kind = random.random()
        if deep and kind < 0.998:
            value = random.choice(bases) + random.randrange(page)
        elif kind < 0.6:
            value = random.choice(bases) + random.randrange(-2, page + 10)
        elif kind < 0.7:
            value = stack_at + cpu.pointer * random.randrange(words + 4)
        elif kind < 0.85:
            value = random.choice((0, 1, 0xFFFFFFFF, 4096))
        else:
            value = random.randrange(1 << 8 * cpu.pointer)
        if cpu.name == "arm64" and random.random() < 0.1:
            value |= random.randrange(1 << 16) << 48
        return value & ((1 << 8 * cpu.pointer) - 1)

    content = [word() for _ in range(words)]
    frame_pointer = _chain_frames(random, content, stack_at, cpu, bases, page) if random.random() < 0.3 else word()
    stack = b"".join(value.to_bytes(cpu.pointer, "little") for value in content)
    if random.random() < 0.1:
        stack = stack[1:] + b"\0"
    stack_pointer = (
        stack_at + cpu.pointer * random.randrange(max(words // 4, 1)) + random.choice((0, 0, 0, 0, 0, 0, 1, 2, 4))
    )
    threads = b""
    contexts = [
        random_context(random, cpu, word, stack_pointer, frame_pointer) for _ in range(random.choice((1, 1, 2, 4)))
    ]
    stack_place = put(stack)
    for number, context in enumerate(contexts):
        threads += struct.pack("<I20xQ4I", number + 1, stack_at, len(stack), stack_place, len(context), put(context))
    context = random_context(random, cpu, word, stack_pointer, frame_pointer)
    crashed = 1 if random.random() < 0.95 else random.randrange(6)
    exception = struct.pack("<I4xIIQQ128xII", crashed, 11, 0, 0, word(), len(context), put(context))
    memory_list = struct.pack("<IQII", 1, stack_at, len(stack), stack_place) if stack else struct.pack("<I", 0)
    streams = {
        7: struct.pack("<H18xI32x", cpu.number, random.choice(SYSTEMS)),
        4: struct.pack("<I", len(modules)) + records,
        3: struct.pack("<I", len(contexts)) + threads,
        5: memory_list,
    }
    if random.random() < 0.7:
        streams[6] = exception
    if unloaded:
        streams[14] = struct.pack("<3I", 12, 24, len(unloaded)) + unloaded_records
    if random.random() < 0.1:
        # The thread that wrote the dump, and the one that requested it.
        streams[0x47670001] = struct.pack("<3I", random.randrange(4), random.randrange(4), random.randrange(4))
    if random.random() < 0.02:
        del streams[random.choice(list(streams))]
    directory = b"".join(struct.pack("<3I", kind, len(blob), put(blob)) for kind, blob in streams.items())
    data[:32] = struct.pack("<4s5IQ", b"MDMP", 0xA793, len(streams), 32, 0, 0, 0)
    data[32 : 32 + len(directory)] = directory
    return bytes(data)


def _chain_frames(random: Random, content: list[int], stack_at: int, cpu: Cpu, bases: list[int], page: int) -> int:
    """Put frames into the words of a stack, each with a pointer to the next; return the pointer to the first."""
    places = [0]
    while places[-1] < len(content) - 12:
        places.append(places[-1] + random.randint(2, 10))
    for place, following in pairwise(places):
        address = random.choice(bases) + random.randrange(page)
        content[place : place + 2] = stack_at + cpu.pointer * following, address & ((1 << 8 * cpu.pointer) - 1)
    return stack_at + cpu.pointer * random.choice(places[: len(places) // 2 + 1])


def random_context(random: Random, cpu: Cpu, word: Callable[[], int], stack_pointer: int, frame_pointer: int) -> bytes:
    """Return random registers; the stack pointer is mostly in the stack."""
    sp = stack_pointer if random.random() < 0.95 else word()
    pc = cpu.base + random.randrange(0x100) if random.random() < 0.7 else word()
    if cpu.name == "x86":
        context = bytearray(716)
        struct.pack_into("<I", context, 0, 0x1003F)
        struct.pack_into("<11I", context, 0x9C, *(word() for _ in range(6)), frame_pointer, pc, 0, 0, sp)
    elif cpu.name == "amd64":
        context = bytearray(1232)
        struct.pack_into("<I", context, 0x30, 0x10001F)
        struct.pack_into("<17Q", context, 0x78, *(word() for _ in range(17)))
        struct.pack_into("<QQ", context, 0x98, sp, frame_pointer)
        struct.pack_into("<Q", context, 0xF8, pc)
    elif cpu.name == "arm":
        context = bytearray(368)
        struct.pack_into("<17I", context, 0, 0x40000006, *(word() for _ in range(16)))
        for register in (7, 11):
            struct.pack_into("<I", context, 4 + 4 * register, frame_pointer)
        struct.pack_into("<I", context, 0x38, sp)
        struct.pack_into("<I", context, 0x40, pc & 0xFFFFFFFF)
    else:
        context = bytearray(912)
        struct.pack_into("<II33Q", context, 0, 0x400007, 0, *(word() for _ in range(33)))
        struct.pack_into("<Q", context, 8 + 8 * 29, frame_pointer)
        struct.pack_into("<QQ", context, 0x100, sp, pc)
    return bytes(context)
