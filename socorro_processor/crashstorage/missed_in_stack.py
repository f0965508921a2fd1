"""The symbol files that an index has of a crash: those that its stack lacks.

A walk asks for the symbols of all threads, which are dozens of files of the system; an index of them all would be half
as large again. The stack that crashed is what is looked at, and what makes the signature.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from socorro_processor.crashstorage.missed_symbols import missed_modules
from socorro_processor.symbol_path import symbol_path

NAME = "missing_symbols"
"""The field, whose items are ``debug file/debug id``."""
_SEPARATOR = ";"
_LONGEST_LIST = 20_000
"""Characters of ``modules_in_stack``."""


def missed_in_stack(processed: Mapping[str, Any]) -> list[str]:
    """Return the symbol files that were missing for modules with frames in the stack that crashed."""
    modules = processed.get("modules_in_stack")
    if not isinstance(modules, str):
        return []
    in_stack = {each.rpartition("/")[2].casefold() for each in modules[:_LONGEST_LIST].split(_SEPARATOR)}
    missed = []
    for module in missed_modules(dict(processed)):
        if module.may_exist and module.debug_id.casefold() in in_stack:
            try:
                missed.append(symbol_path(module.debug_file, module.debug_id).rpartition("/")[0])
            except ValueError:  # a name that no store of symbols can have
                continue
    return missed
