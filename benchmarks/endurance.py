"""Check that the memory, threads and descriptors of a daemon that runs for months do not grow.

    python -m benchmarks.endurance [--crashes=10000] [DIRECTORY_OF_CRASHES]

The embedded configuration, with a stackwalker that prints what the real one printed of the crashes in the
directory. Each thousand is processed to its end before the daemon is looked at, so that what is in work does not
count. Then it idles: its CPU time is measured, and how long a new crash waits until it is begun.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.crashes import add_crashes, crashes_of
from benchmarks.rules import walk
from benchmarks.walker import print_dumps
from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from tests.system.daemon import Daemon, Installation

STEP = 1000
"""Crashes between two samples. At the first sample, everything that the daemon keeps for good is in memory."""

GROWTH_BAR = 1.05
"""The largest later memory, as a multiple of that after the first thousand crashes."""

IDLE_TIME = 30.0
IDLE_BAR = 0.01
"""Share of a core that the idle daemon may use."""

BEGIN_BAR = 0.05
"""Seconds within which an idle daemon must begin nine of ten crashes."""
CRASHES_WHEN_IDLE = 20

SILENCE = 120.0
"""Seconds without a saved crash after which the daemon is given up."""


@dataclass(frozen=True)
class Use:
    """The memory, threads and descriptors that a process uses."""

    memory: int
    """Bytes of it that are in RAM."""
    threads: int
    descriptors: int

    @classmethod
    def of(cls, pid: int) -> Use:
        lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        status = {words[0]: words[1] for words in lines if len(words) > 1}
        descriptors = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        return cls(int(status["VmRSS:"]) * 1024, int(status["Threads:"]), descriptors)


class Endurance:
    """A daemon, to which crashes are submitted and from which results are read."""

    def __init__(self, directory: Path, outputs: list[dict[str, Any]]) -> None:
        installation = Installation(directory)
        print_dumps(installation)
        self._dumps = [json.dumps(output).encode() for output in outputs]
        self._store = FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(installation.crashes)))
        self._queue = SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=str(directory / "queue.sqlite")))
        self.installation = installation
        self.daemon: Daemon = installation.start("--logging.format=json")
        (log,) = directory.glob("log-*")
        self._log = _lines(log)

    @property
    def pid(self) -> int:
        return self.daemon.process.pid

    def submit(self) -> str:
        crash_id = new_crash_id()
        dumps = {MAIN_DUMP: self._dumps[hash(crash_id) % len(self._dumps)]}
        self._store.save_raw_crash({"ProductName": "Lightbox", "Version": "2.3.1"}, dumps, crash_id)
        self._queue.submit(crash_id)
        return crash_id

    def wait_for(self, crash_ids: set[str]) -> dict[str, Any]:
        """Wait until all of them are saved. Return the log line of the last one."""
        left = set(crash_ids)
        line: dict[str, Any] = {}
        deadline = time.monotonic() + SILENCE
        while left:
            if self.daemon.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{len(left)} crashes were not saved:\n{self.daemon.log[-5000:]}")
            text = next(self._log)
            if text is None:
                time.sleep(0.01)
                continue
            crash_id, _, word = json.loads(text).get("message", "").partition(" ")
            if word == "saved" and crash_id in left:
                line = json.loads(text)
                left.remove(crash_id)
                deadline = time.monotonic() + SILENCE
        return line

    def remove(self, crash_ids: set[str]) -> None:
        """Remove crashes, which would fill the disk."""
        for crash_id in crash_ids:
            self._store.remove(crash_id)

    def close(self) -> None:
        self._queue.close()
        self._store.close()
        self.installation.close()


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure whether the daemon grows, and what it costs when idle.")
    add_crashes(parser)
    parser.add_argument("--crashes", type=int, default=10_000, help="at least 2,000; default: 10,000")
    arguments = parser.parse_args()
    dumps, symbols = crashes_of(parser, arguments)
    if arguments.crashes < 2 * STEP:
        parser.error(f"{2 * STEP} crashes are needed")
    with tempfile.TemporaryDirectory() as directory:
        endurance = Endurance(Path(directory), [walk(dump, symbols) for dump in dumps])
        try:
            flat = measure_growth(endurance, arguments.crashes)
            cheap = measure_idle(endurance)
            prompt = measure_begin(endurance)
            ended = endurance.daemon.stop() == 0
        finally:
            endurance.close()
    return 0 if flat and cheap and prompt and ended else 1


def measure_growth(endurance: Endurance, crashes: int) -> bool:
    def process() -> None:
        crash_ids = {endurance.submit() for _ in range(STEP)}
        endurance.wait_for(crash_ids)
        endurance.remove(crash_ids)

    return _is_flat(endurance.pid, crashes, process)


def _is_flat(pid: int, crashes: int, process: Callable[[], None]) -> bool:
    """Return True if a process does not grow over so many crashes; each call of ``process`` processes ``STEP``."""
    print(f"{'crashes':>9}{'memory':>12}{'threads':>9}{'descriptors':>13}{'crashes a second':>18}", flush=True)
    looks: list[Use] = []
    for _ in range(crashes // STEP):
        begun = time.monotonic()
        process()
        rate = STEP / (time.monotonic() - begun)
        use = Use.of(pid)
        looks.append(use)
        print(
            f"{len(looks) * STEP:>9}{use.memory / 1e6:>9.1f} MB{use.threads:>9}{use.descriptors:>13}{rate:>18.1f}",
            flush=True,
        )
    first, later = looks[0], looks[1:]
    growth = max(use.memory for use in later) / first.memory
    print(f"memory {growth:.3f} times that after the first {STEP}; at most {GROWTH_BAR} is allowed")
    more = max(use.threads - first.threads for use in later), max(use.descriptors - first.descriptors for use in later)
    print(f"threads {more[0]:+}, descriptors {more[1]:+}; none more are allowed\n", flush=True)
    return growth <= GROWTH_BAR and max(more) <= 0


def measure_idle(endurance: Endurance) -> bool:
    before = _cpu_time(endurance.pid)
    time.sleep(IDLE_TIME)
    share = (_cpu_time(endurance.pid) - before) / IDLE_TIME
    print(f"idle: {share:.2%} of a core over {IDLE_TIME:.0f} s; less than {IDLE_BAR:.0%} is required", flush=True)
    return share < IDLE_BAR


def measure_begin(endurance: Endurance) -> bool:
    """Measure the time until a crash is begun: the time of its save less the durations of its steps."""
    waits = []
    for number in range(CRASHES_WHEN_IDLE):
        # Crashes come at different moments of the daemon's rhythm.
        time.sleep(1 + number * 0.007)
        crash_id = endurance.submit()
        submitted = time.time()
        line = endurance.wait_for({crash_id})
        steps = sum(line[step] for step in ("fetch", "stackwalk", "rules", "saves"))
        waits.append(datetime.fromisoformat(line["time"]).timestamp() - steps - submitted)
        endurance.remove({crash_id})
    median, most = statistics.median(waits), statistics.quantiles(waits, n=10)[-1]
    print(
        f"a crash that comes when idle is begun after {median * 1e3:.0f} ms (median), nine of ten within "
        f"{most * 1e3:.0f} ms, the last after {max(waits) * 1e3:.0f} ms; nine of ten within {BEGIN_BAR * 1e3:.0f} ms "
        "are asked"
    )
    return most <= BEGIN_BAR


def _cpu_time(pid: int) -> float:
    """Return the seconds of CPU that a process and its ended children have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _lines(path: Path) -> Iterator[str | None]:
    """Yield the lines of a growing file; None if it has no further whole line yet."""
    with path.open() as file:
        part = ""
        while True:
            part += file.readline()
            if part.endswith("\n"):
                yield part
                part = ""
            else:
                yield None


if __name__ == "__main__":
    sys.exit(main())
