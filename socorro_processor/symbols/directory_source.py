"""Symbol files in a directory, local or on a network file system."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from socorro_processor.symbols.source import SourceAway, SymbolsNotThere

_CHUNK = 1 << 20
_SUFFIXES = ("", ".gz", ".zst")


class DirectorySource:
    """A directory of symbol files, plain or compressed (``.gz`` or ``.zst`` appended to the name)."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.name = str(root)

    def chunks(self, path: str) -> Generator[bytes]:
        try:
            if not self._root.is_dir():
                raise SourceAway(f"there is no directory {self.name}")
            for suffix in _SUFFIXES:
                file = self._root / f"{path}{suffix}"
                if file.is_file():  # not a pipe, which would block
                    with file.open("rb") as opened:
                        while chunk := opened.read(_CHUNK):
                            yield chunk
                    return
        except OSError as error:
            raise SourceAway(f"cannot read {path} in {self.name}: {error.strerror}") from error
        raise SymbolsNotThere(f"no {path} in {self.name}")

    def close(self) -> None: ...
