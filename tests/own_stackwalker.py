"""The project's own stackwalker, built from ``stackwalker/``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.shared import REPOSITORY, require

CRATE = REPOSITORY / "stackwalker"
TIME_TO_BUILD = 1800
"""Seconds, at most."""


@cache
def own_stackwalker() -> Path:
    """The program, built anew where its sources are newer."""
    require(shutil.which("cargo") is not None, "no cargo: socorro-stackwalk cannot be built")
    subprocess.run(["cargo", "build", "--quiet", "--release", "--locked"], cwd=CRATE, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR") or CRATE / "target")
    return target / "release" / "socorro-stackwalk"


def run(
    *arguments: str | Path,
    environment: Mapping[str, str] | None = None,
    before: Callable[[], None] | None = None,
    **options: Any,
) -> subprocess.CompletedProcess[str]:
    """Run it to its end; ``before`` is called in the child first."""
    command = [str(own_stackwalker()), *map(str, arguments)]
    return subprocess.run(
        command,
        check=False,
        text=True,
        env={} if environment is None else environment,
        preexec_fn=before,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


def walk(*arguments: str | Path) -> dict[str, Any]:
    """Return what it prints for a dump that it can read."""
    ended = run(*arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    printed: dict[str, Any] = json.loads(ended.stdout)
    return printed


def own(*arguments: str | Path) -> dict[str, Any]:
    """Return what only this stackwalker says of a dump."""
    said: dict[str, Any] = walk(*arguments)["socorro_stackwalk"]
    return said
