"""The directories where this configuration looks for symbols, and advice for stacks that lack some."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from socorro_processor.configuration import DotDict
from socorro_processor.symbols.supplier import rules_with_symbols
from socorro_processor.untrusted import joined, plain

SYMBOLS_PAGE = "/symbols"
"""The path of a server's page that takes symbols."""


class Advice(NamedTuple):
    """A way to get symbols: a sentence, the commands that it leads to, and a sentence on what comes then."""

    before: str
    commands: tuple[str, ...]
    after: str = ""

    def lines(self) -> Iterator[str]:
        """Yield the advice as lines for a terminal."""
        yield self.before
        yield from (f"  {command}" for command in self.commands)
        if self.after:
            yield self.after


@dataclass(frozen=True)
class SymbolPlaces:
    """The directories of symbols that people maintain, absolute; ``socorro symbols add`` writes to the first.

    ``are_given`` is True if they were named for this command only: ``socorro symbols add`` does not write to these.
    """

    directories: tuple[str, ...] = ()
    are_given: bool = False
    working_directory: str = ""
    """The directory in which a command finds this configuration; empty if any will do."""
    server: str = ""
    """The beginning of the addresses of the server whose page this is; empty on a terminal."""
    reprocesses: bool = True
    """On a server: True if its page can have the crash processed again."""

    @classmethod
    def of(cls, processor: DotDict, directories: Sequence[Path] = ()) -> SymbolPlaces:
        """Return the given ``directories`` or, without any, those of the section ``processor``."""
        if directories:
            return cls(tuple(str(each.absolute()) for each in directories), are_given=True)
        rule = next(rules_with_symbols(processor), None)
        # An operator's own rule may lack the option.
        configured = (rule.get("symbols_path") or ()) if rule is not None else ()
        return cls(tuple(str(Path(each).absolute()) for each in configured), working_directory=_working_directory())

    def advice_for_file(self, file: str) -> Advice:
        """Return where the symbols of a minidump in no store were searched, and how to get them."""
        searched = f"Searched: {', '.join(map(plain, self.directories))}. "
        again = f"socorro process {_shown(file)}"
        if self.are_given:
            options = [f"--symbols={_shown(each)}" for each in self.directories]
            return Advice(f"{searched}Once the symbols are there:", (" ".join([again, *options]),))
        if self.directories:
            words = f"{searched}To add symbols, and to walk the minidump again:"
            return Advice(words, (f"socorro symbols add PROGRAM {_shown(file)}", again))
        return Advice("If a directory has symbols:", (f"{again} --symbols=DIRECTORY",))

    def advice_for_crash(self, crash_id: str) -> Advice | None:
        """Return how to get symbols for a crash in a store; where its processor searched is unknown."""
        if self.server:
            return self._advice_on_a_page()
        place = f", in {plain(self.working_directory)}" if self.working_directory else ""
        again = f"socorro process {crash_id}"
        if not self.directories:
            return Advice(f"Once a symbol store has the symbols{place}:", (again,))
        words = f"To add symbols to {plain(self.directories[0])}, and to walk the crash again{place}:"
        return Advice(words, ("socorro symbols add PROGRAM", again))

    def _advice_on_a_page(self) -> Advice | None:
        """Return what whoever reads a page can do: the server's own commands are for its operators."""
        again = "press Process again at the top of the page of the crash." if self.reprocesses else ""
        if self.directories:
            page = f"{self.server}{SYMBOLS_PAGE}"
            return Advice(
                "To add symbols, send the program or library as it was built, with its debug information:",
                (f"curl --fail-with-body -F symbols=@PROGRAM {page}",),
                joined(" Then ", f"Or upload it in a browser, at {page}.", again),
            )
        return Advice(f"Once a symbol store has them: {again}", ()) if again else None


def _working_directory() -> str:
    try:
        return str(Path.cwd())
    except FileNotFoundError:  # somebody removed it
        return ""


def _shown(path: str) -> str:
    return plain(shlex.quote(path))
