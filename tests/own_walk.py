"""Run socorro-stackwalk, the project's own stackwalker, and measure its cost."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from socorro_processor.stackwalk.comparison import OWN_KEY

_MEASURE = """
import json, os, resource, sys
report, *command = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
child = os.posix_spawn(command[0], command, os.environ)
_, status, usage = os.wait4(child, 0)
measured = [os.waitstatus_to_exitcode(status), usage.ru_maxrss, usage.ru_utime + usage.ru_stime]
with open(report, "w") as file:
    json.dump(measured, file)
"""


@dataclass(frozen=True)
class Walk:
    """How a walk ended: its memory in bytes, its CPU time in seconds."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    memory: int
    cpu: float

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.stdout)  # type: ignore[no-any-return]

    @property
    def bounded(self) -> dict[str, int]:
        return self.json[OWN_KEY].get("bounded", {})  # type: ignore[no-any-return]


def walk(program: Path, dump: Path, options: Sequence[str | Path] = ()) -> Walk:
    """Run the program from a small process: the peak memory of a large parent would count as the program's."""
    with tempfile.NamedTemporaryFile() as report:
        measure = [sys.executable, "-IS", "-c", _MEASURE, report.name]
        ended = subprocess.run([*measure, program, *options, dump], capture_output=True, check=True)
        exit_code, kilobytes, cpu = json.loads(Path(report.name).read_text())
    return Walk(exit_code, ended.stdout, ended.stderr, kilobytes << 10, cpu)
