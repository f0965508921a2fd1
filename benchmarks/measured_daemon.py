"""Run ``socorro processor``, and write its use of CPU and memory so far to a file at each SIGUSR1.

python -m benchmarks.measured_daemon FILE [OPTIONS_OF_THE_PROCESSOR...]
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from pathlib import Path

from socorro_processor.cli.main import run


def main() -> None:
    path = Path(sys.argv.pop(1))

    def write(*_: object) -> None:
        times = os.times()
        used = {
            "self": times.user + times.system,
            "stackwalker": times.children_user + times.children_system,
            "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "stackwalker_memory": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
        }
        new = path.with_suffix(".new")
        new.write_text(json.dumps(used))
        new.replace(path)

    signal.signal(signal.SIGUSR1, write)
    sys.argv.insert(1, "processor")
    run()


if __name__ == "__main__":
    main()
