"""Directories of programs and data: one for each checkout and user, and one in it for each other set of servers."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .process import Failed

ROOT = Path(__file__).resolve().parents[2]


def base_directory() -> Path:
    """Return the directory of downloaded programs and of the usual set's data, which is created if it is missing.

    It is below /var/tmp, because the servers' users must be able to enter it. Raises Failed if it is another user's.
    """
    if named := os.environ.get("SOCORRO_SERVICES_DIRECTORY"):
        base = Path(named).absolute()
    else:
        base = Path(
            "/var/tmp", f"socorro-services-{os.getuid()}-{hashlib.sha256(bytes(ROOT)).hexdigest()[:8]}"
        )  # of this user, 0755  # nosec B108
    base.mkdir(mode=0o755, parents=True, exist_ok=True)
    if base.is_symlink() or base.stat().st_uid != os.getuid():
        raise Failed(f"{base} belongs to somebody else: set SOCORRO_SERVICES_DIRECTORY")
    return base


def set_directory(base: Path, name: str) -> Path:
    """Return the directory of another set's data, which is created if it is missing."""
    directory = base / "sets" / name
    for path in (directory.parent, directory):
        path.mkdir(mode=0o755, exist_ok=True)
    return directory


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock, so that two commands at once start everything once."""
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def download_directory(base: Path) -> Iterator[Path]:
    """Yield an empty directory, which is removed at the end."""
    directory = base / "downloading"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def python_with_pip() -> str:
    """Return the checkout's own Python, or the running one if there is none."""
    own = ROOT / ".venv" / "bin" / "python"
    return str(own) if own.exists() else sys.executable
