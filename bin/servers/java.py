"""Find the Java installations of this machine."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

INSTALLATIONS = Path("/usr/lib/jvm")
"""Where the packages of Debian, and of many others, install Java."""


def installed() -> list[tuple[int, Path]]:
    """Return version and directory of each Java: first JAVA_HOME's, then the PATH's, then others, older ones first."""
    homes = [Path(home)] if (home := os.environ.get("JAVA_HOME")) else []
    if program := shutil.which("java"):
        homes.append(Path(program).resolve().parents[1])
    preferred = [java for home in homes if (java := _java_of(home))]
    others = [java for home in INSTALLATIONS.glob("*") if (java := _java_of(home))]
    return list(dict.fromkeys([*preferred, *sorted(others)]))


def _java_of(home: Path) -> tuple[int, Path] | None:
    """Return version and directory, without links, of a Java; None if there is none in ``home``."""
    home = home.resolve()
    try:
        # https://openjdk.org/jeps/220
        version = re.search(r'^JAVA_VERSION="(\d+)', (home / "release").read_text(), re.MULTILINE)
    except OSError:
        return None
    return (int(version[1]), home) if version and os.access(home / "bin" / "java", os.X_OK) else None
