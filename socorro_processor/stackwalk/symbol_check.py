"""Check a symbol file with the stackwalker, which takes nothing of a file with one bad line."""

from __future__ import annotations

import json
import struct
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from socorro_processor.errors import SocorroError
from socorro_processor.machine.bounded_program import Limits, run
from socorro_processor.machine.memory_share import memory_share
from socorro_processor.stackwalk.stackwalker import BASE_ENVIRONMENT, Stackwalker
from socorro_processor.symbol_cache.index_process import CORRUPT, IndexProcess

_ID = bytes(range(1, 17))
_RELATIVE = "judged/0403020106050807090A0B0C0D0E0F100/judged.sym"
_BASE, _SIZE = 0x400000, 0x1000
_TIME = 600
"""Seconds for one symbol file, which is read in full."""
_OUTPUT = 1 << 20
_SAID = 300


class NoVerdict(SocorroError):
    """The stackwalker could not be asked."""


def is_corrupt(file: Path, stackwalker: str) -> bool:
    """Return True where the stackwalker (a path) takes nothing of a symbol file. Raises NoVerdict.

    The own one says so itself. Another one is asked by a minidump that makes it read the file.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="verdict-") as directory:
            if Stackwalker(program=stackwalker).own_program():
                return IndexProcess(file, stackwalker, directory).finish().verdict == CORRUPT
            link = Path(directory, "symbols", _RELATIVE)
            link.parent.mkdir(parents=True)
            link.symlink_to(file.absolute())
            dump = Path(directory, "dump")
            dump.write_bytes(_dump())
            printed = _ask([stackwalker, "--json", "--symbols-path", str(link.parents[2]), str(dump)])
        module = json.loads(printed)["modules"][0]
        if module["loaded_symbols"] is not True:
            raise NoVerdict(f"{stackwalker} did not read {file}")
        return bool(module["corrupt_symbols"])
    except NoVerdict:
        raise
    except (OSError, SocorroError, ValueError, LookupError, TypeError) as error:
        raise NoVerdict(f"{stackwalker} could not be asked about {file}: {error}") from error


def _ask(arguments: Sequence[str]) -> bytes:
    """Run a stackwalker and return what it printed. Raises SocorroError where it failed.

    One symbol file is judged at a time, in full: it may take more memory than a walk.
    """
    memory = memory_share(1, largest=sys.maxsize).bytes
    limits = Limits(timeout=_TIME, cpu=_TIME, memory=memory, output=_OUTPUT, file_size=_OUTPUT)
    outcome = run(arguments, limits, BASE_ENVIRONMENT)
    if outcome.timed_out:
        raise NoVerdict(f"killed, it was not done after {outcome.wall_seconds:.0f} s")
    if outcome.output_too_large:
        raise NoVerdict("killed, its output was too large")
    if outcome.memory_too_large:
        raise NoVerdict(f"it wanted more than {memory >> 20} MB of memory")
    if outcome.return_code != 0:
        said = " | ".join(outcome.stderr.splitlines())[-_SAID:]
        raise NoVerdict(f"exit code {outcome.return_code}: {said or 'it said nothing'}")
    return outcome.output


def _dump() -> bytes:
    """A minidump of a thread that is in the one module there is."""
    data = bytearray(32 + 3 * 12)

    def put(blob: bytes) -> int:
        data.extend(blob)
        return len(data) - len(blob)

    name = "judged".encode("utf-16-le")
    name_at = put(struct.pack("<I", len(name)) + name)
    record = b"RSDS" + _ID + struct.pack("<I", 0) + b"judged\0"
    module = struct.pack("<QI4xII52xII24x", _BASE, _SIZE, 0, name_at, len(record), put(record))
    context = bytearray(1232)
    struct.pack_into("<I", context, 0x30, 0x100003)
    struct.pack_into("<Q", context, 0xF8, _BASE)
    thread = struct.pack("<I20xQ4I", 1, 0, 0, 0, len(context), put(bytes(context)))
    streams = {
        7: struct.pack("<H18xI32x", 9, 0x8201),
        4: struct.pack("<I", 1) + module,
        3: struct.pack("<I", 1) + thread,
    }
    directory = b"".join(struct.pack("<3I", kind, len(blob), put(blob)) for kind, blob in streams.items())
    data[:32] = struct.pack("<4s5IQ", b"MDMP", 0xA793, len(streams), 32, 0, 0, 0)
    data[32 : 32 + len(directory)] = directory
    return bytes(data)
