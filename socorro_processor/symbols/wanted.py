"""Which symbol files are wanted for a dump."""

from __future__ import annotations

from typing import NamedTuple

from socorro_processor.symbols.layout import symbol_path


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
