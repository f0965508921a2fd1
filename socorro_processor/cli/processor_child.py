"""The program of the processor that ``socorro serve`` runs beside the server.

    python -P -m socorro_processor.cli.processor_child DESCRIPTOR METRICS_DESCRIPTOR

It is ``socorro processor`` with options and environment from a pipe, and ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading

from socorro_processor.app.companion import PipeSink
from socorro_processor.cli.main import main
from socorro_processor.machine.core_dumps import forbid_core_dumps
from socorro_processor.monitoring.metrics import METRICS


def run(descriptor: int, metrics_descriptor: int) -> int:
    """Run the processor; return its exit code."""
    with os.fdopen(descriptor, "rb") as pipe:
        handed_over = json.load(pipe)
    # Not visible from outside, unlike the environment that a process starts with.
    os.environ.update(handed_over["environment"])
    METRICS.add_sink(PipeSink(metrics_descriptor))
    threading.Thread(target=_end_with_stdin, name="stdin", daemon=True).start()
    return main(["processor", *handed_over["options"]])


def _end_with_stdin() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    forbid_core_dumps()
    sys.exit(run(*map(int, sys.argv[1:])))
