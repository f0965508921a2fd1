"""Measure the CPU time of a crash in the daemon, and crashes a second, with each stackwalker and number of threads.

    python -m benchmarks.daemon [DIRECTORY_OF_CRASHES [SYMBOLS]] [--big MEGABYTES]

The embedded configuration, as a process of its own, with minidump-stackwalk and with the project's own stackwalker. The
first table: all crashes of the directory with their symbols. The second: the one with the largest main library, for
which a symbol file is generated. CPU time is the kernel's count: the stackwalker's, and the daemon's own. *Ideal* is
the crashes a second as a share of what the cores could walk in that time if there was nothing else to do, from when all
crashes are in the queue until the last of them is saved, for the default number of threads, twice that of the cores.
One process has Python on one core at a time: no more crashes a second than one by the daemon's own CPU time.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.crashes import ROOT, add_crashes, crashes_of
from benchmarks.main_module import main_module
from benchmarks.results import record
from benchmarks.stackwalk import index
from benchmarks.symbol_generator import write_symbols
from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.serialization import decode
from socorro_processor.stackwalk.stackwalker import OWN, STOCK, find_stackwalker
from tests.system.daemon import Installation, eventually

OWN_BAR, IDEAL_AIM = 0.010, 0.70
THREADS = (1, 2, 4)
CORES = 2
_WARM_UP = 64
"""Crashes."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what a crash costs the daemon.")
    add_crashes(parser)
    parser.add_argument("--big", type=int, default=280, metavar="MEGABYTES", help="size of the big symbol file")
    arguments = parser.parse_args()
    dumps, symbols = crashes_of(parser, arguments)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory))
        print(f"own CPU of a crash (without the stackwalker), one thread, {symbols}")
        figures["own"] = {dump.parent.name: bench.own_cpu(dump, symbols) for dump in dumps}
        for name, seconds in figures["own"].items():
            print(f"{name:<30}{seconds * 1e3:>8.1f} ms")
        own = statistics.median(figures["own"].values())
        print(f"{'median':<30}{own * 1e3:>8.1f} ms   bar {OWN_BAR * 1e3:.0f} ms\n", flush=True)
        figures["small"] = bench.table("all crashes, their symbols", dumps, [symbols], 8, 16)
        dump, module = main_module(dumps)
        store = Path(directory, "big")
        write_symbols(
            store / f"{module.debug_file}/{module.debug_id}/{module.debug_file}.sym",
            debug_id=module.debug_id,
            name=module.debug_file,
            module_size=module.size,
            size=arguments.big << 20,
        )
        title = f"{dump.parent.name}, {arguments.big} MB generated for {module.debug_file}"
        figures["big"] = bench.table(title, [dump], [store, symbols], 6, 80)
    record("daemon", figures)
    ideal = figures["small"][-1]["ideal"]
    print(f"of the ideal with {OWN} and {THREADS[-1]} threads: {ideal:.2f}   aim {IDEAL_AIM:.2f}")
    return 0 if own <= OWN_BAR else 1


class Bench:
    """Runs daemons over crashes, each in its own directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._number = 0
        self._indexed: set[Path] = set()

    def own_cpu(self, dump: Path, symbols: Path) -> float:
        used = self._run([dump], [symbols], 20, threads=1, program=OWN)
        own: float = used["own"]
        return own

    def table(
        self, title: str, dumps: Sequence[Path], stores: Sequence[Path], stock_rounds: int, own_rounds: int
    ) -> list[dict[str, Any]]:
        print(title)
        print(
            f"{'threads':>7}{'stackwalker':>20}{'crashes/s':>11}{'ratio':>7}{'walk':>13}{'own':>9}"
            f"{'ideal':>7}{'daemon':>9}{'walk':>13}"
        )
        rows = []
        for threads in THREADS:
            stock = self._run(dumps, stores, stock_rounds, threads=threads, program=STOCK)
            own = self._run(dumps, stores, own_rounds, threads=threads, program=OWN)
            for row in (stock, own):
                row["ratio"] = row["rate"] / stock["rate"]
                print(
                    f"{threads:>7}{row['program']:>20}{row['rate']:>11.2f}{row['ratio']:>7.2f}"
                    f"{row['stackwalker'] * 1e3:>10.1f} ms"
                    f"{row['own'] * 1e3:>6.1f} ms{row['ideal']:>7.2f}{row['memory'] >> 20:>6} MB"
                    f"{row['stackwalker_memory'] >> 20:>10} MB",
                    flush=True,
                )
            rows += [stock, own]
        print()
        return rows

    def _run(
        self, dumps: Sequence[Path], stores: Sequence[Path], rounds: int, *, threads: int, program: str
    ) -> dict[str, Any]:
        """Return seconds of CPU a crash, crashes a second, and peak memory in bytes."""
        self._number += 1
        installation = Installation(self._directory / str(self._number))
        installation.directory.mkdir()
        installation.walker(
            symbols_path=",".join(map(str, stores)),
            symbol_index_path=str(self._directory / "indexes"),
            command_pathname=str(find_stackwalker(program)),
            memory_limit="16G",
        )
        for store in stores:
            if program == OWN and store not in self._indexed:
                index(store, str(self._directory / "indexes"))
                self._indexed.add(store)
        daemon = _Daemon(installation, threads)
        try:
            daemon.process(dumps, 1 + _WARM_UP // len(dumps) if program == OWN else 1)
            before = daemon.used()
            wall = daemon.process(dumps, rounds)
            after = daemon.used()
        finally:
            daemon.close()
        count = rounds * len(dumps)
        own, stackwalker = ((after[key] - before[key]) / count for key in ("self", "stackwalker"))
        return {
            "threads": threads,
            "program": program,
            "rate": count / wall,
            "stackwalker": stackwalker,
            "own": own,
            "ideal": stackwalker * count / wall / CORES,
            "memory": after["memory"],
            "stackwalker_memory": after["stackwalker_memory"],
        }


class _Daemon:
    def __init__(self, installation: Installation, threads: int) -> None:
        self._used = installation.directory / "used.json"
        self._store = FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(installation.crashes)))
        self._queue = SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=str(installation.directory / "queue.sqlite")))
        self._installation = installation
        self._log = installation.directory / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "benchmarks.measured_daemon",
                    str(self._used),
                    f"--producer_consumer.number_of_threads={threads}",
                ],
                cwd=ROOT,
                env=installation.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        eventually(lambda: "the processor runs" in self._log.read_text(), self._log.read_text)

    def process(self, dumps: Sequence[Path], rounds: int) -> float:
        """Process each of them ``rounds`` times. Return the seconds from when all are in the queue."""
        crash_ids = []
        for _ in range(rounds):
            for dump in dumps:
                crash_ids.append(new_crash_id())
                annotations = dump.with_name("raw_crash.json")
                raw_crash = decode(annotations.read_bytes()) if annotations.exists() else {}
                self._store.save_raw_crash(raw_crash, {MAIN_DUMP: dump.read_bytes()}, crash_ids[-1])
        self._process.send_signal(signal.SIGSTOP)
        for crash_id in crash_ids:
            self._queue.submit(crash_id)
        started = time.monotonic()
        self._process.send_signal(signal.SIGCONT)
        for crash_id in crash_ids:
            while not self._installation.is_processed(crash_id):
                if self._process.poll() is not None:
                    raise SystemExit(self._log.read_text())
                time.sleep(0.02)
        return time.monotonic() - started

    def used(self) -> dict[str, Any]:
        with suppress(FileNotFoundError):
            self._used.unlink()
        self._process.send_signal(signal.SIGUSR1)
        eventually(self._used.exists, self._log.read_text)
        used: dict[str, Any] = json.loads(self._used.read_text())
        return used

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._queue.close()
        self._store.close()


if __name__ == "__main__":
    sys.exit(main())
