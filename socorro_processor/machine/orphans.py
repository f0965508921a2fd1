"""Kill child processes that outlived their processor (``kill -9``): a sleeping one would stay for ever.

Each has a directory of its processor in its environment, that of a crash where it was started for one, and its own
children inherit that. So they are found without any record that would have to be written, and nobody else's process is
taken for one, because the name of a processor's directory is never used again.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from socorro_processor.machine.pipes import readable

MARK = "SOCORRO_CRASH_DIRECTORY"
"""The environment variable; it names the directory of the processor with a slash behind it, or one below."""

_ROUNDS = 5
_PATIENCE = 1.0


def mark_children(directory: Path) -> None:
    """Have every child process started from now on marked with the directory of this processor."""
    os.environ[MARK] = f"{directory.absolute()}/"


def unmark_children() -> None:
    os.environ.pop(MARK, None)


def mark_of_children() -> dict[str, str]:
    """Return the mark as a part of a child's environment; empty if this process has no directory."""
    return {MARK: os.environ[MARK]} if MARK in os.environ else {}


def kill_orphans(directory_name: str) -> int:
    """Kill what was started for crashes below a processor's directory of this name; how many there were.

    The processor must have ended. Processes that we may not look into are left alone.
    """
    killed = 0
    # They may start others meanwhile.
    for _ in range(_ROUNDS):
        with ExitStack() as closing:
            found = list(_found(directory_name, closing))
            for pidfd in found:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            for pidfd in found:
                readable(pidfd, _PATIENCE)
        if not found:
            break
        killed += len(found)
    return killed


def _found(directory_name: str, closing: ExitStack) -> Iterator[int]:
    """Descriptors of the processes that belong to it."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with suppress(OSError):
            # First: whatever becomes of the pid, from here on this is the process that we look at and kill.
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
    # Not of one that hides it.
    with suppress(PermissionError):
        for variable in (process / "environ").read_bytes().split(b"\0"):
            name, _, value = variable.partition(b"=")
            if name == MARK.encode() and within in value:
                return True
    # A sandbox may have emptied the environment. Then the dump is among the arguments of what leads the
    # session, which is ours alone: an operator's pager, with a left file, is in that of a shell.
    leader = Path("/proc", str(os.getsid(int(process.name))))
    return within in (leader / "cmdline").read_bytes()
