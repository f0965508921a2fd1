"""The contract of a symbol source, and its errors."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

from socorro_processor.errors import SocorroError


class SymbolsNotThere(SocorroError):
    """The source does not have the file. The supplier remembers that."""


class WrongSymbolFile(SymbolsNotThere):
    """The source sent something else than the symbol file: a page of HTML, or the file of another build."""


class SourceAway(SocorroError):
    """The source did not tell if it has the file: it is away, overloaded or refuses us."""


class SymbolSource(Protocol):
    """A store of symbol files in the Breakpad layout. May be used by several threads at once."""

    @property
    def name(self) -> str:
        """Its name in messages and for what is remembered about it; contains no secret."""

    def chunks(self, path: str) -> Generator[bytes]:
        """Yield the content of a file in pieces, maybe compressed. Close it if you do not read it to its end.

        ``path`` is from ``symbol_path``. The wait for each piece is limited.
        Raises SymbolsNotThere or SourceAway, at any piece.
        """

    def close(self) -> None: ...
