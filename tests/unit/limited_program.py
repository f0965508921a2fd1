"""Shell scripts in place of a stackwalker; one reports the limits that it runs under."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest


def program(directory: Path, script: str) -> str:
    path = directory / "program"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def has_limits_a_session_and_no_secrets(
    directory: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[[str], object]
) -> None:
    """Check what a program sees that ``run`` runs for us."""
    monkeypatch.setenv("PASSWORD", "secret")
    # A program may be faster than the limits, which are set at once; after two seconds of CPU time it gives up.
    script = f"""ulimit -t 2
while [ "$(ulimit -v)" = unlimited ]; do :; done
tr '\\0' '\\n' < /proc/$$/environ > {directory}/environment
{{ ulimit -v; ulimit -c; ulimit -n; cut -d' ' -f6 /proc/$$/stat; echo $$; }} > {directory}/limits
"""
    run(program(directory, script))
    memory, core, files, session, pid = (directory / "limits").read_text().split()
    assert int(memory) * 1024 <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert (core, session) == ("0", pid)
    assert int(files) <= 1024
    assert "PASSWORD" not in (directory / "environment").read_text()
