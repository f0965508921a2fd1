"""A processor whose wall clock a test sets, by libfaketime; that of the machine goes on."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.shared import require

# libfaketime 0.9.10 miscalculates sleeps until an absolute monotonic time, which is how time.sleep sleeps.
SLEEP = """
import select
import time

time.sleep = lambda seconds: select.select([], [], [], seconds)
"""


class WallClock:
    """The clock of every process that gets ``environment``; it may be set while they run."""

    def __init__(self, directory: Path) -> None:
        require(shutil.which("faketime") is not None, "no faketime: bin/services install, or Debian's faketime")
        directory.mkdir()
        (directory / "sitecustomize.py").write_text(SLEEP)
        self._file = directory / "offset"
        self.set_by(0)
        library = subprocess.run(
            ["faketime", "-m", "-f", "+0", "printenv", "LD_PRELOAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        self.environment = {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": str(directory),
        }

    def set_by(self, hours: int) -> None:
        """Set the clock this many hours from the true time."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{hours:+d}h\n")
        new.replace(self._file)
