"""The result of getting the symbol files that a dump needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from socorro_processor.symbols.layout import SymbolFileID

CACHED, FETCHED, MISSING = "cached", "fetched", "missing"
"""It was there; it has come; no source has it. Whatever else is said of a file is why it did not come."""


@dataclass(frozen=True)
class SupplyResult:
    """Each file that was asked for, in that order, and what became of it."""

    results: Mapping[SymbolFileID, str]
    late: Collection[SymbolFileID] = ()
    """Files of ``failed`` that may be there at the next attempt: they had not come in time."""

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
        """Files of which it is not known whether a source has them, and why."""
        return {wanted: said for wanted, said in self.results.items() if said not in (CACHED, FETCHED, MISSING)}

    def notes(self) -> list[str]:
        """For people who read the crash."""
        notes = []
        if self.missing:
            notes.append(f"symbols of {_modules(self.missing)} are at no source")
        for reason, count in Counter(self.failed.values()).items():
            notes.append(f"symbols of {_modules(range(count))} were not got: {reason}")
        return notes

    def _of(self, result: str) -> list[SymbolFileID]:
        return [wanted for wanted, said in self.results.items() if said == result]


def _modules(which: Sequence[object]) -> str:
    return "1 module" if len(which) == 1 else f"{len(which)} modules"
