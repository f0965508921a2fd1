"""``samples/crash-guard``, which writes minidumps of programs that crash: built once, and kept from run to run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.shared import REPOSITORY, SAMPLES, require

GUARD = SAMPLES / "crash-guard"
TARGET = REPOSITORY / ".local" / "crash-guard"
"""Where cargo builds it, a minute of CPU the first time."""

ARCHIVE = TARGET / "debug" / "libcrash_guard.a"
CI_INSTALLS = "`bin/services install` puts it in"


def build() -> None:
    """Build it. Two builds at once wait for each other."""
    build_package(GUARD, TARGET)


def build_package(package: Path, target: Path) -> None:
    """Build a package that has the guard's crates, with those that are in ``target`` already."""
    require(shutil.which("cargo") is not None, f"no cargo: {CI_INSTALLS}")
    manifest = ["--locked", "--manifest-path", package / "Cargo.toml"]
    fetched = subprocess.run(["cargo", "fetch", *manifest], capture_output=True, text=True)
    require(fetched.returncode == 0, f"cargo cannot get the crates of {package.name}: {fetched.stderr[-500:]}")
    built = subprocess.run(
        ["cargo", "build", "--offline", *manifest, "--target-dir", target], capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
