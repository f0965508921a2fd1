"""What processors that have ended must not leave behind: files, directories, processes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path


def files_in(directories: Iterable[Path]) -> Iterator[str]:
    """What is in directories that should be empty."""
    for directory in directories:
        if directory.exists():
            yield from (str(path) for path in sorted(directory.iterdir()))


def processes_of(directory: Path) -> Iterator[str]:
    """The processes that have to do with what is in ``directory``, by their arguments or environment."""
    for process in sorted(Path("/proc").iterdir()):
        if not process.name.isdecimal() or int(process.name) == os.getpid():
            continue
        with suppress(OSError):
            arguments = (process / "cmdline").read_bytes()
            if bytes(directory) in arguments + (process / "environ").read_bytes():
                yield f"process {process.name}: {arguments.replace(bytes(1), b' ').decode(errors='replace').strip()}"
