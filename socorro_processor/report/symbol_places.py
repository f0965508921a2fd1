"""The directories where this configuration looks for symbols, and advice for stacks that lack some."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from socorro_processor.configuration import DotDict
from socorro_processor.symbols.supplier import rules_with_symbols
from socorro_processor.untrusted import plain


@dataclass(frozen=True)
class SymbolPlaces:
    """The directories of symbols that people maintain, absolute; ``socorro symbols add`` writes to the first.

    ``are_given`` is True if they were named for this command only: ``socorro symbols add`` does not write to these.
    """

    directories: tuple[str, ...] = ()
    are_given: bool = False

    @classmethod
    def of(cls, processor: DotDict, directories: Sequence[Path] = ()) -> SymbolPlaces:
        """Return the given ``directories`` or, without any, those of the section ``processor``."""
        if directories:
            return cls(tuple(str(each.absolute()) for each in directories), are_given=True)
        rule = next(rules_with_symbols(processor), None)
        # An operator's own rule may lack the option.
        configured = (rule.get("symbols_path") or ()) if rule is not None else ()
        return cls(tuple(str(Path(each).absolute()) for each in configured))

    def advice_for_file(self, file: str) -> Iterator[str]:
        """Yield lines that tell where the symbols of a minidump in no store were searched, and how to get them."""
        searched = f"Searched: {', '.join(map(plain, self.directories))}. "
        if self.are_given:
            options = [f"--symbols={_shown(each)}" for each in self.directories]
            yield f"{searched}Once the symbols are there:"
            yield f"  socorro process {' '.join([_shown(file), *options])}"
        elif self.directories:
            yield f"{searched}To add symbols, and to walk the minidump again:"
            yield f"  socorro symbols add PROGRAM {_shown(file)}"
            yield f"  socorro process {_shown(file)}"
        else:
            yield "If a directory has symbols:"
            yield f"  socorro process {_shown(file)} --symbols=DIRECTORY"

    def advice_for_crash(self, crash_id: str) -> Iterator[str]:
        """Yield lines that tell how to get symbols for a crash in a store; where its processor searched is unknown."""
        if self.directories:
            yield f"To add symbols to {plain(self.directories[0])}, and to walk the crash again:"
            yield "  socorro symbols add PROGRAM"
        else:
            yield "Once a symbol store has the symbols:"
        yield f"  socorro process {crash_id}"


def _shown(path: str) -> str:
    return plain(shlex.quote(path))
