"""The directory in which the indexes of one store of symbols lie, as the manager of a symbol cache sees it.

Who misses one leaves a request in the directory, for the manager to have it made.
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
    """Where the indexes of the symbol files below ``root`` lie: below that path in ``directory``; empty, beside it."""
    root = root.absolute()
    if not directory:
        return root.with_name(root.name + SUFFIX)
    return Path(directory).absolute() / root.relative_to(root.anchor)


class IndexRequest(NamedTuple):
    """An index that was missed, and the stackwalker that is to make it."""

    path: str
    """The path of the symbol file in its store."""
    stackwalker: str


def ask_the_manager(root: Path, indexes: Path, request: IndexRequest) -> bool:
    """Leave a request for it; False where ``root`` is no managed symbol cache, or nothing can be left."""
    try:
        if not is_managed(root):
            return False
        IndexDirectory(indexes).ask(request)
    except OSError:
        return False
    return True


class IndexDirectory:
    """Indexes by the paths of their symbol files. What each comes to is known without a look at the disk."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._sizes: dict[str, int] = {}

    def file(self, path: str) -> Path:
        """Where the index of a symbol file lies."""
        return self._directory / (path + SUFFIX)

    def scan(self) -> None:
        """See which there are. Raises OSError."""
        self._sizes = dict(self._walk(str(self._directory)))

    def __iter__(self) -> Iterator[str]:
        """The symbol files that have one."""
        return iter(tuple(self._sizes))

    def size(self, path: str) -> int:
        """In bytes; 0 where there is none."""
        return self._sizes.get(path, 0)

    def look_at(self, path: str) -> None:
        """See what has become of one."""
        try:
            self._sizes[path] = self.file(path).stat().st_size
        except OSError:
            self._sizes.pop(path, None)

    def remove(self, path: str) -> None:
        """It, and the directories that are empty without it. One that cannot be removed still counts, as an orphan."""
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
        """Take those that were left."""
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
