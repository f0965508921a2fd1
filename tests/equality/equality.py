"""Whether the stackwalker says the same with slices as with the full symbol files.

    python -m tests.equality.equality [--number N] [--seed SEED] [--processes P] [STACKWALKER...]

tries N random pairs of symbol files and minidump; each one that makes a difference is printed with the
seed that makes it again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

from socorro_processor.rules.symbol_index_process import ask
from socorro_processor.stackwalk.stackwalker import find_stackwalker
from socorro_processor.symbols import minidump
from socorro_processor.symbols.index_building import build
from socorro_processor.symbols.index_store import IndexStore, SymbolFile
from socorro_processor.symbols.slicer import Slicer
from socorro_processor.symbols.verdict import is_corrupt, version_of
from tests.equality.random_crashes import RandomCrash, random_crash

MEMORY = 1 << 30
"""Bytes of address space: where STACK CFI lead back to where they begin, a stackwalker collects frames without end."""


def walked(stackwalker: str, dump: Path, symbols: Path) -> bytes:
    """What it printed; nothing where it was not done with ``MEMORY``."""
    arguments = ["--json", "--no-interactive", "--no-color", "--symbols-path", str(symbols), str(dump)]
    limited = ["prlimit", f"--as={MEMORY}", "--core=0", stackwalker]
    return subprocess.run([*limited, *arguments], capture_output=True, check=False).stdout


def version(stackwalker: str) -> str:
    return version_of(subprocess.run([stackwalker, "--version"], capture_output=True, text=True, check=True).stdout)


def comparison(stackwalker: str, dump: Path, symbols: Path, index: IndexStore, directory: Path) -> tuple[str, Any]:
    """How both walks compare: same, none (neither ended), not_understood, caught (by the check of the frames), or
    different."""
    full = walked(stackwalker, dump, symbols)
    directory.mkdir()
    try:
        slices = Slicer([str(symbols)], index, version(stackwalker)).slice(minidump.read(dump), directory)
    except minidump.NotUnderstood:
        return "not_understood", None
    sliced = walked(stackwalker, dump, directory)
    if not full and not sliced:
        return "none", None
    if comparable(full) == comparable(sliced):
        return "same" if slices.sliced else "same_unsliced", None
    if not sliced or not slices.hold_all_of(json.loads(sliced)):
        return "caught", (full, sliced)
    return "different", (full, sliced)


def comparable(printed: bytes) -> Any:
    """What a stackwalker printed; but its list of limits, which it prints in another order each time, sorted."""
    if b'"proc_limits"' not in printed:
        return printed
    value = json.loads(printed)
    if value.get("proc_limits"):
        value["proc_limits"]["limits"].sort(key=lambda limit: limit["name"])
    return json.dumps(value)


def index_all(stackwalker: str, symbols: Path, index: IndexStore) -> None:
    judge = version(stackwalker)
    for path in symbols.glob("*/*/*.sym"):
        file = SymbolFile(symbols, str(path.relative_to(symbols)))
        build(path, judge, corrupt=is_corrupt(path, stackwalker, ask)).save(index.path(file))


def compare_random(crash: RandomCrash, stackwalker: str, directory: Path) -> tuple[str, Any]:
    symbols = directory / "symbols"
    symbols.mkdir()
    for relative, data in crash.symbols.items():
        path = symbols / relative
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    dump = directory / "dump"
    dump.write_bytes(crash.dump)
    index = IndexStore()
    index_all(stackwalker, symbols, index)
    return comparison(stackwalker, dump, symbols, index, directory / "slices")


def _try(arguments: tuple[str, int]) -> tuple[int, str]:
    stackwalker, seed = arguments
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as directory:
        result, walks = compare_random(random_crash(Random(seed)), stackwalker, Path(directory))
        if result == "different":
            kept = Path(tempfile.gettempdir(), f"different-{seed}")
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(directory, kept)
            (kept / "full.json").write_bytes(walks[0])
            (kept / "sliced.json").write_bytes(walks[1])
    return seed, result


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare random walks with slices and with full symbol files.")
    parser.add_argument("stackwalkers", nargs="*")
    parser.add_argument("--number", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    failed = False
    for stackwalker in arguments.stackwalkers or [str(find_stackwalker())]:
        seeds = range(arguments.seed, arguments.seed + arguments.number)
        counts: Counter[str] = Counter()
        with ProcessPoolExecutor(arguments.processes) as pool:
            for seed, result in pool.map(_try, [(stackwalker, seed) for seed in seeds], chunksize=50):
                counts[result] += 1
                if result == "different":
                    failed = True
                    print(f"seed {seed} makes a difference: {tempfile.gettempdir()}/different-{seed}", flush=True)
        print(stackwalker, version(stackwalker), dict(counts), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
