"""What slicing gains: stackwalks a second with and without it, their memory, and what slicing itself costs.

    python -m benchmarks.slicing [DIRECTORY_OF_CRASHES [SYMBOLS]] [--big MEGABYTES] [--growth MEGABYTES,...]

Walks by the stackwalker rule itself, on two threads, with the page cache warm. The big symbol file is
generated for the main library of one of the dumps (``libxul.so`` where there is one).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.crashes import add_crashes, crashes_of
from benchmarks.results import record
from benchmarks.symbol_generator import write_symbols
from socorro_processor.configuration import defaults
from socorro_processor.metrics import METRICS, Snapshot
from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.breakpad import BreakpadStackwalkerRule2015
from socorro_processor.stackwalk.command import Limits, run
from socorro_processor.stackwalk.stackwalker import find_stackwalker
from socorro_processor.symbols import minidump
from socorro_processor.symbols.index_store import IndexStore
from socorro_processor.symbols.minidump import Module
from socorro_processor.symbols.slicer import Slicer
from socorro_processor.symbols.verdict import version_of

THREADS = 2
SECONDS = 5.0
"""For each measurement."""
BIG_BAR, SMALL_BAR, CPU_BAR = 20.0, 1.6, 0.020


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what slicing gains.")
    add_crashes(parser)
    parser.add_argument("--big", type=int, default=280, metavar="MEGABYTES", help="size of the big symbol file")
    parser.add_argument("--growth", default="10,1000", metavar="MEGABYTES,...", help="other sizes")
    arguments = parser.parse_args()
    dumps, symbols = crashes_of(parser, arguments)
    with tempfile.TemporaryDirectory() as temporary:
        figures: dict[str, Any] = {"small": _small(dumps, symbols, Path(temporary)), "big": {}}
        sizes = [arguments.big, *(int(size) for size in arguments.growth.split(",") if size)]
        dump, module = main_module(dumps)
        print(f"\n{dump.parent.name} with a generated symbol file for {module.debug_file}, {THREADS} threads")
        print(
            f"{'size':>8}{'full':>10}{'sliced':>10}{'ratio':>8}{'by CPU':>8}"
            f"{'slicing':>10}{'full memory':>14}{'sliced memory':>15}"
        )
        for size in sizes:
            figures["big"][size] = _big(dump, module, symbols, size, Path(temporary))
    record("slicing", figures)
    return 0


def _small(dumps: Sequence[Path], symbols: Path, temporary: Path) -> dict[str, float]:
    print(f"CPU of slicing, and wall of one walk: full and with slices ({symbols})")
    costs = []
    with (
        _rule([str(symbols)], temporary, slicing=True) as sliced,
        _rule([str(symbols)], temporary, slicing=False) as full,
    ):
        for dump in dumps:
            _indexed(sliced, dump)
        for dump in dumps:
            before = METRICS.snapshot()
            took = [_walk(sliced, dump) for _ in range(9)]
            cost = _seconds_each(before, "slicing.cpu")
            costs.append(cost)
            took_full = [_walk(full, dump) for _ in range(5)]
            medians = [statistics.median(each) * 1e3 for each in (took_full, took)]
            print(f"{dump.parent.name:<30}{cost * 1e3:>8.1f} ms{medians[0]:>10.0f} ms{medians[1]:>8.0f} ms")
        rates = [_rate(rule, dumps) for rule in (full, sliced)]
    print(f"{'median of slicing':<30}{statistics.median(costs) * 1e3:>8.1f} ms   bar {CPU_BAR * 1e3:.0f} ms")
    (full_rate, full_cpu), (sliced_rate, sliced_cpu) = rates
    print(f"all of them, {THREADS} threads: {full_rate:.1f} a second in full, {sliced_rate:.1f} with slices,", end=" ")
    print(f"{sliced_rate / full_rate:.2f} times ({full_cpu / sliced_cpu:.2f} by CPU)   bar {SMALL_BAR}")
    return {
        "slicing_cpu": statistics.median(costs),
        "full": full_rate,
        "sliced": sliced_rate,
        "ratio_by_cpu": full_cpu / sliced_cpu,
    }


def _big(dump: Path, module: Module, symbols: Path, megabytes: int, temporary: Path) -> dict[str, float]:
    store = temporary / f"big-{megabytes}"
    relative = f"{module.debug_file}/{module.debug_id}/{module.debug_file}.sym"
    path = store / relative
    write_symbols(path, debug_id=module.debug_id, name=module.debug_file, module_size=module.size, size=megabytes << 20)
    stores = [str(store), str(symbols)]
    with _rule(stores, temporary, slicing=True) as sliced, _rule(stores, temporary, slicing=False) as full:
        started = time.perf_counter()
        _indexed(sliced, dump)
        indexing = time.perf_counter() - started
        rates = [_rate(full, [dump])]
        before = METRICS.snapshot()
        rates.append(_rate(sliced, [dump]))
        cost = _seconds_each(before, "slicing.cpu")
        after = METRICS.snapshot()
        reasons = {
            key[1]: count
            for key, count in after.counters.items()
            if key[0] == "slicing.full" and count != before.counters.get(key, 0)
        }
    memory = _memory(dump, stores, temporary)
    (full_rate, full_cpu), (sliced_rate, sliced_cpu) = rates
    print(
        f"{path.stat().st_size >> 20:>5} MB{full_rate:>8.2f}/s{sliced_rate:>8.2f}/s"
        f"{sliced_rate / full_rate:>8.1f}{full_cpu / sliced_cpu:>8.1f}"
        f"{cost * 1e3:>7.1f} ms{memory[0] >> 20:>11} MB{memory[1] >> 20:>12} MB   bar {BIG_BAR:.0f} times;"
        f" indexed in {indexing:.1f} s{' NOT SLICED: ' + str(reasons) if reasons else ''}",
        flush=True,
    )
    path.unlink()
    return {
        "full": full_rate,
        "sliced": sliced_rate,
        "ratio_by_cpu": full_cpu / sliced_cpu,
        "slicing_cpu": cost,
        "full_memory": memory[0],
        "sliced_memory": memory[1],
        "indexing": indexing,
    }


def main_module(dumps: Sequence[Path]) -> tuple[Path, Module]:
    """The dump with the largest of the main libraries."""
    found = [(dump, module) for dump in dumps for module in minidump.read(dump).modules]
    named = [each for each in found if each[1].debug_file == "libxul.so" and each[0].parent.name.startswith("linux")]
    return max(named or found, key=lambda each: each[1].size)


@contextmanager
def _rule(stores: Sequence[str], temporary: Path, *, slicing: bool) -> Iterator[BreakpadStackwalkerRule2015]:
    rule = BreakpadStackwalkerRule2015(
        defaults(
            BreakpadStackwalkerRule2015,
            symbols_path=",".join(stores),
            slicing=slicing,
            symbol_index_path=str(temporary / "indexes"),
            memory_limit="16G",
        )
    )
    try:
        yield rule
    finally:
        rule.close()


def _indexed(rule: BreakpadStackwalkerRule2015, dump: Path) -> None:
    """Walk it once, and wait for the indexes that it wants."""
    _walk(rule, dump)
    sliced: Any = rule._sliced
    sliced.wait_for_indexes()


def _walk(rule: BreakpadStackwalkerRule2015, dump: Path) -> float:
    started = time.perf_counter()
    crash = Crash("benchmark", {}, {"upload_file_minidump": dump})
    rule.action(crash)
    if not crash.processed["success"]:
        raise SystemExit(f"{dump}: {crash.notes}")
    return time.perf_counter() - started


def _rate(rule: BreakpadStackwalkerRule2015, dumps: Sequence[Path]) -> tuple[float, float]:
    """Walks a second, by several threads; and the CPU seconds of one, the processor's own and the stackwalker's.

    Where others use the machine too, the ratio of the latter is what the ratio of the former would be.
    """
    for dump in dumps:
        _walk(rule, dump)
    started, cpu = time.perf_counter(), sum(os.times()[:4])

    def work(first: int) -> int:
        count = 0
        while time.perf_counter() - started < SECONDS or count % len(dumps):
            _walk(rule, dumps[(first + count) % len(dumps)])
            count += 1
        return count

    with ThreadPoolExecutor(THREADS) as pool:
        count = sum(pool.map(work, range(THREADS)))
    return count / (time.perf_counter() - started), (sum(os.times()[:4]) - cpu) / count


def _memory(dump: Path, stores: Sequence[str], temporary: Path) -> tuple[int, int]:
    """The stackwalker's peak, in full and with slices. By the kernel's count."""
    program = str(find_stackwalker())
    version = version_of(run([program, "--version"], Limits()).output.decode())
    peaks = []
    with tempfile.TemporaryDirectory() as directory:
        Slicer(stores, IndexStore(str(temporary / "indexes")), version).slice(minidump.read(dump), Path(directory))
        for paths in (stores, [directory]):
            arguments = [program, "--json", *(each for path in paths for each in ("--symbols-path", path)), str(dump)]
            # By a process of its own: the kernel counts what it shares with us until its exec.
            peak = run([sys.executable, "-S", "-c", _PEAK, *arguments], Limits(memory=1 << 36, output=1 << 26))
            peaks.append(int(peak.output) * 1024)
    return peaks[0], peaks[1]


_PEAK = (
    "import resource, subprocess, sys\n"
    "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
)


def _seconds_each(before: Snapshot, name: str) -> float:
    """How long what was timed since then took, each time."""
    key = (name, ())
    now = METRICS.snapshot().durations[key]
    then = before.durations.get(key)
    count, seconds = (then.count, then.seconds) if then else (0, 0.0)
    return (now.seconds - seconds) / (now.count - count)


if __name__ == "__main__":
    sys.exit(main())
