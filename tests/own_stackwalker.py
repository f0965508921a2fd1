"""Runs of the project's own stackwalker."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.shared import REPOSITORY, own_stackwalker

CRATE = REPOSITORY / "stackwalker"


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
    """Return the part of its output for a dump that only this stackwalker prints."""
    said: dict[str, Any] = walk(*arguments)["socorro_stackwalk"]
    return said
