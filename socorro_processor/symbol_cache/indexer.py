"""Have the indexes of a symbol cache made, one after the other.

The first request names the stackwalker that makes them. From then on each new file is indexed, too.
"""

from __future__ import annotations

import queue
from collections.abc import Container, Iterator
from pathlib import Path

from socorro_processor.symbol_cache.index_builder import IndexBuilder
from socorro_processor.symbol_cache.index_directory import IndexDirectory
from socorro_processor.symbols.layout import SymbolFile


class CacheIndexer:
    """The indexer of a cache, for one thread, which never waits here."""

    def __init__(self, cache: Path, indexes: IndexDirectory, index_path: str = "") -> None:
        """``index_path`` is as in ``index_directory``."""
        self._cache = cache
        self._indexes = indexes
        self._stackwalker = ""
        self._tried: queue.SimpleQueue[SymbolFile] = queue.SimpleQueue()
        self._builder = IndexBuilder(index_path, tried=self._tried.put)

    def arrived(self, path: str) -> None:
        """Have a new file indexed."""
        if self._stackwalker and path.endswith(".sym"):
            self._builder.want(SymbolFile(self._cache, path), self._stackwalker)

    def work(self, files: Container[str]) -> Iterator[str]:
        """Take requests for these files; yield those whose index may have changed. Call it again and again."""
        for request in self._indexes.requests():
            self._stackwalker = request.stackwalker
            if request.path in files:
                self._builder.want(SymbolFile(self._cache, request.path), self._stackwalker)
        while not self._tried.empty():
            yield self._tried.get().relative

    def close(self) -> None:
        """Close the indexer, which abandons an unfinished index."""
        self._builder.close()
