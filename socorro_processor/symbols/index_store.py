"""The indexes of the symbol files below some directories: where they lie, and those kept in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

from socorro_processor.symbols.index import FileState, SymbolIndex
from socorro_processor.symbols.index_directory import SUFFIX, index_directory


class SymbolFile(NamedTuple):
    """One in a store of symbols."""

    root: Path
    relative: str
    """``<debug file>/<debug id>/<name>.sym``"""

    @property
    def path(self) -> Path:
        return self.root / self.relative


class IndexStore:
    """May be used by several threads at once."""

    def __init__(self, directory: str = "", memory: int = 256 << 20) -> None:
        """``directory`` is where indexes lie; empty, they lie beside each directory of symbols (``symbols.index/``).

        ``memory`` is about how many bytes the indexes kept in memory may take up.
        """
        self.index_path = directory
        self.memory = memory
        self._lock = threading.Lock()
        self._kept: OrderedDict[SymbolFile, SymbolIndex] = OrderedDict()
        self._used = 0

    def path(self, file: SymbolFile) -> Path:
        """Of the index of a symbol file."""
        return self.directory(file.root) / (file.relative + SUFFIX)

    def directory(self, root: Path) -> Path:
        """In which those of the symbol files below ``root`` lie."""
        return index_directory(root, self.index_path)

    def get(self, file: SymbolFile, state: FileState, stackwalker: str) -> SymbolIndex:
        """Raises UnusableIndex."""
        with self._lock:
            index = self._kept.get(file)
            if index is not None and index.file == state and index.stackwalker == stackwalker:
                self._kept.move_to_end(file)
                return index
        self.forget(file)
        index = SymbolIndex.load(self.path(file), state, stackwalker)
        with self._lock:
            if file not in self._kept:
                self._kept[file] = index
                self._used += index.memory
            while self._used > self.memory and len(self._kept) > 1:
                self._used -= self._kept.popitem(last=False)[1].memory
        return index

    def forget(self, file: SymbolFile) -> None:
        """Release the memory of an index."""
        with self._lock:
            if (index := self._kept.pop(file, None)) is not None:
                self._used -= index.memory
