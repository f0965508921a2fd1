"""The process that builds the index of a symbol file, with a careful way to ask the stackwalker about the file.

python -m socorro_processor.rules.symbol_index_process SYMBOL_FILE INDEX STACKWALKER VERSION

Symbol files come from servers that others run, and the stackwalker has never been shown to be sound for all of
them: it is asked under limits, in a session of its own, with next to nothing in its environment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from socorro_processor.errors import ProcessingEnvironmentError
from socorro_processor.stackwalk.command import Limits, run
from socorro_processor.stackwalk.memory_share import memory_share
from socorro_processor.stackwalk.orphans import MARK
from socorro_processor.stackwalk.stackwalker import BASE_ENVIRONMENT
from socorro_processor.symbols import index_process

_TIME = 600
"""Seconds for one symbol file, which is read in full."""
_OUTPUT = 1 << 20
_HANDED_ON = ("PATH", "TMPDIR", "LD_LIBRARY_PATH")
_SAID = 300


def ask(arguments: Sequence[str], directory: Path) -> bytes:
    """Run a stackwalker and return what it printed. Raises ProcessingEnvironmentError where it failed."""
    outcome = run(arguments, limits(), {**environment(), MARK: str(directory.absolute())})
    if outcome.timed_out:
        raise ProcessingEnvironmentError(f"killed, it was not done after {outcome.wall_seconds:.0f} s")
    if outcome.output_too_large:
        raise ProcessingEnvironmentError("killed, its output was too large")
    if outcome.memory_too_large:
        raise ProcessingEnvironmentError(f"it wanted more than {limits().memory >> 20} MB of memory")
    if outcome.return_code != 0:
        said = " | ".join(outcome.stderr.splitlines())[-_SAID:]
        raise ProcessingEnvironmentError(f"exit code {outcome.return_code}: {said or 'it said nothing'}")
    return outcome.output


def limits() -> Limits:
    """One symbol file is judged at a time, in full: it may take more memory than a walk, which is then spared that."""
    memory = memory_share(1, largest=sys.maxsize).bytes
    return Limits(timeout=_TIME, cpu=_TIME, memory=memory, output=_OUTPUT, file_size=_OUTPUT)


def environment() -> dict[str, str]:
    """What a stackwalker is given that is run for no crash."""
    return BASE_ENVIRONMENT | {name: os.environ[name] for name in _HANDED_ON if name in os.environ}


if __name__ == "__main__":
    index_process.run(sys.argv[1:], ask)
