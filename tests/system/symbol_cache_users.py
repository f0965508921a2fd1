"""Processes that read and write a symbol cache without pause, and measure if it keeps to its size.

    python -m tests.system.symbol_cache_users CACHE SEED SECONDS REPORT

is one of them: it opens files at random, adds those that are missing, deletes some, and then reports how often a file
in constant use was missing, and when it wrote how much.
"""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
import time
from bisect import bisect_right
from collections.abc import Iterable
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from tests.shared import REPOSITORY
from tests.system.daemon import DEADLINE
from tests.system.symbol_cache import SymbolCache

FILES = 5_000
USED = 10
"""Files that are opened constantly."""
LARGEST = 20_000
WRITES_A_SECOND = 100
"""The most writes of one process. In memory it could do ten times as many, and no manager could keep up."""


class Write(NamedTuple):
    """A file that was added; the time is in seconds of the monotonic clock."""

    begun: float
    done: float
    bytes: int


class CacheUsers:
    """Processes that use the cache; their results are known once all have ended."""

    def __init__(self, cache: SymbolCache, processes: int, seconds: float) -> None:
        self.lost = self.written = 0
        self.writes: list[Write] = []
        self._cache = cache
        self._reports = [cache.path.with_name(f"user-{number}") for number in range(processes)]
        self._seconds = seconds
        self._processes: list[subprocess.Popen[bytes]] = []
        for number in range(USED):
            used = cache.path / symbol_file(f"used-{number}")
            used.parent.mkdir(parents=True)
            used.write_bytes(b"x" * LARGEST)

    def start(self) -> None:
        # These run at a lower priority than the manager: otherwise it would be one of nine processes on two cores.
        nice = ["nice", "-n", "0" if os.geteuid() == 0 else "10"]
        for number, report in enumerate(self._reports):
            arguments = [str(self._cache.path), str(number), str(self._seconds), str(report)]
            program = [*nice, sys.executable, "-m", "tests.system.symbol_cache_users", *arguments]
            self._processes.append(subprocess.Popen(program, cwd=REPOSITORY))

    def close(self) -> None:
        """End the processes that still work."""
        for process in self._processes:
            process.kill()
            process.wait(DEADLINE)

    def work(self) -> bool:
        """Return True if any of them still works."""
        if any(process.poll() is None for process in self._processes):
            return True
        for report in self._reports:
            said = json.loads(report.read_text())
            self.lost += said["lost"]
            self.writes += [Write(*write) for write in said["writes"]]
        self.written = sum(write.bytes for write in self.writes)
        return False


class _Sample(NamedTuple):
    begun: float
    done: float
    waited: float
    """Seconds for which the manager was ready to run, but had no core."""
    size: int


class SizeMeter:
    """Measures the cache repeatedly. Time for which its manager had no core does not count against the manager."""

    def __init__(self, cache: SymbolCache, manager: int) -> None:
        self._cache = cache
        self._schedstat = Path(f"/proc/{manager}/schedstat")
        self._samples: list[_Sample] = []
        self.measure()

    @property
    def largest(self) -> int:
        return max(sample.size for sample in self._samples)

    @property
    def waited(self) -> float:
        return self._samples[-1].waited - self._samples[0].waited

    def measure(self) -> int:
        waited = int(self._schedstat.read_text().split()[1]) / 1e9
        begun = time.monotonic()
        size = self._cache.bytes()
        self._samples.append(_Sample(begun, time.monotonic(), waited, size))
        time.sleep(0.02)  # measurements must have the core meanwhile
        return size

    def own_time_since(self, moment: float) -> float:
        """Return the seconds that the manager itself ran between ``moment`` and its last measurement."""
        before = next(sample for sample in self._samples if sample.done >= moment)
        last = self._samples[-1]
        return last.begun - moment - (last.waited - before.waited)

    def excess(self, writes: list[Write], own_time: float) -> int:
        """Return the bytes by which the cache was over its limit, without those written in the last seconds of the
        manager's own time; negative if it never was. Changes during a measurement count for the manager.
        """
        done = _Sums((write.done, write.bytes) for write in writes)
        begun = _Sums((write.begun, write.bytes) for write in writes)
        total = done.until(math.inf)
        worst = -self._cache.limit
        first = 0
        for sample in self._samples:
            while (
                self._samples[first].begun < sample.begun
                and self._own_time(self._samples[first + 1], sample) >= own_time
            ):
                first += 1
            since = self._samples[first].begun
            late = total - done.until(since) - (total - begun.until(sample.done))
            worst = max(worst, sample.size - self._cache.limit - late)
        return worst

    @staticmethod
    def _own_time(earlier: _Sample, later: _Sample) -> float:
        return later.begun - earlier.begun - (later.waited - earlier.waited)


class _Sums:
    """The bytes written before a moment."""

    def __init__(self, what: Iterable[tuple[float, int]]) -> None:
        ordered = sorted(what)
        self._moments = [moment for moment, _ in ordered]
        self._sums = [0, *accumulate(bytes_ for _, bytes_ in ordered)]

    def until(self, moment: float) -> int:
        return self._sums[bisect_right(self._moments, moment)]


def symbol_file(name: str) -> str:
    return f"{name}.pdb/ABCDEF0123456789/{name}.sym"


def use(cache: Path, seed: int, seconds: float) -> dict[str, Any]:
    chance = random.Random(seed)
    lost = 0
    writes: list[Write] = []
    temporary = cache.with_name(f"part-{seed}")
    started = time.monotonic()
    while (now := time.monotonic()) < started + seconds:
        try:
            os.close(os.open(cache / symbol_file(f"used-{chance.randrange(USED)}"), os.O_RDONLY))
        except FileNotFoundError:
            lost += 1
        path = cache / symbol_file(f"library-{chance.randrange(FILES)}")
        if chance.random() < 0.02:
            path.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            os.close(os.open(path, os.O_RDONLY))
            continue
        if len(writes) > (now - started) * WRITES_A_SECOND:
            continue
        begun = time.monotonic()
        size = temporary.write_bytes(b"x" * chance.randrange(LARGEST))
        while True:  # the directory may be removed just now
            with suppress(FileNotFoundError, FileExistsError):
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary.replace(path)
                break
        writes.append(Write(begun, time.monotonic(), size))
    return {"lost": lost, "writes": writes}


if __name__ == "__main__":
    root, number, length, report = sys.argv[1:]
    Path(report).write_text(json.dumps(use(Path(root), int(number), float(length))))
