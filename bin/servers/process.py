"""Run programs, as certain users, and identify processes by more than their pid."""

from __future__ import annotations

import os
import pwd
import shlex
import subprocess
from pathlib import Path
from typing import Any


class Failed(Exception):
    """An error that is printed in one line, without a traceback."""


def run(command: list[str], **options: Any) -> None:
    """Run a program to its end. Raises Failed, with its output, if it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    if done.returncode:
        raise Failed(f"{shlex.join(command)} failed:\n{(done.stdout + done.stderr).strip()[-2000:]}")


def as_user(name: str) -> dict[str, Any]:
    """Return the arguments of ``subprocess`` that run a program as an unprivileged user; none if not root."""
    if os.getuid():
        return {}
    user, group = owner(name)
    return {"user": user, "group": group, "extra_groups": []}


def owner(name: str) -> tuple[int, int]:
    """Return the ids of a user, and of the user's group."""
    entry = pwd.getpwnam(name)
    return entry.pw_uid, entry.pw_gid


def began(pid: int) -> str | None:
    """Return when the process began, in ticks since boot; None if there is no such process, or a dead one."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]
