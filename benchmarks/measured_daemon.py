"""``socorro processor``, which writes what it has used so far to a file, whenever it gets SIGUSR1.

python -m benchmarks.measured_daemon FILE [OPTIONS_OF_THE_PROCESSOR...]
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from socorro_processor.cli.main import run
from socorro_processor.metrics import METRICS


def main() -> None:
    path = Path(sys.argv.pop(1))

    def write(*_: object) -> None:
        times = os.times()
        others = list(_slicing_processes())
        slicing = METRICS.snapshot().durations.get(("slicing.cpu", ()))
        used = {
            "self": times.user + times.system + sum(seconds for seconds, _ in others),
            "stackwalker": times.children_user + times.children_system,
            "slicing": slicing.seconds if slicing else 0.0,
            "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + sum(peak for _, peak in others),
            "stackwalker_memory": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
        }
        new = path.with_suffix(".new")
        new.write_text(json.dumps(used))
        new.replace(path)

    signal.signal(signal.SIGUSR1, write)
    sys.argv.insert(1, "processor")
    run()


def _slicing_processes() -> Iterator[tuple[float, int]]:
    """Of each that this process has started: seconds of CPU, and bytes of memory at its peak."""
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            for pid in (task / "children").read_text().split():
                process = Path("/proc", pid)
                if b"slicing_process" in (process / "cmdline").read_bytes():
                    fields = (process / "stat").read_text().rpartition(")")[2].split()
                    peak = re.search(r"VmHWM:\s+(\d+)", (process / "status").read_text())
                    ticks = int(fields[11]) + int(fields[12])
                    yield ticks / os.sysconf("SC_CLK_TCK"), int(peak[1]) * 1024 if peak else 0


if __name__ == "__main__":
    main()
