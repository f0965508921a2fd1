"""Minidumps that were searched for the symbols that they need, and are soon to be sliced."""

from __future__ import annotations

import threading
from pathlib import Path

from socorro_processor.symbols import minidump
from socorro_processor.symbols.minidump import Minidump
from socorro_processor.symbols.wanted import Wanted, needed_symbols

_KEPT = 2


class SearchedDumps:
    """Keeps what was read of a few: to search a dump is about half of what its slices cost. For several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Path, Minidump] = {}

    def needed(self, path: Path) -> list[Wanted]:
        """The symbol files that a dump needs, which is not to change until it is sliced. Raises NotUnderstood."""
        dump = minidump.read(path)
        needed = needed_symbols(dump)
        with self._lock:
            self._kept[path] = dump
            if len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]
        return needed

    def read(self, path: Path) -> Minidump:
        """One of those that were searched, for the last time; or a new one. Raises NotUnderstood."""
        with self._lock:
            dump = self._kept.pop(path, None)
        return dump or minidump.read(path)
