"""Find symbols for a store: ``.sym`` files, and binaries that dump_syms turns into such files.

maker = SymbolFileMaker("socorro-stackwalk")
for found in find_symbols(["build"]):
    with maker.symbol_file(found) as (identity, file):
        ...
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from socorro_processor.errors import ProcessingEnvironmentError, SocorroError
from socorro_processor.serialization import Note, ignore
from socorro_processor.stackwalk.modules import MINIDUMP, Module
from socorro_processor.stackwalk.modules import modules_of as modules_of_dump
from socorro_processor.stackwalk.stackwalker import find_stackwalker
from socorro_processor.stackwalk.symbol_check import NoVerdict, is_corrupt
from socorro_processor.symbols.binary import Binary, identify, kind_of
from socorro_processor.symbols.download import module_line
from socorro_processor.symbols.dump_file import NotUnderstood
from socorro_processor.symbols.dump_syms import Converted, DumpSyms, find_dump_syms
from socorro_processor.symbols.elf import NotLinked
from socorro_processor.symbols.layout import SymbolFileID, can_have_symbols

_SUFFIX = ".sym"
_LONGEST_MODULE_LINE = 4096
"""Bytes."""
_UNKNOWN = "neither a symbol file, nor a binary (ELF, PE, PDB or Mach-O), nor a minidump"


@dataclass(frozen=True)
class FoundSymbols:
    """A symbol file, or the files that one is made from."""

    files: tuple[Path, ...]
    binaries: tuple[Binary, ...] = ()
    """The files of one build: a program or library, and what was split off it; empty for a symbol file."""
    refused: str = ""
    """The reason why there is no symbol file."""

    def __str__(self) -> str:
        return ", ".join(map(str, self.files))


class SymbolsRefused(SocorroError):
    """A symbol file is not added to any store; the message says why."""


def find_symbols(items: Sequence[str]) -> list[FoundSymbols]:
    """Find symbols in files and directories. In a directory, skip files that cannot have symbols.

    A minidump among ``items`` stands for those of its modules that this machine has.

    Raises SocorroError if a path does not exist, or no symbols are found.
    """
    found: list[FoundSymbols] = []
    binaries: list[Binary] = []
    for item in items:
        path = Path(item)
        for file in _files(path):
            try:
                if _is_symbol_file(file):
                    found.append(FoundSymbols((file,)))
                elif _begins_with(file, MINIDUMP):
                    binaries += _binaries_of_minidump(file) if file == path else ()
                elif kind := kind_of(file):
                    binaries += identify(file, kind)
                elif file == path:
                    raise NotUnderstood(_UNKNOWN)
            except NotUnderstood as error:
                if file == path or not isinstance(error, NotLinked):
                    found.append(FoundSymbols((file,), refused=str(error)))
            except OSError as error:
                found.append(FoundSymbols((file,), refused=f"it cannot be read: {error.strerror}"))
    found += _builds(binaries)
    if not found:
        raise SocorroError(f"no symbol files or binaries in {', '.join(items)}")
    return found


def modules_of(item: str) -> Iterator[Module]:
    """Yield the modules of a minidump that can have symbols; none if the item is not a minidump, or is damaged."""
    path = Path(item)
    with suppress(OSError, SocorroError):
        if path.is_file() and _begins_with(path, MINIDUMP):
            yield from (each for each in modules_of_dump(path) if can_have_symbols(each.debug_file, each.debug_id))


class SymbolFileMaker:
    """Makes symbol files that the stackwalker accepts."""

    def __init__(self, command_pathname: str, note: Note = ignore) -> None:
        """``command_pathname``: the stackwalker. ``note`` receives a message if it cannot check a file."""
        self._command_pathname = command_pathname
        self._note = note

    @contextmanager
    def symbol_file(self, found: FoundSymbols) -> Iterator[Converted]:
        """Yield a symbol file and its identity; it is removed after the block if it was made. Raises SymbolsRefused.

        Raises ProcessingEnvironmentError if this machine cannot make one.
        """
        if found.refused:
            raise SymbolsRefused(found.refused)
        with tempfile.TemporaryDirectory(prefix="socorro-symbols-") as directory:
            try:
                if found.binaries:
                    made = self._dump_syms.convert(found.binaries, Path(directory))
                else:
                    made = Converted(_read_identity(found.files[0]), found.files[0])
            except ProcessingEnvironmentError:
                raise
            except SocorroError as error:
                raise SymbolsRefused(str(error)) from error
            self._check(made.file, found)
            yield made

    @cached_property
    def _dump_syms(self) -> DumpSyms:
        return DumpSyms(find_dump_syms())

    def _check(self, file: Path, found: FoundSymbols) -> None:
        """Raise SymbolsRefused if the stackwalker rejects the file."""
        try:
            corrupt = is_corrupt(file, str(find_stackwalker(self._command_pathname)))
        except (NoVerdict, ProcessingEnvironmentError) as error:
            self._note(f"{found} was not tried with the stackwalker: {error}")
            return
        if corrupt:
            raise SymbolsRefused("it is corrupt: the stackwalker rejects a line of it; make it again with dump_syms")


def _files(path: Path) -> Iterable[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    if path.is_file():
        return [path]
    raise SocorroError(f"{path} is neither a file nor a directory")


def _is_symbol_file(file: Path) -> bool:
    return file.suffix == _SUFFIX or _begins_with(file, b"MODULE ")


def _begins_with(file: Path, magic: bytes) -> bool:
    with file.open("rb") as opened:
        return opened.read(len(magic)) == magic


def _binaries_of_minidump(file: Path) -> list[Binary]:
    """Return the modules of a dump that this machine has, in the same build. Raises NotUnderstood."""
    found = []
    try:
        modules = modules_of_dump(file)
    except SocorroError as error:
        raise NotUnderstood(str(error)) from error
    for module in modules:
        path = Path(module.code_file)
        # A hostile dump may name any path.
        if not path.is_absolute() or not path.is_file():
            continue
        with suppress(NotUnderstood):
            if kind := kind_of(path):
                found += [
                    binary
                    for binary in identify(path, kind)
                    if binary.debug_id.casefold() == module.debug_id.casefold()
                ]
    if not found:
        raise NotUnderstood("this machine has none of its modules in the same build")
    return found


def _builds(binaries: Iterable[Binary]) -> Iterator[FoundSymbols]:
    """Group binaries by build: a program under each of its names, each time with what was split off it."""
    programs: dict[tuple[str, str, str], list[Binary]] = {}
    split_off: dict[tuple[str, str], list[Binary]] = {}
    seen = set()
    for binary in binaries:
        status = binary.path.stat()
        if (file := (status.st_dev, status.st_ino, binary.debug_file, binary.architecture)) in seen:
            continue
        seen.add(file)
        build = (binary.debug_id, binary.architecture)
        if binary.has_code:
            programs.setdefault((*build, binary.debug_file), []).append(binary)
        else:
            split_off.setdefault(build, []).append(binary)
    used = set()
    for (debug_id, architecture, _), group in programs.items():
        used.add((debug_id, architecture))
        yield _build([*group, *split_off.get((debug_id, architecture), ())])
    for build, group in split_off.items():
        if build not in used:
            yield _build(group)


def _build(binaries: Sequence[Binary]) -> FoundSymbols:
    return FoundSymbols(tuple(dict.fromkeys(binary.path for binary in binaries)), tuple(binaries))


def _read_identity(file: Path) -> SymbolFileID:
    """Return the identity that a symbol file names. Raises SymbolsRefused."""
    try:
        with file.open("rb") as opened:
            module = module_line(opened.read(_LONGEST_MODULE_LINE))
            opened.seek(-1, 2)
            ended = opened.read() == b"\n"
    except OSError as error:
        raise SymbolsRefused(f"it cannot be read: {error.strerror}") from error
    if module is None:
        raise SymbolsRefused("it does not begin with a MODULE line")
    if not ended:
        raise SymbolsRefused("its last line was cut off")
    if not module[1].strip("0"):
        raise SymbolsRefused("it has no debug id, so no dump can ask for it")
    try:
        return SymbolFileID.of(*module)
    except ValueError as error:
        raise SymbolsRefused(str(error)) from error
