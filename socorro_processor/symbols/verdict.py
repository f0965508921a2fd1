"""What the stackwalker itself says of a symbol file: one bad line, and it takes nothing of the file.

A slice would hide that, so each file is put before it once, with a minidump that makes it read the file.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from socorro_processor.errors import SocorroError

VERSIONS = frozenset(("0.25.0", "0.27.0"))
"""Of minidump-stackwalk: those for which it was shown that slices make no difference."""

_ID = bytes(range(1, 17))
_RELATIVE = "judged/0403020106050807090A0B0C0D0E0F100/judged.sym"
_BASE, _SIZE = 0x400000, 0x1000

_PREFIX = "verdict-"
"""Of temporary directories; then comes the id of the process, which may be killed."""


class NoVerdict(SocorroError):
    """The stackwalker could not be asked."""


Ask = Callable[[Sequence[str], Path], bytes]
"""Runs a program, for which temporary files lie in a directory, and returns what it printed. Raises SocorroError."""


def is_corrupt(file: Path, stackwalker: str, ask: Ask) -> bool:
    """Return True where the stackwalker (a path) takes nothing of a symbol file. Raises NoVerdict."""
    try:
        with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-") as directory:
            link = Path(directory, "symbols", _RELATIVE)
            link.parent.mkdir(parents=True)
            link.symlink_to(file.absolute())
            dump = Path(directory, "dump")
            dump.write_bytes(_dump())
            arguments = ["--json", "--no-interactive", "--symbols-path", str(link.parents[2]), str(dump)]
            printed = ask([stackwalker, *arguments], Path(directory))
        module = json.loads(printed)["modules"][0]
        if module["loaded_symbols"] is not True:
            raise NoVerdict(f"{stackwalker} did not read {file}")
        return bool(module["corrupt_symbols"])
    except NoVerdict:
        raise
    except (OSError, SocorroError, ValueError, LookupError, TypeError) as error:
        raise NoVerdict(f"{stackwalker} could not be asked about {file}: {error}") from error


def remove_temporary_files(process: int, directory: str) -> None:
    """Those that a killed process has left of ``is_corrupt``."""
    for path in Path(directory).glob(f"{_PREFIX}{process}-*"):
        shutil.rmtree(path, ignore_errors=True)


def version_of(printed: str) -> str:
    """The version that ``minidump-stackwalk --version`` prints; empty where it is another program."""
    words = printed.split()
    return words[1] if len(words) == 2 and words[0] == "minidump-stackwalk" else ""


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
