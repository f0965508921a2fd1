"""Write a symbol file of any size for a module of a real dump, like that of a big C++ library."""

from __future__ import annotations

from pathlib import Path
from random import Random


def write_symbols(path: Path, *, debug_id: str, name: str, module_size: int, size: int, inlines: bool = True) -> None:
    """Write about ``size`` bytes: FUNC with lines and INLINE, STACK CFI for each, FILE, INLINE_ORIGIN and PUBLIC."""
    random = Random(1)
    path.parent.mkdir(parents=True, exist_ok=True)
    file_count, origin_count = 20_000, 100_000 if inlines else 0
    # Bytes of a function with its records.
    functions = max((size - 70 * file_count - 60 * origin_count) // 1_030, 100) if size > 20 << 20 else size // 1_500
    file_count, origin_count = min(file_count, functions), min(origin_count, functions)
    step = max(module_size // functions, 16)
    with path.open("w", encoding="ascii") as out:
        out.write(f"MODULE Linux x86_64 {debug_id} {name}\nINFO CODE_ID 0\n")
        for number in range(file_count):
            out.write(f"FILE {number} /builds/worker/checkouts/module{number % 97}/directory/Source{number}.cpp\n")
        for number in range(origin_count):
            out.write(f"INLINE_ORIGIN {number} mozilla::detail::Inlined<Type{number}>::operator()\n")
        for number in range(functions):
            address = number * step
            length = step - 1 if step < 64 else step - 8
            out.write(
                f"FUNC {address:x} {length:x} 0 mozilla::dom::Class{number % 5000}::Method{number}(Argument const&)\n"
            )
            lines = 28
            each = max(length // lines, 1)
            if inlines:
                for inline in range(6):
                    start = address + inline * 3 * each
                    out.write(
                        f"INLINE {inline % 2} {random.randrange(5000)} {random.randrange(file_count)}"
                        f" {random.randrange(origin_count)} {start:x} {2 * each:x}\n"
                    )
            file = random.randrange(file_count)
            for line in range(lines):
                out.write(f"{address + line * each:x} {each:x} {random.randrange(5000)} {file}\n")
            if number % 20 == 0:
                out.write(f"PUBLIC {address + length:x} 0 public_symbol_{number}\n")
        for number in range(functions):
            address = number * step
            out.write(f"STACK CFI INIT {address:x} {step - 1:x} .cfa: $rsp 8 + .ra: .cfa -8 + ^\n")
            out.write(f"STACK CFI {address + 1:x} .cfa: $rsp 16 + $rbp: .cfa -16 + ^\n")
            out.write(f"STACK CFI {address + 4:x} .cfa: $rbp 16 +\n")
