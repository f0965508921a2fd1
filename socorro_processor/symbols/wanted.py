"""Which symbol files are wanted for a dump."""

from __future__ import annotations

from typing import NamedTuple

from socorro_processor.symbols.minidump import Minidump
from socorro_processor.symbols.store import symbol_path


class Wanted(NamedTuple):
    """A symbol file, by what a minidump says of its module."""

    debug_file: str
    debug_id: str
    path: str
    """In the Breakpad layout."""

    @classmethod
    def of(cls, debug_file: str, debug_id: str) -> Wanted:
        """Raises ValueError for what names no file in the layout."""
        return cls(debug_file, debug_id, symbol_path(debug_file, debug_id))


def needed_symbols(minidump: Minidump) -> list[Wanted]:
    """The symbol files of the modules that something in its stacks points into. Raises NotUnderstood."""
    wanted: dict[str, Wanted] = {}
    for module in minidump.pointed_into(minidump.candidates()):
        if not module.can_have_symbols:
            continue
        try:
            each = Wanted.of(module.debug_file, module.debug_id)
        except ValueError:  # a trick, or a name that no file can have: the stackwalker does not find any either
            continue
        wanted.setdefault(each.path, each)
    return list(wanted.values())
