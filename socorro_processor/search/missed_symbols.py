"""A symbol file as the field ``missing_symbols`` of an index has it: ``debug file/debug id``."""

from __future__ import annotations

from socorro_processor.symbols.layout import SymbolFileID


def item_of(wanted: SymbolFileID) -> str:
    """Return the item for a symbol file."""
    return wanted.path.rpartition("/")[0]


def read_item(item: str) -> SymbolFileID:
    """Return the symbol file of an item. Raises ValueError if no store could have it."""
    debug_file, _, debug_id = item.rpartition("/")
    return SymbolFileID.of(debug_file, debug_id)
