"""``socorro serve``, which kills itself between two steps of the spool when a file names the first of them.

    CHAOS_DIES_AFTER=FILE python -m tests.chaos.dying_server OPTIONS...

The file holds the name of a step; it is removed before the server dies, so that the next one lives.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from socorro_processor.cli.main import run
from socorro_processor.collector.collector import Collector
from socorro_processor.collector.spool import Step
from socorro_processor.web import service

FILE = "CHAOS_DIES_AFTER"


def fatal_step(file: Path, die: Callable[[], object]) -> Step:
    """Return a Step that dies after the step that ``file`` names, if it exists, and removes the file before."""

    def step(name: str) -> None:
        try:
            fatal = file.read_text()
        except FileNotFoundError:
            return
        if fatal == name:
            file.unlink(missing_ok=True)
            die()

    return step


def main() -> None:
    step = fatal_step(Path(os.environ[FILE]), lambda: os.kill(os.getpid(), signal.SIGKILL))
    service.Collector = partial(Collector, step=step)  # type: ignore[misc, assignment]
    sys.argv.insert(1, "serve")
    run()


if __name__ == "__main__":
    main()
