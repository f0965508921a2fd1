"""Builds the index of one symbol file, in a process of its own: its memory is given back, and a fault stays in it.

python -m socorro_processor.symbols.index_process SYMBOL_FILE INDEX STACKWALKER VERSION PARENT
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from socorro_processor.errors import SocorroError
from socorro_processor.symbols.index_building import build
from socorro_processor.symbols.verdict import is_corrupt

TIME = 900.0
"""Seconds that one may take."""


class NotIndexed(SocorroError):
    """An index could not be built; the message says why."""


def start(file: Path, index: Path, stackwalker: str, version: str) -> subprocess.Popen[bytes]:
    """Start building. Raises OSError."""
    arguments = [str(file), str(index), stackwalker, version, str(os.getpid())]
    return subprocess.Popen(
        [sys.executable, "-m", "socorro_processor.symbols.index_process", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[bytes], timeout: float = TIME) -> None:
    """Wait for its end. Raises NotIndexed."""
    try:
        said = process.communicate(timeout=timeout)[1].decode(errors="replace").strip()
    except subprocess.TimeoutExpired as error:
        kill(process)
        process.communicate()
        raise NotIndexed(f"not done after {timeout:g} s") from error
    if process.returncode != 0:
        raise NotIndexed(said.rsplit("\n", 1)[-1] or f"exit code {process.returncode}")


def kill(process: subprocess.Popen[bytes]) -> None:
    """End it, with the stackwalker that it may have asked."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, 9)


def _end_with(parent: int) -> None:
    """Not to be left behind by a processor that was killed, nor the stackwalker that is asked."""
    while os.getppid() == parent:
        time.sleep(1)
    os.killpg(0, signal.SIGKILL)


def main(arguments: list[str]) -> int:
    file, index, stackwalker, version, parent = arguments
    os.nice(10)
    threading.Thread(target=_end_with, args=(int(parent),), daemon=True).start()
    try:
        build(Path(file), version, corrupt=is_corrupt(Path(file), stackwalker)).save(Path(index))
    except (SocorroError, OSError, MemoryError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
