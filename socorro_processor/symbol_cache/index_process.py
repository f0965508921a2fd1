"""Makes the index of one symbol file: the stackwalker does it, under limits, in a process that ends with this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from socorro_processor.errors import SocorroError
from socorro_processor.machine.bounded_program import Limits, set_limits
from socorro_processor.machine.child_environment import child_environment
from socorro_processor.machine.memory_share import memory_share
from socorro_processor.machine.process_tree import kill_tree

TIME = 900.0
"""Seconds that one may take."""
CORRUPT = "corrupt"
"""The verdict on a file that the stackwalker rejects."""
_PATIENCE = 5.0
"""Seconds in which it must have ended when it is told to."""
_NICENESS = 10
_SAID = 300


class NotIndexed(SocorroError):
    """An index could not be made; the message says why."""


class Indexed(NamedTuple):
    """The result of indexing a file."""

    verdict: str
    """``usable``, ``corrupt``, or ``whole``: the file has to be read in full."""
    made: bool
    """False where it was there already."""


class IndexProcess:
    """Makes one index, where there is none of this state of the file."""

    def __init__(self, file: Path, stackwalker: str, index_path: str = "", *, anew: bool = False) -> None:
        """Start. ``index_path``: as ``index_directory`` has it. Raises OSError."""
        options = ["--end-with-stdin"]
        if index_path:
            options += ["--index-path", index_path]
        if anew:
            options += ["--anew"]
        # Not a pipe of Popen's own, which `communicate` closes at once.
        stdin, lifeline = os.pipe()
        self._lifeline = os.fdopen(lifeline, "wb", buffering=0)
        try:
            self._process = subprocess.Popen(
                [stackwalker, "index", *options, str(file)],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=child_environment(),
                start_new_session=True,
            )
        except BaseException:
            self._lifeline.close()
            raise
        finally:
            os.close(stdin)
        set_limits(self._process.pid, _limits())
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, self._process.pid, _NICENESS)

    def has_ended(self) -> bool:
        """Without waiting for it."""
        return self._process.poll() is not None

    def finish(self, timeout: float = TIME) -> Indexed:
        """Wait for its end. Raises NotIndexed."""
        try:
            printed, said = self._process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            self.end()
            self._process.communicate()
            raise NotIndexed(f"not done after {timeout:g} s") from error
        finally:
            self._lifeline.close()
        return _read(printed, said, self._process.returncode)

    def end(self, patience: float = _PATIENCE) -> None:
        """Unfinished. ``finish`` comes after it, where no other thread is waiting there."""
        self._lifeline.close()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            kill_tree(self._process.pid)


def _limits() -> Limits:
    """One symbol file is indexed at a time: it may take more memory than a walk."""
    memory = memory_share(1, largest=sys.maxsize).bytes
    return Limits(timeout=TIME, cpu=int(TIME), memory=memory)


def _read(printed: bytes, said: bytes, return_code: int) -> Indexed:
    """Raises NotIndexed."""
    try:
        line = json.loads(printed)
        if error := line.get("error"):
            raise NotIndexed(str(error)[:_SAID])
        return Indexed(str(line["verdict"]), bool(line["made"]))
    except (ValueError, TypeError, AttributeError, KeyError):
        message = said.decode(errors="replace").strip().rsplit("\n", 1)[-1][:_SAID]
        raise NotIndexed(message or f"exit code {return_code}") from None
