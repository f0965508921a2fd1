"""Kill child processes that outlived their processor (``kill -9``): one that sleeps would stay for ever.

The environment of each child names the directory of its processor, and its own children inherit that. So they are found
without a record, and no other process is mistaken for one: the name of a processor's directory is never used again.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from socorro_processor.machine.pipes import readable

MARK = "SOCORRO_CRASH_DIRECTORY"
"""The environment variable with the directory of the processor, followed by a slash."""

_ROUNDS = 5
_PATIENCE = 1.0  # seconds


def mark_children(directory: Path) -> None:
    """Mark every child process that is started from now on with the directory of this processor."""
    os.environ[MARK] = f"{directory.absolute()}/"


def unmark_children() -> None:
    os.environ.pop(MARK, None)


def mark_of_children() -> dict[str, str]:
    """Return the mark as a part of a child's environment; empty if this process has no directory."""
    return {MARK: os.environ[MARK]} if MARK in os.environ else {}


def kill_orphans(directory_name: str) -> int:
    """Kill the processes that belong to a processor's directory of this name. Return their number.

    The processor must have ended. Processes that this user may not look into are left alone.
    """
    killed = 0
    # Orphans may start other processes meanwhile.
    for _ in range(_ROUNDS):
        with ExitStack() as closing:
            pidfds = list(_find_orphans(directory_name, closing))
            for pidfd in pidfds:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            for pidfd in pidfds:
                readable(pidfd, _PATIENCE)
        if not pidfds:
            break
        killed += len(pidfds)
    return killed


def _find_orphans(directory_name: str, closing: ExitStack) -> Iterator[int]:
    """Yield the pidfds of the processes that belong to the directory."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with suppress(OSError):
            # First: the pidfd stays with this process, even if the pid is given to another one.
            pidfd = os.pidfd_open(int(entry.name))
            belongs = False
            try:
                belongs = _belongs_to(entry, f"/{directory_name}/".encode())
            finally:
                if not belongs:
                    os.close(pidfd)
            if belongs:
                closing.callback(os.close, pidfd)
                yield pidfd


def _belongs_to(process: Path, within: bytes) -> bool:
    # A process may hide its environment.
    with suppress(PermissionError):
        for variable in (process / "environ").read_bytes().split(b"\0"):
            name, _, value = variable.partition(b"=")
            if name == MARK.encode() and within in value:
                return True
    # A sandbox may have emptied the environment. Then the leader of the session has the dump among its arguments. Only
    # children of a processor are in such a session: an operator's pager that shows a file of the directory is in the
    # session of a shell.
    leader = Path("/proc", str(os.getsid(int(process.name))))
    return within in (leader / "cmdline").read_bytes()
