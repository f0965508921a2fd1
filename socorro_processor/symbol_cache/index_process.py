"""Make the index of a symbol file with the stackwalker, under limits, in a process that ends with this one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from socorro_processor.errors import SocorroError
from socorro_processor.machine.bounded_program import Limits, set_limits
from socorro_processor.machine.child import Child
from socorro_processor.machine.memory_share import memory_share

CORRUPT = "corrupt"
"""The verdict on a file that the stackwalker rejects."""
_TIMEOUT = 900.0
"""Seconds for one index."""
_END_TIMEOUT = 5.0
"""Seconds for the process to end when told to."""
_NICENESS = 10
_QUOTED_OUTPUT = 300
"""Characters that a message quotes."""


class NotIndexed(SocorroError):
    """An index could not be made; the message says why."""


class Indexed(NamedTuple):
    """The result of indexing a file."""

    verdict: str
    """``usable``, ``corrupt``, or ``whole``: the file has to be read in full."""
    made: bool
    """False if the index existed already."""


class IndexProcess:
    """Makes one index, unless the current state of the file has one."""

    def __init__(self, file: Path, stackwalker: str, index_path: str = "", *, anew: bool = False) -> None:
        """Start the process. ``index_path`` is as in ``index_directory``. Raises OSError."""
        options = ["--end-with-stdin"]
        if index_path:
            options += ["--index-path", index_path]
        if anew:
            options += ["--anew"]
        arguments = [stackwalker, "index", *options, str(file)]
        self._child = Child(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        set_limits(self._child.process.pid, _limits())

    def finish(self, timeout: float = _TIMEOUT) -> Indexed:
        """Wait for the end of the process. Raises NotIndexed."""
        try:
            printed, said = self._child.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            self.end()
            self._child.process.communicate()
            raise NotIndexed(f"not done after {timeout:g} s") from error
        finally:
            self._child.close()
        return _read(printed, said, self._child.process.returncode)

    def end(self, patience: float = _END_TIMEOUT) -> None:
        """End the process early. Call ``finish`` afterwards, unless another thread is in it."""
        self._child.end(patience)


def _limits() -> Limits:
    """Return limits with more memory than for a walk, because files are indexed one at a time."""
    memory = memory_share(1, largest=sys.maxsize).bytes
    return Limits(timeout=_TIMEOUT, cpu=int(_TIMEOUT), memory=memory, niceness=_NICENESS)


def _read(printed: bytes, said: bytes, return_code: int) -> Indexed:
    """Read the result. Raises NotIndexed."""
    try:
        line = json.loads(printed)
        if error := line.get("error"):
            raise NotIndexed(str(error)[:_QUOTED_OUTPUT])
        return Indexed(str(line["verdict"]), bool(line["made"]))
    except (ValueError, TypeError, AttributeError, KeyError):
        message = said.decode(errors="replace").strip().rsplit("\n", 1)[-1][:_QUOTED_OUTPUT]
        raise NotIndexed(message or f"exit code {return_code}") from None
