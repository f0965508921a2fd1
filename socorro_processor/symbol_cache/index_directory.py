"""The directory of the indexes of one store of symbols, as the manager of a symbol cache sees it.

A processor that lacks an index leaves a request in the directory, and the manager has it made.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from socorro_processor.machine.regular_file import replacing
from socorro_processor.symbol_cache.records import is_managed

SUFFIX = ".index"
_REQUESTS = ".requests"


def index_directory(root: Path, directory: str = "") -> Path:
    """Return the directory of the indexes for ``root``: below that path in ``directory`` or, if empty, beside it."""
    root = root.absolute()
    if not directory:
        return root.with_name(root.name + SUFFIX)
    return Path(directory).absolute() / root.relative_to(root.anchor)


class IndexRequest(NamedTuple):
    """A missing index, and the stackwalker to make it."""

    path: str
    """The path of the symbol file in its store."""
    stackwalker: str


def ask_the_manager(root: Path, indexes: Path, request: IndexRequest) -> bool:
    """Leave a request. Return False if ``root`` is not a managed symbol cache, or the request cannot be written."""
    try:
        if not is_managed(root):
            return False
        IndexDirectory(indexes).ask(request)
    except OSError:
        return False
    return True


class IndexDirectory:
    """Indexes by the paths of their symbol files. Their sizes are known without a look at the disk."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._sizes: dict[str, int] = {}

    def file(self, path: str) -> Path:
        """Return the path of a symbol file's index."""
        return self._directory / (path + SUFFIX)

    def scan(self) -> None:
        """Find all indexes. Raises OSError."""
        self._sizes = dict(self._walk(str(self._directory)))

    def __iter__(self) -> Iterator[str]:
        """Yield the symbol files that have an index."""
        return iter(tuple(self._sizes))

    def size(self, path: str) -> int:
        """Return the size of an index in bytes; 0 if there is none."""
        return self._sizes.get(path, 0)

    def look_at(self, path: str) -> None:
        """Update the size of an index from the disk."""
        try:
            self._sizes[path] = self.file(path).stat().st_size
        except OSError:
            self._sizes.pop(path, None)

    def remove(self, path: str) -> None:
        """Remove an index and the directories that this empties. If that fails, the orphan still counts."""
        if path not in self._sizes:
            return
        file = self.file(path)
        with suppress(OSError):
            file.unlink(missing_ok=True)
            del self._sizes[path]
            for parent in file.parents[: path.count("/")]:
                parent.rmdir()

    def ask(self, request: IndexRequest) -> None:
        """Leave a request. Raises OSError."""
        directory = self._directory / _REQUESTS
        name = hashlib.sha256(request.path.encode(errors="surrogateescape")).hexdigest()
        if (directory / name).exists():
            return
        directory.mkdir(parents=True, exist_ok=True)
        with replacing(directory / name, durable=False) as file:
            file.write(json.dumps(request).encode())

    def requests(self) -> Iterator[IndexRequest]:
        """Take and yield the requests."""
        directory = f"{self._directory}/{_REQUESTS}"
        with suppress(FileNotFoundError), os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                with suppress(OSError, ValueError, TypeError):
                    text = Path(entry).read_bytes()
                    Path(entry).unlink()
                    request = IndexRequest(*json.loads(text))
                    if all(isinstance(each, str) for each in request):
                        yield request

    def _walk(self, directory: str, prefix: str = "") -> Iterator[tuple[str, int]]:
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(directory) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name != _REQUESTS:
                        yield from self._walk(entry.path, f"{prefix}{entry.name}/")
                elif entry.name.endswith(SUFFIX):
                    with suppress(FileNotFoundError):
                        yield prefix + entry.name.removesuffix(SUFFIX), entry.stat(follow_symlinks=False).st_size
