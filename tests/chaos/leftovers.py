"""Find what ended processors must not leave behind: files, directories, processes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

ENDS_WITHIN = 3.0


def files_in(directories: Iterable[Path]) -> Iterator[str]:
    """Yield the files in directories that should be empty."""
    for directory in directories:
        if directory.exists():
            yield from (str(path) for path in sorted(directory.iterdir()))


def processes_of(directory: Path) -> dict[int, str]:
    """Yield the arguments of processes that use ``directory``, by their arguments or environment."""
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
    """Yield the processes that are still there after a moment: a child has to notice that its parent was killed."""
    deadline = time.monotonic() + ENDS_WITHIN
    while (found := processes_of(directory)) and time.monotonic() < deadline:
        time.sleep(0.1)
    yield from (f"process {pid}: {arguments}" for pid, arguments in sorted(found.items()))
