"""Where symbol files come from: what every kind of source does, and the three ways in which it may not."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

from socorro_processor.errors import SocorroError


class SymbolsNotThere(SocorroError):
    """The source was asked, and has no such file. That is remembered."""


class WrongSymbolFile(SymbolsNotThere):
    """The source gave something, but not this symbol file: a page of HTML, or the file of another build."""


class SourceAway(SocorroError):
    """The source gave no answer that tells whether it has the file: it is away, overloaded or refuses us."""


class SymbolSource(Protocol):
    """A store of symbol files in the Breakpad layout. May be used by several threads at once."""

    @property
    def name(self) -> str:
        """Its name in messages and in what is remembered of it. It holds no secret."""

    def chunks(self, path: str) -> Generator[bytes]:
        """The content of a file, piece by piece, maybe compressed: to be closed where it is not read to its end.

        ``path`` is that of ``symbol_path``. Each piece comes after a limited time.
        Raises SymbolsNotThere or SourceAway, at any piece.
        """

    def close(self) -> None: ...
