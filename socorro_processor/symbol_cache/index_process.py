"""Makes the index of one symbol file: the stackwalker does it, under limits, in a process that ends with this one."""

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
_TIME = 900.0
"""Seconds that one may take."""
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
        arguments = [stackwalker, "index", *options, str(file)]
        self._child = Child(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        set_limits(self._child.process.pid, _limits())

    def finish(self, timeout: float = _TIME) -> Indexed:
        """Wait for its end. Raises NotIndexed."""
        try:
            printed, said = self._child.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            self.end()
            self._child.process.communicate()
            raise NotIndexed(f"not done after {timeout:g} s") from error
        finally:
            self._child.close()
        return _read(printed, said, self._child.process.returncode)

    def end(self, patience: float = _PATIENCE) -> None:
        """Unfinished. ``finish`` comes after it, where no other thread is waiting there."""
        self._child.end(patience)


def _limits() -> Limits:
    """One symbol file is indexed at a time: it may take more memory than a walk."""
    memory = memory_share(1, largest=sys.maxsize).bytes
    return Limits(timeout=_TIME, cpu=int(_TIME), memory=memory, niceness=_NICENESS)


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
