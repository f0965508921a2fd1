"""The result of getting the symbol files that a dump needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from socorro_processor.symbols.layout import SymbolFileID

CACHED, FETCHED, MISSING = "cached", "fetched", "missing"
"""The file was in the cache; it was fetched; no source has it. Any other result says why the file did not come."""


@dataclass(frozen=True)
class SupplyResult:
    """The result for each file that was asked for, in order."""

    results: Mapping[SymbolFileID, str]
    late: Collection[SymbolFileID] = ()
    """Files of ``failed`` that may be there at the next attempt: they did not come in time."""

    @property
    def cached(self) -> list[SymbolFileID]:
        return self._of(CACHED)

    @property
    def fetched(self) -> list[SymbolFileID]:
        return self._of(FETCHED)

    @property
    def missing(self) -> list[SymbolFileID]:
        return self._of(MISSING)

    @property
    def failed(self) -> dict[SymbolFileID, str]:
        """The files that did not come, although a source may have them, each with the reason."""
        return {file: result for file, result in self.results.items() if result not in (CACHED, FETCHED, MISSING)}

    def notes(self) -> list[str]:
        """Return notes for people who read the crash."""
        notes = []
        if self.missing:
            notes.append(f"symbols of {_modules(self.missing)} are at no source")
        for reason, count in Counter(self.failed.values()).items():
            notes.append(f"symbols of {_modules(range(count))} were not got: {reason}")
        return notes

    def _of(self, result: str) -> list[SymbolFileID]:
        return [file for file, each in self.results.items() if each == result]


def _modules(which: Sequence[object]) -> str:
    return "1 module" if len(which) == 1 else f"{len(which)} modules"
