"""Install Debian packages without starting their services."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from .process import Failed, run

POLICY = Path("/usr/sbin/policy-rc.d")
"""https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt"""


def install_missing(packages: Iterable[str]) -> None:
    """Install the missing packages; ``one|other`` is the first of them that Debian has."""
    missing = [names for names in packages if not any(map(_is_installed, names.split("|")))]
    if missing:
        _install(missing)


def _is_installed(name: str) -> bool:
    status = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Status}", name], capture_output=True, text=True
    )  # as PATH has it  # nosec B607
    return status.stdout == "install ok installed"


def _install(packages: list[str]) -> None:
    command = f"apt-get install {' '.join(packages)}"
    if os.getuid() or not shutil.which("apt-get"):
        raise Failed(f"cannot install Debian's packages {' '.join(packages)}: run as root: {command}")
    print(f"installing Debian's packages {' '.join(packages)}", flush=True)
    is_new = not POLICY.exists()
    if is_new:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        run(["apt-get", "-qq", "update"])
        chosen = [_first_available(names.split("|")) for names in packages]
        run(
            ["apt-get", "-qq", "install", "--yes", "--no-install-recommends", *chosen],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )
    finally:
        if is_new:
            POLICY.unlink()


def _first_available(names: list[str]) -> str:
    """Return the first package that apt can install, or the last."""
    shown = subprocess.run(["apt-cache", "show", *names], capture_output=True, text=True)  # nosec B607
    return next((name for name in names if f"Package: {name}\n" in shown.stdout), names[-1])
