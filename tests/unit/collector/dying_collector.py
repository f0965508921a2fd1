"""A program: a collector that takes uploads and hands them over, and kills itself at one step, as ``kill -9`` would.

    python dying_collector.py DIRECTORY STEP TIMES FIRST

It prints each answer before the next upload. It dies when STEP was done for the TIMES-th time.
The reports have numbers from FIRST on.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tests.collector_site import Site, report_id

UPLOADS = 3


def dump(number: int) -> bytes:
    return b"MDMP" + bytes([number]) * 50_000


def main(directory: Path, fatal: str, times: int, first: int) -> None:
    left = times

    def step(name: str) -> None:
        nonlocal left
        left -= name == fatal
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    with Site(directory, step=step) as site:
        for number in range(first, first + UPLOADS):
            answer = site.send({"upload_file_minidump": dump(number)}, report_id=report_id(number))
            print(answer.crash_id, flush=True)
        site.hand_over()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
