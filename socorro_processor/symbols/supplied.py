"""What became of the symbol files that a dump needed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from socorro_processor.symbols.wanted import Wanted

FETCHED, MISSING = "", "missing"
"""What ``Supplied.add`` is told of a file; anything else is the reason why it did not come."""


@dataclass
class Supplied:
    """What became of each file that was asked for."""

    cached: list[Wanted] = field(default_factory=list)
    fetched: list[Wanted] = field(default_factory=list)
    missing: list[Wanted] = field(default_factory=list)
    """No source has it."""
    failed: dict[Wanted, str] = field(default_factory=dict)
    """Not known whether a source has it, and why."""

    def add(self, wanted: Wanted, result: str) -> None:
        if result == FETCHED:
            self.fetched.append(wanted)
        elif result == MISSING:
            self.missing.append(wanted)
        else:
            self.failed[wanted] = result

    def notes(self) -> list[str]:
        """For people who read the crash."""
        notes = []
        if self.missing:
            notes.append(f"symbols of {_modules(len(self.missing))} are at no source")
        for reason, count in Counter(self.failed.values()).items():
            notes.append(f"symbols of {_modules(count)} were not got: {reason}")
        return notes


def _modules(count: int) -> str:
    return "1 module" if count == 1 else f"{count} modules"
