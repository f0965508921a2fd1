"""Measure the manager of the symbol cache.

    python -m benchmarks.symbol_cache

On a cache of 100,000 files under 20,000 names: how long it takes until all of it is watched, the memory for it,
how soon a file goes when another one comes, and the CPU time while 50 crashes a second open 40 files each.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from socorro_processor.symbol_cache.records import CacheRecords

NAMES = 20_000
IDS = 5
CRASHES_A_SECOND = 50
FILES_A_CRASH = 40
SECONDS = 20

START_BAR = 5.0
"""Seconds of CPU until the cache is watched, which are seconds by the clock on an idle machine."""
ANSWER_BAR = 1.0
"""Seconds."""
MEMORY_BAR = 150 << 20
SHARE_BAR = 0.02
"""Share of one core."""

CONTENT = b"MODULE windows x86_64\n"

_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="symbol-cache-") as directory:
        cache = Path(directory, "cache")
        paths = [file for number in range(NAMES) for file in symbol_files(cache, number)]
        records = CacheRecords(Path(directory, "cache.state"))
        started = time.monotonic()
        manager = subprocess.Popen(
            [
                *(sys.executable, "-m", "socorro_processor.app.companion", "--logging.level=WARNING"),
                f"--companion_process.symbol_cache_path={cache}",
                f"--companion_process.symbol_cache_size={len(paths) * len(CONTENT)}",
            ]
        )
        try:
            while (status := records.status()) is None:
                time.sleep(0.01)
            wall, cpu = time.monotonic() - started, cpu_seconds(manager.pid)
            waited = int(Path(f"/proc/{manager.pid}/schedstat").read_text().split()[1]) / 1e9
            print(
                f"{status.files} files under {NAMES} names are watched after {wall:.1f} s: {cpu:.1f} s of CPU "
                f"(bar {START_BAR:.0f}), {waited:.1f} s without a core"
            )
            answer = seconds_until_one_goes(paths)
            print(f"full, and one more file comes: after {answer:.2f} s another one is gone (bar {ANSWER_BAR:.0f})")
            share = share_of_a_core(manager.pid, paths)
            memory = peak_memory(manager.pid)
        finally:
            manager.terminate()
            manager.wait()
        status = records.status()
        assert status is not None
        print(f"memory at its peak: {memory / (1 << 20):.0f} MB (bar {MEMORY_BAR >> 20})")
        opened = CRASHES_A_SECOND * FILES_A_CRASH
        print(f"{opened} opens a second: {share:.2%} of a core (bar {SHARE_BAR:.0%}); {status.hits} opens were seen")
    met = (cpu <= START_BAR, answer <= ANSWER_BAR, memory <= MEMORY_BAR, share <= SHARE_BAR)
    return 0 if all(met) else 1


def symbol_files(cache: Path, number: int) -> list[Path]:
    """Make the files of one name."""
    files = []
    for each in range(IDS):
        directory = cache / f"library-{number:05}.pdb" / f"{number:016X}{each:016X}1"
        directory.mkdir(parents=True)
        files.append(directory / f"library-{number:05}.sym")
        files[-1].write_bytes(CONTENT)
    return files


def seconds_until_one_goes(paths: list[Path]) -> float:
    """Add a file, and return the seconds until the oldest one is gone; the new one replaces it in ``paths``."""
    new = paths[0].with_name("new.sym")
    new.write_bytes(CONTENT)
    started = time.monotonic()
    while paths[0].exists():
        time.sleep(0.001)
    paths[0] = new
    return time.monotonic() - started


def share_of_a_core(pid: int, paths: list[Path]) -> float:
    """Return the manager's share of a core while crashes open files."""
    started, before = time.monotonic(), cpu_seconds(pid)
    for crash in range(CRASHES_A_SECOND * SECONDS):
        for path in random.sample(paths, FILES_A_CRASH):
            os.close(os.open(path, os.O_RDONLY))
        time.sleep(max(0.0, started + crash / CRASHES_A_SECOND - time.monotonic()))
    return (cpu_seconds(pid) - before) / (time.monotonic() - started)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_memory(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


if __name__ == "__main__":
    sys.exit(main())
