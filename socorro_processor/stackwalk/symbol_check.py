"""Check a symbol file with the stackwalker, which rejects all of a file for one bad line."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from socorro_processor.errors import SocorroError
from socorro_processor.machine.bounded_program import Limits, run
from socorro_processor.machine.memory_share import memory_share
from socorro_processor.stackwalk.smallest_minidump import MODULE_ID, MODULE_NAME, minidump_with_a_module
from socorro_processor.stackwalk.stackwalker import BASE_ENVIRONMENT, Stackwalker
from socorro_processor.symbol_cache.index_process import CORRUPT, IndexProcess
from socorro_processor.symbol_path import symbol_path

_TIMEOUT = 600
"""Seconds for one symbol file, which is read in full."""
_MAXIMUM_OUTPUT = 1 << 20
"""Bytes."""
_QUOTED_OUTPUT = 300
"""Characters that a message quotes."""


class NoVerdict(SocorroError):
    """The stackwalker could not check a symbol file."""


def is_corrupt(file: Path, stackwalker: str) -> bool:
    """Return True if the stackwalker (a path) rejects the symbol file. Raises NoVerdict.

    Our stackwalker has a command for this. Another one walks a minidump that makes it read the file.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="verdict-") as directory:
            if Stackwalker(program=stackwalker).own_program():
                return IndexProcess(file, stackwalker, directory).finish().verdict == CORRUPT
            link = Path(directory, "symbols", symbol_path(MODULE_NAME, MODULE_ID))
            link.parent.mkdir(parents=True)
            link.symlink_to(file.absolute())
            dump = Path(directory, "dump")
            dump.write_bytes(minidump_with_a_module())
            printed = _walk([stackwalker, "--json", "--symbols-path", str(link.parents[2]), str(dump)])
        module = json.loads(printed)["modules"][0]
        if module["loaded_symbols"] is not True:
            raise NoVerdict(f"{stackwalker} did not read {file}")
        return bool(module["corrupt_symbols"])
    except NoVerdict:
        raise
    except (OSError, SocorroError, ValueError, LookupError, TypeError) as error:
        raise NoVerdict(f"{stackwalker} cannot check {file}: {error}") from error


def _walk(arguments: Sequence[str]) -> bytes:
    """Run a stackwalker and return what it printed. Raises NoVerdict if it failed.

    It reads the whole symbol file, which may take more memory than a walk.
    """
    memory = memory_share(1, largest=sys.maxsize).bytes
    limits = Limits(timeout=_TIMEOUT, cpu=_TIMEOUT, memory=memory, output=_MAXIMUM_OUTPUT, file_size=_MAXIMUM_OUTPUT)
    outcome = run(arguments, limits, BASE_ENVIRONMENT)
    if outcome.timed_out:
        raise NoVerdict(f"killed: not done after {outcome.wall_seconds:.0f} s")
    if outcome.output_too_large:
        raise NoVerdict("killed: its output was too large")
    if outcome.memory_too_large:
        raise NoVerdict(f"wanted more than {memory >> 20} MB of memory")
    if outcome.return_code != 0:
        printed = " | ".join(outcome.stderr.splitlines())[-_QUOTED_OUTPUT:]
        raise NoVerdict(f"exit code {outcome.return_code}: {printed or 'no output'}")
    return outcome.output
