"""Stackwalkers, and others, that outlived their processor (``kill -9``): a sleeping one would stay for ever.

Each is started with the directory of its crash in its environment, which its children inherit. So they
are found without any record that would have to be written, and nobody else's process is taken for one,
for the name of a processor's directory is never used again.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from socorro_processor.machine.pipes import readable

MARK = "SOCORRO_CRASH_DIRECTORY"
"""The environment variable; it names a directory below that of the processor."""

_ROUNDS = 5
_PATIENCE = 1.0


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
