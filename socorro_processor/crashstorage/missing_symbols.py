"""What a processed crash says of the symbols that it missed, in ``processing.missing_symbols``."""

from __future__ import annotations

from typing import Any, NamedTuple

from socorro_processor.crashstorage.base import ProcessedCrash


class SymbolFile(NamedTuple):
    """A module, by what its symbols are looked up by."""

    debug_file: str
    debug_id: str
    code_file: str | None
    code_id: str | None

    @property
    def has_debug_id(self) -> bool:
        """False where it is zeros alone, as of a font or of Android's ``boot.art``: nobody has symbols for it."""
        return bool(self.debug_id.strip("0"))


Missed = tuple[str, list[SymbolFile]]
"""A crash id, and the symbol files that this crash missed."""


def recorded(processed_crash: ProcessedCrash) -> list[SymbolFile]:
    """The rows of a processed crash; what is none is left out."""
    processing = processed_crash.get("processing")
    rows = processing.get("missing_symbols") if isinstance(processing, dict) else None
    return [SymbolFile(*row) for row in rows if _is_row(row)] if isinstance(rows, list) else []


def _is_row(row: Any) -> bool:
    return (
        isinstance(row, list)
        and len(row) == len(SymbolFile._fields)
        and all(isinstance(value, str) for value in row[:2])
        and all(isinstance(value, str | None) for value in row[2:])
    )
