"""Add symbols to the local store, a directory in which walks look first."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from socorro_processor.errors import SocorroError
from socorro_processor.machine.regular_file import replacing
from socorro_processor.stackwalk.new_symbols import FoundSymbols, SymbolFileMaker, SymbolsRefused, modules_of
from socorro_processor.symbols.dump_syms import Converted, has_functions
from socorro_processor.symbols.layout import SymbolFileID

ADDED, REPLACED, THERE, REFUSED = "added", "replaced", "already there", "refused"
OTHER_BUILD = "names another build"
"""The result for a minidump: the build of a module that was added is not the one that the minidump names."""

_NO_FUNCTIONS = "without functions and lines: it has no debug information"
_CHUNK = 1 << 20


class Addition(NamedTuple):
    """The outcome for symbols that were found."""

    found: FoundSymbols
    result: str
    wanted: SymbolFileID | None
    reason: str = ""


class LocalSymbols:
    """The local store of symbols."""

    def __init__(self, directory: Path, maker: SymbolFileMaker) -> None:
        self._directory = directory
        self._maker = maker

    def add(self, found: FoundSymbols) -> Addition:
        """Add symbols, unless the store has equally good ones. Raises SocorroError if it cannot be written."""
        if (wanted := self._existing(found)) is not None:
            return Addition(found, THERE, wanted)
        try:
            with self._maker.symbol_file(found) as made:
                return Addition(
                    found, self._put(made), made.identity, "" if has_functions(made.file) else _NO_FUNCTIONS
                )
        except SymbolsRefused as error:
            return Addition(found, REFUSED, None, str(error))

    def other_builds(self, items: Iterable[str], additions: Iterable[Addition]) -> Iterator[Addition]:
        """Yield modules of minidumps among ``items`` that lack symbols, although those of another build were added."""
        added: dict[str, SymbolFileID] = {each.wanted.debug_file: each.wanted for each in additions if each.wanted}
        for item in dict.fromkeys(items):
            for module in modules_of(item):
                try:
                    wanted = SymbolFileID.of(module.debug_file, module.debug_id)
                except ValueError:  # a name that no file can have
                    continue
                other = added.get(module.debug_file)
                if other and not (self._directory / wanted.path).is_file():
                    reason = f"not {other.debug_file}/{other.debug_id}: the one that crashed is needed"
                    yield Addition(FoundSymbols((Path(item),)), OTHER_BUILD, wanted, reason)

    def _existing(self, found: FoundSymbols) -> SymbolFileID | None:
        """Return the symbol file that converting the binaries would not better, if the store has it."""
        for binary in found.binaries[:1]:
            try:
                wanted = SymbolFileID.of(binary.debug_file, binary.debug_id)
            except ValueError:
                return None
            return wanted if has_functions(self._directory / wanted.path) else None
        return None

    def _put(self, made: Converted) -> str:
        target = self._directory / made.identity.path
        try:
            is_there = target.is_file()
            if is_there and (has_functions(target) or not has_functions(made.file)):
                return THERE
            target.parent.mkdir(parents=True, exist_ok=True)
            with made.file.open("rb") as source, replacing(target) as copy:
                shutil.copyfileobj(source, copy, _CHUNK)
        except OSError as error:
            raise SocorroError(f"cannot write {target}: {error.strerror}") from error
        return REPLACED if is_there else ADDED
