"""The places where this configuration looks for symbols, and what to do where a stack lacks some."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from socorro_processor.cli.untrusted import plain
from socorro_processor.configuration import DotDict
from socorro_processor.symbols.supplier import rules_with_symbols


@dataclass(frozen=True)
class SymbolPlaces:
    """``directories``: where symbols that somebody keeps by hand are looked for, absolute, the first of them the one
    in which ``socorro symbols add`` puts them.

    ``are_given``: they were named for this one command, which ``socorro symbols add`` knows nothing of.
    """

    directories: tuple[str, ...] = ()
    are_given: bool = False

    @classmethod
    def of(cls, processor: DotDict, given: Sequence[Path] = ()) -> SymbolPlaces:
        """``processor``: that section of the configuration; ``given``: directories in the place of its own."""
        if given:
            return cls(tuple(str(each.absolute()) for each in given), are_given=True)
        rule = next(rules_with_symbols(processor), None)
        # A rule of an operator's own may have none.
        kept = (rule.get("symbols_path") or ()) if rule is not None else ()
        return cls(tuple(str(Path(each).absolute()) for each in kept))

    def advice_for_file(self, file: str) -> Iterator[str]:
        """Yield lines: where the symbols of a minidump in no store were looked for, and how it gets them."""
        searched = f"They were looked for in {self._named(self.directories)}. "
        if self.are_given:
            options = [f"--symbols={_shown(each)}" for each in self.directories]
            yield f"{searched}Once they are there:"
            yield f"  socorro process {' '.join([_shown(file), *options])}"
        elif self.directories:
            yield f"{searched}To add them, and to walk the minidump again:"
            yield f"  socorro symbols add PROGRAM {_shown(file)}"
            yield f"  socorro process {_shown(file)}"
        else:
            yield "Where a directory has them:"
            yield f"  socorro process {_shown(file)} --symbols=DIRECTORY"

    def advice_for_crash(self, crash_id: str) -> Iterator[str]:
        """Yield lines: how a crash of a store gets them. Where its processor looked for them is not known."""
        if self.directories:
            yield f"To add them to {plain(self.directories[0])}, and to walk the crash again:"
            yield "  socorro symbols add PROGRAM"
        else:
            yield "Once a symbol store has them:"
        yield f"  socorro process {crash_id}"

    @staticmethod
    def _named(directories: Sequence[str]) -> str:
        return " or ".join(map(plain, directories))


def _shown(path: str) -> str:
    return plain(shlex.quote(path))
