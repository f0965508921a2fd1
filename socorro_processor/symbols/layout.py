"""The Breakpad layout of symbol files in a cache, a directory, a bucket and on a symbol server.

``<debug file>/<debug id>/<name>.sym``: ``xul.pdb/83CF4DC03621B778E931FC713889E8F10/xul.sym`` is the one
of ``xul.pdb``, ``libxul.so/83CF4DC03621B778E931FC713889E8F10/libxul.so.sym`` that of ``libxul.so``. Breakpad's
src/processor/simple_symbol_supplier.h describes it, and its docs/symbol_files.md (MODULE records) the debug id.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from socorro_processor.symbol_path import symbol_path


def can_have_symbols(debug_file: str, debug_id: str) -> bool:
    """Return True if a store could have a file for the module: it has a name, and an id that is not all zeros."""
    return bool(debug_file and debug_id.strip("0"))


class SymbolFileID(NamedTuple):
    """The identity of a symbol file, as a minidump names its module."""

    debug_file: str
    debug_id: str
    path: str
    """In the Breakpad layout."""

    @classmethod
    def of(cls, debug_file: str, debug_id: str) -> SymbolFileID:
        """Raises ValueError if the arguments name no file in the layout."""
        return cls(debug_file, debug_id, symbol_path(debug_file, debug_id))


class SymbolFile(NamedTuple):
    """A symbol file in a store of symbols."""

    root: Path
    relative: str
    """``<debug file>/<debug id>/<name>.sym``"""

    @property
    def path(self) -> Path:
        return self.root / self.relative

    def state(self) -> FileState | None:
        """Return the state of the file; None if there is no such file."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return FileState.of(status)


class FileState(NamedTuple):
    """The state of a file, which differs after each change."""

    size: int
    mtime: int
    """Nanoseconds."""
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileState:
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)
