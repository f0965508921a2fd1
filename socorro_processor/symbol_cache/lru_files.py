"""The files of the symbol cache in the order of their last use, and their total size."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(slots=True)
class CachedFile:
    """A file of the cache. It has slots, because there are a hundred thousand of them."""

    size: int
    """Bytes, as ``ls`` shows them; blocks on the disk may be more."""
    used: float
    """The time when it was last opened or written, by the clock of the cache, in seconds."""


class LRUFiles:
    """Files by path, the one unused for longest first."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, CachedFile] = OrderedDict()
        self.bytes = 0
        """The sum of the sizes."""

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, path: object) -> bool:
        return path in self._files

    def __iter__(self) -> Iterator[str]:
        """Yield the paths, in order."""
        return iter(self._files)

    def items(self) -> Iterator[tuple[str, CachedFile]]:
        return iter(self._files.items())

    def get(self, path: str) -> CachedFile | None:
        return self._files.get(path)

    def oldest(self) -> tuple[str, CachedFile] | None:
        return next(self.items(), None)

    def use(self, path: str, now: float) -> bool:
        """Move a file to the end of the order. Return False if it is unknown."""
        file = self._files.get(path)
        if file is None:
            return False
        file.used = now
        self._files.move_to_end(path)
        return True

    def put(self, path: str, size: int, used: float) -> None:
        """Add or update a file, at the end of the order (``sort`` corrects that)."""
        file = self._files.get(path)
        if file is None:
            self._files[path] = CachedFile(size, used)
            self.bytes += size
        else:
            self.bytes += size - file.size
            file.size, file.used = size, used
            self._files.move_to_end(path)

    def resize(self, path: str, size: int) -> None:
        """Change the size of a known file, which keeps its place in the order."""
        file = self._files[path]
        self.bytes += size - file.size
        file.size = size

    def drop(self, path: str) -> bool:
        """Forget a file. Return False if it is unknown."""
        file = self._files.pop(path, None)
        if file is None:
            return False
        self.bytes -= file.size
        return True

    def below(self, directory: str) -> list[str]:
        prefix = f"{directory}/"
        return [path for path in self._files if path.startswith(prefix)]

    def sort(self) -> None:
        """Sort the files by their last use."""
        self._files = OrderedDict(sorted(self._files.items(), key=lambda item: item[1].used))
