"""What processors that have ended must not leave behind: files, directories, processes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

ENDS_WITHIN = 3.0


def files_in(directories: Iterable[Path]) -> Iterator[str]:
    """What is in directories that should be empty."""
    for directory in directories:
        if directory.exists():
            yield from (str(path) for path in sorted(directory.iterdir()))


def processes_of(directory: Path) -> dict[int, str]:
    """The processes that have to do with what is in ``directory``, by arguments or environment; their arguments."""
    found = {}
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal() or int(process.name) == os.getpid():
            continue
        with suppress(OSError):
            arguments = (process / "cmdline").read_bytes()
            if bytes(directory) in arguments + (process / "environ").read_bytes():
                found[int(process.name)] = arguments.replace(bytes(1), b" ").decode(errors="replace").strip()
    return found


def processes_left(directory: Path) -> Iterator[str]:
    """Those that are still there after a moment: one whose parent was killed has to notice it."""
    deadline = time.monotonic() + ENDS_WITHIN
    while (found := processes_of(directory)) and time.monotonic() < deadline:
        time.sleep(0.1)
    yield from (f"process {pid}: {arguments}" for pid, arguments in sorted(found.items()))
