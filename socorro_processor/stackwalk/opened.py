"""Open symbol files for a process that does not know their paths."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from socorro_processor.machine.regular_file import NotAFile
from socorro_processor.symbol_cache.index_directory import SUFFIX, index_directory

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class SymbolDirectories:
    """Directories of symbol files, searched in order, and the directory of each one's indexes."""

    def __init__(self, directories: Iterable[str], index_path: str = "") -> None:
        """``index_path`` is where indexes are; if empty, beside each directory."""
        self._directories = [(each, str(index_directory(Path(each), index_path))) for each in directories]

    def open(self, path: str) -> list[int]:
        """Return the descriptor of a symbol file, followed by that of its index if it has one.

        Raises FileNotFoundError; another OSError if the file cannot be opened or is not a regular file.
        """
        for directory, indexes in self._directories:
            with suppress(FileNotFoundError, NotADirectoryError):
                descriptors = [_open(f"{directory}/{path}")]
                with suppress(OSError):
                    descriptors.append(_open(f"{indexes}/{path}{SUFFIX}"))
                return descriptors
        raise FileNotFoundError(path)


def _open(path: str) -> int:
    descriptor = os.open(path, _FLAGS)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotAFile(0, "it is not a regular file", path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
