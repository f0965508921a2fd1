"""Random symbol files, and random minidumps whose stacks point into them.

All of it is small, so that records overlap, ties are common, and most addresses mean something.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from random import Random

MODULE_SIZE = 0x1000
GUID = bytes(range(1, 17))
DEBUG_ID = "0403020106050807090A0B0C0D0E0F10"
NAMES = ("one.so", "two.pdb", "Three.PDB", "four")


@dataclass(frozen=True)
class RandomCrash:
    dump: bytes
    symbols: dict[str, bytes]
    """Symbol files by their place in a store."""


@dataclass(frozen=True)
class Cpu:
    name: str
    number: int
    pointer: int
    base: int
    rules: tuple[str, ...]


def _rules(sp: str, fp: str, pointer: int, *more: str) -> tuple[str, ...]:
    by_frame = f".cfa: {fp} {2 * pointer} + .ra: .cfa {pointer} - ^ {fp}: .cfa {2 * pointer} - ^"
    return f".cfa: {sp} {{n}} + .ra: .cfa {pointer} - ^", by_frame, *more


CPUS = (
    Cpu("x86", 0, 4, 0x400000, _rules("$esp", "$ebp", 4)),
    Cpu("amd64", 9, 8, 0x7F5500400000, _rules("$rsp", "$rbp", 8)),
    Cpu("arm", 5, 4, 0x40400000, _rules("sp", "r7", 4, ".cfa: sp .ra: lr")),
    Cpu("arm64", 12, 8, 0x7100400000, _rules("sp", "x29", 8, ".cfa: sp .ra: x30")),
)
RAW_RULES = (
    "",
    "garbage",
    ".cfa: 1 .ra: 2",
    ".ra: .cfa 4 - ^",
    ".cfa: $esp 4 + .ra: 4195000",
    ".cfa: sp 8 + .ra: sp ^ 1 +",
)
PROGRAMS = (
    "$T0 $ebp = $eip $T0 4 + ^ = $ebp $T0 ^ = $esp $T0 8 + =",
    "$T0 .raSearch = $eip $T0 ^ = $esp $T0 4 + =",
    "$T0 $esp = $eip $T0 8 + ^ = $esp $T0 12 + =",
    "nonsense",
)


def random_crash(random: Random) -> RandomCrash:
    cpu = random.choice(CPUS)
    names = [random.choice(NAMES) for _ in range(random.randint(1, 3))]
    page = random.choice((0x40, 0x100, 0x400, MODULE_SIZE))
    symbols = {}
    for name in set(names):
        if random.random() < 0.95:
            file = f"{name[:-4] if name.lower().endswith('.pdb') else name}.sym"
            symbols[f"{name}/{DEBUG_ID}1/{file}"] = random_symbols(random, cpu, page)
    return RandomCrash(random_dump(random, cpu, names, page), symbols)


def random_symbols(random: Random, cpu: Cpu, page: int) -> bytes:
    lines: list[str] = []
    hexadecimal = "{:X}" if random.random() < 0.2 else "{:x}"

    def address() -> str:
        if random.random() < 0.01:
            return random.choice(("ffffffffffffffff", "fffffffffffffff0", "0000000000000010", "100000000"))
        return hexadecimal.format(random.randrange(page + 8))

    def size() -> str:
        if random.random() < 0.02:
            return random.choice(("ffffffff", "0", "00000004"))
        return hexadecimal.format(random.choice((0, 1, 4, 16, page // 8, page // 4, random.randrange(page))))

    def m() -> str:
        return "m " if random.random() < 0.1 else ""

    def number() -> int:
        return random.randrange(6)

    def file() -> None:
        lines.append(f"FILE {number()} file{random.randrange(99)}.c")

    def origin() -> None:
        lines.append(f"INLINE_ORIGIN {number()} inlined{random.randrange(99)}")

    def public() -> None:
        name = random.choice(("", "a", "b", "a b", "é", f"public{random.randrange(9)}", " x", "\tx"))
        lines.append(f"PUBLIC {m()}{address()} {random.choice(('0', '4', 'c'))} {name}")

    def function() -> None:
        start, length = random.randrange(page), random.choice((0, 1, 8, page // 8, page // 4, random.randrange(page)))
        name = random.choice(("", "f", "f 1", f"function{random.randrange(99)}"))
        lines.append(f"FUNC {m()}{start:x} {length:x} {random.choice('048')} {name}")
        for _ in range(random.choice((0, 0, 1, 3, 8))):
            kind = random.random()
            inner = start + random.randrange(-2, max(length, 1) + 2)
            if kind < 0.5:
                span = random.choice((0, 1, 8, length // 2, length))
                lines.append(f"{max(inner, 0):x} {span:x} {random.randrange(99)} {number()}")
            elif kind < 0.9:
                spans = " ".join(
                    f"{max(inner + n, 0):x} {random.choice((1, 4, length)):x}"
                    for n in range(0, 8 * random.randint(1, 2), 8)
                )
                lines.append(f"INLINE {random.randrange(3)} {random.randrange(99)} {number()} {number()} {spans}")
            else:
                origin()

    def cfi() -> None:
        def rules() -> str:
            if random.random() < 0.2:
                return random.choice(RAW_RULES)
            return random.choice(cpu.rules).format(n=cpu.pointer * random.randint(1, 6))

        lines.append(f"STACK CFI INIT {address()} {size()} {rules()}")
        for _ in range(random.choice((0, 0, 1, 3))):
            lines.append(f"STACK CFI {address()} {rules()}")

    def win() -> None:
        kind, has_program = random.choice(("41", "41", "00", "00", "40", "01", "30", "90"))
        rest = random.choice(PROGRAMS) if kind == "4" else random.choice("01")
        numbers = " ".join(f"{random.choice((0, 0, 4, 8)):x}" for _ in range(6))
        lines.append(f"STACK WIN {kind} {address()} {size()} {numbers} {has_program} {rest}")

    def other() -> None:
        lines.append(
            random.choice(
                ("", "INFO CODE_ID 12", "INFO URL https://symbols.example/x", "INFO URL ", "INFO  x", "INFO URLs")
            )
        )

    kinds = [file, origin, public, public, function, function, function, cfi, cfi, other]
    if cpu.name == "x86":
        kinds += [win, win]
    if random.random() < 0.7:
        for _ in range(4):
            file()
            origin()
    for _ in range(random.choice((0, 2, 12, 12, 30, 60))):
        random.choice(kinds)()
        if random.random() < 0.005:
            lines.append(lines[random.randrange(len(lines))])
    if random.random() < 0.9:
        lines.insert(0, f"MODULE Linux {cpu.name} {DEBUG_ID}1 a name")
    if lines and random.random() < 0.08:
        place = random.randrange(len(lines))
        lines[place] = random.choice(
            (
                lines[place].replace(" ", "  ", 1),
                lines[place].replace(" ", "\t", 1),
                lines[place][:-1],
                lines[place] + " ",
                lines[place] + "\r",
                lines[place][:3] + "\r" + lines[place][3:],
                "corrupt",
                "FUNC 1",
                "1 2 3 4",
                " ",
                "STACK CFI 10 x",
                "MODULE a b 1 c",
                "PUBLIC 0 0 " + "x" * random.choice((70_000, 79_000, 90_000, 200_000)),
            )
        )
    newline = "\r\n" if random.random() < 0.1 else "\n"
    data = (newline.join(lines) + ("" if random.random() < 0.04 else newline)).encode()
    if random.random() < 0.02 and data:
        place = random.randrange(len(data))
        data = data[:place] + bytes([random.randrange(256)]) + data[place + 1 :]
    return data


def random_dump(random: Random, cpu: Cpu, names: list[str], page: int) -> bytes:
    data = bytearray(32 + 6 * 12)

    def put(blob: bytes) -> int:
        data.extend(bytes(random.choice((0, 0, 1, 4))) + blob)
        return len(data) - len(blob)

    bases = [cpu.base + 0x10000 * number for number in range(len(names))]
    if len(bases) > 1 and random.random() < 0.15:
        bases[1] = bases[0] + random.choice((0, 0x10, 0x800))
    modules = b""
    for base, name in zip(bases, names, strict=True):
        wide = f"/lib/{name}".encode("utf-16-le")
        name_at = put(struct.pack("<I", len(wide)) + wide)
        record = b"RSDS" + GUID + struct.pack("<I", 1) + name.encode() + b"\0"
        modules += struct.pack("<QI4xII52xII24x", base, MODULE_SIZE, 0, name_at, len(record), put(record))

    stack_at = (0x10000000 if cpu.pointer == 4 else 0x7FFF0000) + random.choice((0, 0, 0, 4, 1))
    words = random.choice((0, 4, 30, 120))

    def word() -> int:
        kind = random.random()
        if kind < 0.6:
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

    def pack(value: int) -> bytes:
        return value.to_bytes(cpu.pointer, "little")

    stack = b"".join(pack(word()) for _ in range(words))
    if random.random() < 0.1:
        stack = stack[1:] + b"\0"
    stack_pointer = (
        stack_at + cpu.pointer * random.randrange(max(words // 2, 1)) + random.choice((0, 0, 0, 0, 0, 0, 1, 2, 4))
    )
    threads = b""
    contexts = [random_context(random, cpu, word, stack_pointer) for _ in range(random.choice((1, 1, 2)))]
    stack_place = put(stack)
    for number, context in enumerate(contexts):
        threads += struct.pack("<I20xQ4I", number + 1, stack_at, len(stack), stack_place, len(context), put(context))
    context = random_context(random, cpu, word, stack_pointer)
    exception = struct.pack("<I4xIIQQ128xII", 1, 11, 0, 0, word(), len(context), put(context))
    memory_list = struct.pack("<IQII", 1, stack_at, len(stack), stack_place) if stack else struct.pack("<I", 0)
    streams = {
        7: struct.pack("<H18xI32x", cpu.number, random.choice((0x8201, 0x8201, 2, 0x8101, 0x8102, 0x8203))),
        4: struct.pack("<I", len(bases)) + modules,
        3: struct.pack("<I", len(contexts)) + threads,
        5: memory_list,
    }
    if random.random() < 0.7:
        streams[6] = exception
    directory = b"".join(struct.pack("<3I", kind, len(blob), put(blob)) for kind, blob in streams.items())
    data[:32] = struct.pack("<4s5IQ", b"MDMP", 0xA793, len(streams), 32, 0, 0, 0)
    data[32 : 32 + len(directory)] = directory
    return bytes(data)


def random_context(random: Random, cpu: Cpu, word, stack_pointer: int) -> bytes:  # type: ignore[no-untyped-def]
    """Registers that point here and there; the stack pointer mostly into the stack."""
    sp = stack_pointer if random.random() < 0.95 else word()
    pc = cpu.base + random.randrange(0x100) if random.random() < 0.7 else word()
    if cpu.name == "x86":
        context = bytearray(716)
        struct.pack_into("<I", context, 0, 0x1003F)
        struct.pack_into("<11I", context, 0x9C, *(word() for _ in range(6)), word(), pc, 0, 0, sp)
    elif cpu.name == "amd64":
        context = bytearray(1232)
        struct.pack_into("<I", context, 0x30, 0x10001F)
        struct.pack_into("<17Q", context, 0x78, *(word() for _ in range(17)))
        struct.pack_into("<Q", context, 0x98, sp)
        struct.pack_into("<Q", context, 0xF8, pc)
    elif cpu.name == "arm":
        context = bytearray(368)
        struct.pack_into("<17I", context, 0, 0x40000006, *(word() for _ in range(16)))
        struct.pack_into("<I", context, 0x38, sp)
        struct.pack_into("<I", context, 0x40, pc & 0xFFFFFFFF)
    else:
        context = bytearray(912)
        struct.pack_into("<II33Q", context, 0, 0x400007, 0, *(word() for _ in range(33)))
        struct.pack_into("<QQ", context, 0x100, sp, pc)
    return bytes(context)
