"""Builds the index of one symbol file, in a process of its own: its memory is given back, and a fault stays in it.

It ends when its standard input does, and removes what it has begun: a processor that is killed leaves none behind.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType
from typing import NoReturn

from socorro_processor.child_environment import child_environment
from socorro_processor.errors import SocorroError
from socorro_processor.process_tree import kill_tree
from socorro_processor.symbols.verdict import Ask, remove_temporary_files

TIME = 900.0
"""Seconds that one may take."""
_PROGRAM = "socorro_processor.rules.symbol_index_process"
"""Its module. It is above, where the careful runner of ``stackwalk`` may be used to ask a stackwalker."""
_PATIENCE = 5.0
"""Seconds in which it must have ended when it is told to."""


class NotIndexed(SocorroError):
    """An index could not be built; the message says why."""


class IndexProcess:
    """Builds one index."""

    def __init__(self, file: Path, index: Path, stackwalker: str, version: str) -> None:
        """Start building. Raises OSError."""
        arguments = [str(file), str(index), stackwalker, version]
        # Not a pipe of Popen's own, which `communicate` closes at once.
        stdin, lifeline = os.pipe()
        self._lifeline = os.fdopen(lifeline, "wb", buffering=0)
        self._temporary = tempfile.tempdir or os.environ.get("TMPDIR") or tempfile.gettempdir()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _PROGRAM, *arguments],
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={**child_environment(), "TMPDIR": self._temporary},
                start_new_session=True,
            )
        except BaseException:
            self._lifeline.close()
            raise
        finally:
            os.close(stdin)

    def has_ended(self) -> bool:
        """Without waiting for it."""
        return self._process.poll() is not None

    def finish(self, timeout: float = TIME) -> None:
        """Wait for its end. Raises NotIndexed."""
        try:
            said = self._process.communicate(timeout=timeout)[1].decode(errors="replace").strip()
        except subprocess.TimeoutExpired as error:
            self.end()
            self._process.communicate()
            raise NotIndexed(f"not done after {timeout:g} s") from error
        finally:
            self._lifeline.close()
            # It may have been killed, or lack the descriptors to do so itself.
            remove_temporary_files(self._process.pid, self._temporary)
        if self._process.returncode != 0:
            raise NotIndexed(said.rsplit("\n", 1)[-1] or f"exit code {self._process.returncode}")

    def end(self, patience: float = _PATIENCE) -> None:
        """Unfinished. ``finish`` comes after it, where no other thread is waiting there."""
        self._lifeline.close()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            # The stackwalker that it asks is in a session of its own.
            kill_tree(self._process.pid)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


def _follow_stdin() -> None:
    while os.read(0, 1024):
        pass
    # In the main thread it is an exception, so that what was begun is removed.
    os.kill(os.getpid(), signal.SIGTERM)


def run(arguments: list[str], ask: Ask) -> NoReturn:
    """Be that process, with the arguments SYMBOL_FILE INDEX STACKWALKER VERSION, and end."""
    try:
        sys.exit(_main(arguments, ask))
    except SystemExit as end:
        if end.code and os.getsid(0) == os.getpid():
            # The end may have come in the midst of their removal, or before it was certain.
            remove_temporary_files(os.getpid(), tempfile.gettempdir())
            sys.stderr.flush()
            os.killpg(0, signal.SIGKILL)
        raise


def _main(arguments: list[str], ask: Ask) -> int:
    # Here alone: who has an index built, such as the manager of a symbol cache, need not have numpy in memory.
    from socorro_processor.symbols.index_building import build
    from socorro_processor.symbols.verdict import is_corrupt

    # Else the first temporary file is preceded by one of Python's own, which a kill in that moment leaves behind.
    tempfile.tempdir = os.environ.get("TMPDIR")
    file, index, stackwalker, version = arguments
    signal.signal(signal.SIGTERM, _end)
    threading.Thread(target=_follow_stdin, name="stdin", daemon=True).start()
    # The manager goes before others, and this is not to.
    os.nice(10 - min(os.getpriority(os.PRIO_PROCESS, 0), 0))
    try:
        build(Path(file), version, corrupt=is_corrupt(Path(file), stackwalker, ask)).save(Path(index))
    except (SocorroError, OSError, MemoryError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0
