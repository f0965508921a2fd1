"""Random symbol files: small ones, so that records overlap, ties are common, and most addresses mean something."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

LONG = (70_000, 79_000, 81_800, 90_000, 163_000, 163_830, 163_840, 170_000)
"""Lengths of lines, in bytes, around those from which on a stackwalker's parser leaves a line out."""

IDS = 6
"""The number of ids of files and of inlined functions."""


@dataclass(frozen=True)
class Cpu:
    name: str
    number: int
    pointer: int
    """Bytes."""
    base: int
    stack: int
    rules: tuple[str, ...]
    stack_register: str

    def rules_of_a_deep_walk(self, random: Random, page: int) -> str:
        """Write CFI rules that lead through 300 to 4,000 frames to the end of memory without reading the stack."""
        step = ((1 << 8 * self.pointer) - self.stack) // random.randint(300, 4_000)
        return f".cfa: {self.stack_register} {step} + .ra: {self.base + random.randrange(page)}"


def _rules(sp: str, fp: str, pointer: int, *more: str) -> tuple[str, ...]:
    by_frame = f".cfa: {fp} {2 * pointer} + .ra: .cfa {pointer} - ^ {fp}: .cfa {2 * pointer} - ^"
    return f".cfa: {sp} {{n}} + .ra: .cfa {pointer} - ^", by_frame, *more


CPUS = (
    Cpu("x86", 0, 4, 0x400000, 0x10000000, _rules("$esp", "$ebp", 4, ".cfa: $esp 8 + $ebx: $ebx 1 +"), "$esp"),
    Cpu("amd64", 9, 8, 0x7F5500400000, 0x7FFF0000, _rules("$rsp", "$rbp", 8, ".cfa: $rsp 8 + $rbx: .undef"), "$rsp"),
    Cpu("arm", 5, 4, 0x40400000, 0x10000000, _rules("sp", "r7", 4, ".cfa: sp .ra: lr"), "sp"),
    Cpu("arm64", 12, 8, 0x7100400000, 0x7FFF0000, _rules("sp", "x29", 8, ".cfa: sp .ra: x30"), "sp"),
)
RAW_RULES = (
    "",
    "garbage",
    ".cfa: 1 .ra: 2",
    ".ra: .cfa 4 - ^",
    ".cfa: $esp 4 + .ra: 4195000",
    ".cfa: sp 8 + .ra: sp ^ 1 +",
    ".cfa: $rsp 0 / .ra: .cfa",
    ".cfa: sp 16 @ 16 + .ra: .cfa 8 - ^ nothing: 1",
    ".cfa: .undef .ra: .undef",
)
PROGRAMS = (
    "$T0 $ebp = $eip $T0 4 + ^ = $ebp $T0 ^ = $esp $T0 8 + =",
    "$T0 .raSearch = $eip $T0 ^ = $esp $T0 4 + =",
    "$T0 $ebp 16 @ = $eip $T0 4 + ^ = $ebp $T0 ^ = $esp $T0 8 + =",
    "$T0 $esp = $eip $T0 8 + ^ = $esp $T0 12 + =",
    "nonsense",
    "",
)
WIN_KINDS = ("4 1", "4 1", "4 1", "0 0", "0 0", "4 0", "0 1", "3 0", "9 0", "f 0", "4 2")
INFOS = ("", "INFO CODE_ID 12", "INFO URL https://symbols.example/x", "INFO URL ", "INFO  x", "INFO URLs", "INFO URL")
JUNK = ("corrupt", "FUNC 1", "1 2 3 4", " ", "STACK CFI 10 x", "MODULE a b 1 c", "INLINE 0 1 1 1 10 4", "\0", "FUNC")


def random_symbols(random: Random, cpu: Cpu, page: int, *, deep: bool = False) -> bytes:
    """Return the bytes of a symbol file whose records are in the first ``page`` bytes of a module.

    One of ``deep`` unwinds every address there.
    """
    return RandomSymbols(random, cpu, page).file(deep)


class RandomSymbols:
    def __init__(self, random: Random, cpu: Cpu, page: int) -> None:
        self._random = random
        self._cpu = cpu
        self._page = page
        self._lines: list[str] = []
        self._hexadecimal = "{:X}" if random.random() < 0.2 else "{:x}"
        # The parser accepts only as many digits as fit: one longer number makes the file corrupt.
        self._overflows = random.random() < 0.04
        self._known = [0]

    def file(self, deep: bool) -> bytes:
        random = self._random
        kind = random.random()
        if kind < 0.015:
            return random.choice((b"", b"\n", b"\r\n\n", b"MODULE Linux x86 1 a", b"\0", b"MODULE", b"INFO\n"))
        module = f"MODULE Linux {self._cpu.name} {random.choice(('000000000000000000000000000000000', '1A', '0'))} a b"
        if kind < 0.03:
            return f"{module}\n".encode()
        self._records(deep)
        if random.random() < 0.03:
            # The parser looks for a missing field in the next line.
            beginnings = (f"MODULE Linux {self._cpu.name}//a", "MODULE Linux", "MODULE ", "MODULE")
            self._lines.insert(0, random.choice(beginnings))
        elif random.random() < 0.9:
            self._lines.insert(0, module)
        if random.random() < 0.08:
            self._damage_a_line()
        if random.random() < 0.05:
            self._lengthen()
        return self._bytes()

    def _records(self, deep: bool) -> None:
        random = self._random
        kinds = [self._file, self._origin, self._public, self._public, self._function, self._function]
        kinds += [self._nest, self._nest, self._cfi, self._cfi, self._other]
        if self._cpu.name == "x86":
            kinds += [self._win, self._win, self._suffixes]
        if random.random() < 0.3:
            # Walks then use frame pointers and scans.
            kinds = [kind for kind in kinds if kind not in (self._cfi, self._win, self._suffixes)]
        if random.random() < 0.8:
            for number in range(IDS):
                self._lines += [f"FILE {number} file{number}.c", f"INLINE_ORIGIN {number} inlined{number}"]
        if deep:
            rules = random.choice((self._cpu.rules[0].format(n=self._cpu.pointer), self._deep_rules()))
            self._lines.append(f"STACK CFI INIT 0 {self._page + 16:x} {rules}")
        for _ in range(random.choice((0, 2, 12, 12, 30, 60))):
            random.choice(kinds)()
            if random.random() < 0.005:
                self._lines.append(random.choice(self._lines or [""]))
            elif random.random() < 0.02:
                self._repeat_a_record()

    def _deep_rules(self) -> str:
        return self._cpu.rules_of_a_deep_walk(self._random, self._page)

    def _repeat_a_record(self) -> None:
        """Repeat the last record with its lines, one of them sometimes changed."""
        starts = [
            n for n, line in enumerate(self._lines) if line.startswith(("FUNC ", "STACK CFI INIT ", "STACK WIN "))
        ]
        if starts:
            again = self._lines[starts[-1] :]
            if self._random.random() < 0.5:
                again[-1] = again[-1].replace("1", "2")
            self._lines += again

    # Numbers, many of which occur elsewhere, or are next to those.

    def _start(self) -> int:
        random = self._random
        if random.random() < 0.3:
            return max(0, random.choice(self._known) + random.choice((0, 0, -1, 1, 4)))
        start = random.randrange(self._page + 8)
        self._known.append(start)
        return start

    def _address(self) -> str:
        random = self._random
        if random.random() < 0.01:
            return random.choice(("ffffffffffffffff", "fffffffffffffff0", "0000000000000010", "100000000"))
        if self._overflows and random.random() < 0.05:
            return random.choice(("10000000000000000", "00000000000000010", "fffffffffffffffff"))
        return self._hexadecimal.format(self._start())

    def _length(self) -> int:
        page = self._page
        return self._random.choice((0, 1, 4, 8, 16, page // 8, page // 8, page // 4, self._random.randrange(page)))

    def _size(self) -> str:
        if self._random.random() < 0.02:
            return self._random.choice(("ffffffff", "0", "00000004"))
        if self._overflows and self._random.random() < 0.05:
            return self._random.choice(("100000000", "000000010"))
        return self._hexadecimal.format(self._length())

    def _decimal(self, bound: int) -> str:
        if self._random.random() < 0.005:
            return self._random.choice(("4294967295", "0000000001", "0"))
        if self._overflows and self._random.random() < 0.03:
            return self._random.choice(("4294967296", "00000000001", "9999999999"))
        return str(self._random.randrange(bound))

    def _multiple(self) -> str:
        return "m " if self._random.random() < 0.1 else ""

    def _id(self) -> str:
        return self._decimal(IDS + (self._random.random() < 0.05))

    # Records.

    def _file(self) -> None:
        self._lines.append(f"FILE {self._id()} file{self._random.randrange(99)}.c")

    def _origin(self) -> None:
        self._lines.append(f"INLINE_ORIGIN {self._id()} inlined{self._random.randrange(99)}")

    def _public(self) -> None:
        name = self._random.choice(("", "a", "b", "a b", "é", f"public{self._random.randrange(9)}", " x", "\tx"))
        parameters = self._random.choice(("0", "4", "c", "ffffffff"))
        self._lines.append(f"PUBLIC {self._multiple()}{self._address()} {parameters} {name}")

    def _function(self) -> None:
        random = self._random
        start, length = self._start(), self._length()
        address = self._address() if random.random() < 0.03 else f"{start:x}"
        name = random.choice(("", "f", "f 1", *(f"function{random.randrange(99)}" for _ in range(5))))
        self._lines.append(f"FUNC {self._multiple()}{address} {length:x} {random.choice('048')} {name}")
        if random.random() < 0.4:
            self._source_lines(start, length)
        for _ in range(random.choice((0, 0, 1, 3, 8))):
            self._subline(start, length)
        if random.random() < 0.004:
            # It ends a function, and following records belong to none.
            self._lines.append(random.choice(("", "FILE 1 x", "INFO x", "INLINE_ORIGIN\t1 x", "PUBLIC 0 0 x")))
            self._subline(start, length)

    def _subline(self, start: int, length: int) -> None:
        random = self._random
        kind = random.random()
        inner = max(0, start + random.randrange(-2, max(length, 1) + 2))
        if kind < 0.5:
            span = random.choice((0, 1, 8, length // 2, length))
            at = random.choice(("ffffffffffffffff", "fffffffffffffff0")) if random.random() < 0.02 else f"{inner:x}"
            self._lines.append(f"{at} {span:x} {self._decimal(99)} {self._id()}")
            if random.random() < 0.1:
                self._lines.append(self._lines[-1])
        elif kind < 0.9:
            spans = " ".join(
                f"{inner + n:x} {random.choice((0, 1, 4, length)):x}" for n in range(0, 8 * random.randint(1, 3), 8)
            )
            self._lines.append(f"INLINE {random.randrange(3)} {self._decimal(99)} {self._id()} {self._id()} {spans}")
        else:
            self._origin()

    def _nest(self) -> None:
        """Write a function as compilers do: nested inlined calls, and lines from its beginning to its end."""
        random = self._random
        start, length = self._start(), random.choice((8, 16, 64, self._page // 4, self._page // 2)) or 8
        self._lines.append(f"FUNC {start:x} {length:x} 0 outer{random.randrange(99)}")
        at, span = start, length
        for depth in range(random.randint(0, 4)):
            half = max(1, span // 2)
            spans = f"{at:x} {half:x}" + (f" {at + half:x} {max(1, span - half):x}" if random.random() < 0.7 else "")
            self._lines.append(f"INLINE {depth} {self._decimal(99)} {self._id()} {self._id()} {spans}")
            if random.random() < 0.1:
                self._lines.append(f"INLINE {depth} {self._decimal(99)} {self._id()} {self._id()} {at:x} {half:x}")
            if random.random() < 0.1:
                self._origin()
            at, span = at + span // 8, max(1, span - span // 8)
        self._source_lines(start, length)

    def _source_lines(self, start: int, length: int) -> None:
        step = max(1, length // self._random.randint(1, 6))
        for place in range(start, start + length, step):
            self._lines.append(f"{place:x} {step:x} {self._decimal(99)} {self._id()}")

    def _cfi(self) -> None:
        self._lines.append(f"STACK CFI INIT {self._address()} {self._size()} {self._rules()}")
        for _ in range(self._random.choice((0, 0, 1, 3))):
            self._lines.append(f"STACK CFI {self._address()} {self._rules()}")

    def _rules(self) -> str:
        kind = self._random.random()
        if kind < 0.15:
            return self._random.choice(RAW_RULES)
        if kind < 0.16:
            return self._deep_rules()
        return self._random.choice(self._cpu.rules).format(n=self._cpu.pointer * self._random.randint(1, 6))

    def _win(self) -> None:
        self._lines.append(self._stack_win(self._random.choice(WIN_KINDS), self._address(), self._size()))

    def _stack_win(self, kind: str, address: str, size: str) -> str:
        type_, has_program = kind.split()
        rest = self._random.choice(PROGRAMS) if type_ == "4" else self._random.choice("01")
        numbers = " ".join(f"{self._random.choice((0, 0, 4, 8)):x}" for _ in range(6))
        return f"STACK WIN {type_} {address} {size} {numbers} {has_program} {rest}"

    def _suffixes(self) -> None:
        """Write STACK WIN records that all end at the same address; sometimes one is out of order."""
        start, length = self._start(), self._random.choice((8, 16, self._page // 4))
        kind = self._random.choice(("4 1", "0 0"))
        places = sorted(self._random.randrange(length) for _ in range(self._random.randint(2, 4)))
        if self._random.random() < 0.3:
            self._random.shuffle(places)
        for place in places:
            self._lines.append(self._stack_win(kind, f"{start + place:x}", f"{length - place:x}"))

    def _other(self) -> None:
        self._lines.append(self._random.choice(INFOS))

    # Damage to a file.

    def _damage_a_line(self) -> None:
        random = self._random
        if not self._lines:
            return
        place = random.randrange(len(self._lines))
        line = self._lines[place]
        damaged = (
            line.replace(" ", "  ", 1),
            line.replace(" ", "\t", 1),
            line.replace(" ", " \t ", 2),
            line[:-1],
            line + " ",
            line + " junk",
            line + "\r",
            line[:3] + "\r" + line[3:],
            line.lower(),
            line.upper(),
            random.choice(JUNK),
            f"{line}\n{random.choice(JUNK)}",
            f"{line}\n",
            f"\n{line}",
        )
        self._lines[place] = random.choice(damaged)

    def _lengthen(self) -> None:
        """Insert lines that are too long for a parser's buffer, after others that shift them."""
        random = self._random
        for _ in range(random.choice((1, 1, 2))):
            place = random.randrange(len(self._lines) + 1)
            long = "x" * (random.choice(LONG) + random.choice((0, 0, random.randrange(-40, 40))))
            spans = " ".join([f"{random.randrange(self._page):x} 1"] * (len(long) // 5))
            before = (
                "PUBLIC 0 0 ",
                "PUBLIC 4 0 ",
                "FUNC 0 40 0 ",
                "FILE 1 ",
                "INLINE_ORIGIN 1 ",
                "INFO ",
                "INFO URL ",
                "",
            )
            lines = (f"{random.choice(before)}{long}", f"STACK CFI INIT 0 40 {self._cpu.rules[0]} {long}")
            self._lines.insert(place, random.choice((*lines, lines[0], lines[0], f"INLINE 0 1 1 1 {spans}")))
            if random.random() < 0.5:
                filler = f"INFO {'y' * random.randrange(200)}"
                self._lines[place:place] = [filler] * random.choice((1, 50, 51, 100, 800))

    def _bytes(self) -> bytes:
        random = self._random
        newline = random.choices(("\n", "\r\n", "\r\r\n"), (86, 10, 4))[0]
        last = newline if random.random() < 0.96 else random.choice(("", "\r", f"{newline}F", f"{newline}INFO x"))
        if random.random() < 0.03:
            text = "".join(line + random.choice(("\n", "\r\n", "\r\r\n")) for line in self._lines)
        else:
            text = newline.join(self._lines) + last
        data = text.encode()
        if random.random() < 0.025 and data:
            place = random.randrange(len(data))
            length = random.choice((0, 1, 1, 3))
            data = (
                data[:place]
                + random.choice((b"\xff", b"\xc3", bytes([random.randrange(256)])))
                + data[place + length :]
            )
        return data
