"""Find a program on ``PATH``, or beside the Python that runs this process (a virtual environment)."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from socorro_processor.machine.bounded_program import UnusableProgramError


def find_program(
    name: str, advice: str, environment: Mapping[str, str] = os.environ, interpreter: str = sys.executable
) -> Path:
    """Return the path of the program. Raises UnusableProgramError with ``advice``."""
    path = f"{environment.get('PATH', os.defpath)}{os.pathsep}{Path(interpreter).parent}"
    if program := shutil.which(name, path=path):
        return Path(program)
    raise UnusableProgramError(f"{name} is neither on PATH ({path}) nor beside {interpreter}; {advice}")
