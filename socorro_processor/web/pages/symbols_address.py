"""The address of the page of the symbols, for one symbol file or for all."""

from __future__ import annotations

from socorro_processor.crashstorage.missed_in_stack import NAME
from socorro_processor.report.symbol_places import SYMBOLS_PAGE
from socorro_processor.search.missed_symbols import item_of, read_item
from socorro_processor.symbols.layout import SymbolFileID
from socorro_processor.web.pages.address import Address, page_address

PATH = SYMBOLS_PAGE


def symbols_address(debug_file: str, debug_id: str) -> str:
    """Return the address for a module's symbol file; empty if no store could have one."""
    try:
        return page_address(PATH, **{NAME: item_of(SymbolFileID.of(debug_file, debug_id))})
    except ValueError:
        return ""


def chosen_file(address: Address) -> SymbolFileID | None:
    """Return the symbol file that an address names; None if it names none, or several."""
    values = address.values(NAME)
    if len(values) != 1:
        return None
    try:
        return read_item(values[0])
    except ValueError:
        return None
