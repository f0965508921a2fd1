"""Compare a stackwalk by the project's own stackwalker with one by minidump-stackwalk.

    python -m benchmarks.stackwalk [DIRECTORY_OF_CRASHES [SYMBOLS]] [--big MEGABYTES] [--growth MEGABYTES,...]

CPU time and peak memory of a walk are the kernel's, medians of several; page cache warm, indexes made. The big symbol
file is generated for the main library of one of the dumps (``libxul.so`` where there is one).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.crashes import add_crashes, crashes_of
from benchmarks.main_module import main_module
from benchmarks.results import record
from benchmarks.symbol_generator import write_symbols
from socorro_processor.machine.bounded_program import Limits, run
from socorro_processor.stackwalk.stackwalker import BASE_ENVIRONMENT, OWN, STOCK, find_stackwalker
from socorro_processor.symbol_cache.index_directory import index_directory
from socorro_processor.symbol_cache.index_process import IndexProcess

REPEAT = 9
_LIMITS = Limits(timeout=600, cpu=600, memory=1 << 36, output=1 << 26)


class Cost(NamedTuple):
    """The cost of one walk."""

    cpu: float
    """Seconds."""
    memory: int
    """Bytes."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what a stackwalk costs.")
    add_crashes(parser)
    parser.add_argument("--big", type=int, default=280, metavar="MEGABYTES", help="size of the big symbol file")
    parser.add_argument("--growth", default="7,1000", metavar="MEGABYTES,...", help="other sizes")
    arguments = parser.parse_args()
    dumps, symbols = crashes_of(parser, arguments)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        indexes = f"{temporary}/indexes"
        index(symbols, indexes)
        for title, options in (("without symbols", ()), ("with their symbols", ("--symbols-path", str(symbols)))):
            print(f"CPU of a walk, {title}")
            costs = {dump.parent.name: _both(dump, options, indexes) for dump in dumps}
            for name, (stock, own) in costs.items():
                print(f"{name:<30}{_shown(stock)}{_shown(own)}{stock.cpu / own.cpu:>7.1f} times")
            means = [statistics.mean(each.cpu for each in column) for column in zip(*costs.values(), strict=True)]
            print(f"{'mean':<30}{means[0] * 1e3:>8.1f} ms{means[1] * 1e3:>19.1f} ms\n", flush=True)
            figures[title] = {STOCK: means[0], OWN: means[1]}
        dump, module = main_module(dumps)
        print(f"{dump.parent.name} with a generated symbol file for {module.debug_file}")
        figures["big"] = {}
        for size in sorted({arguments.big, *(int(size) for size in arguments.growth.split(",") if size)}):
            store = Path(temporary, f"big-{size}")
            path = store / module.debug_file / module.debug_id / f"{module.debug_file}.sym"
            names = {"debug_id": module.debug_id, "name": module.debug_file}
            write_symbols(path, **names, module_size=module.size, size=size << 20)
            started = time.monotonic()
            index(store, indexes)
            seconds = time.monotonic() - started
            options = ("--symbols-path", str(store), "--symbols-path", str(symbols))
            stock, own = _both(dump, options, indexes, repeat=3)
            made = sum(each.stat().st_size for each in index_directory(store, indexes).rglob("*.index"))
            print(
                f"{size:>5} MB{_shown(stock)}{_shown(own)}{stock.cpu / own.cpu:>7.1f} times; "
                f"indexed in {seconds:.1f} s, {made / 1e6:.1f} MB",
                flush=True,
            )
            figures["big"][size] = {STOCK: stock._asdict(), OWN: own._asdict(), "indexing": seconds}
            path.unlink()
    record("stackwalk", figures)
    return 0


def index(store: Path, indexes: str) -> None:
    """Make the indexes of all symbol files of a store."""
    program = str(find_stackwalker(OWN))
    for path in store.glob("*/*/*.sym"):
        IndexProcess(path, program, indexes).finish()


def _both(dump: Path, options: Sequence[str], indexes: str, repeat: int = REPEAT) -> tuple[Cost, Cost]:
    """Measure walks by minidump-stackwalk and by the project's own stackwalker, alternating."""
    commands = (
        [str(find_stackwalker(STOCK)), "--json", "--no-interactive", *options, str(dump)],
        [str(find_stackwalker(OWN)), "--index-path", indexes, *options, str(dump)],
    )
    costs: tuple[list[Cost], list[Cost]] = ([], [])
    for _ in range(repeat):
        for command, found in zip(commands, costs, strict=True):
            found.append(_walk(command))
    stock, own = (Cost(statistics.median(each.cpu for each in found), max(found, key=_peak).memory) for found in costs)
    return stock, own


def _walk(command: Sequence[str]) -> Cost:
    # In its own process, because the kernel counts memory that it shares with this one until its exec.
    outcome = run([sys.executable, "-S", "-c", _MEASURE, *command], _LIMITS, BASE_ENVIRONMENT)
    code, cpu, memory = outcome.output.split()
    if code != b"0":
        raise SystemExit(f"{' '.join(command)}: exit code {code.decode()}")
    return Cost(float(cpu), int(memory) * 1024)


_MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


def _peak(cost: Cost) -> int:
    return cost.memory


def _shown(cost: Cost) -> str:
    return f"{cost.cpu * 1e3:>8.1f} ms{cost.memory >> 20:>5} MB"


if __name__ == "__main__":
    sys.exit(main())
