"""The files of the symbol cache in the order in which they were used, and what they come to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(slots=True)
class CachedFile:
    """Slots, for there are a hundred thousand of them."""

    size: int
    """Bytes, as ``ls`` shows them; blocks on the disk may be more."""
    used: float
    """When it was last opened or written, by the clock of the one who keeps them."""


class LRUFiles:
    """Files by path, the one unused for longest first."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, CachedFile] = OrderedDict()
        self.bytes = 0
        """The sum of their sizes."""

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, path: object) -> bool:
        return path in self._files

    def __iter__(self) -> Iterator[str]:
        """Their paths, in order."""
        return iter(self._files)

    def items(self) -> Iterator[tuple[str, CachedFile]]:
        return iter(self._files.items())

    def get(self, path: str) -> CachedFile | None:
        return self._files.get(path)

    def oldest(self) -> tuple[str, CachedFile] | None:
        return next(self.items(), None)

    def use(self, path: str, now: float) -> bool:
        """It is the youngest now; False where it is not among them."""
        file = self._files.get(path)
        if file is None:
            return False
        file.used = now
        self._files.move_to_end(path)
        return True

    def put(self, path: str, size: int, used: float) -> None:
        """It is there with this size, and the youngest (``sort`` puts one right that is not)."""
        file = self._files.get(path)
        if file is None:
            self._files[path] = CachedFile(size, used)
            self.bytes += size
        else:
            self.bytes += size - file.size
            file.size, file.used = size, used
            self._files.move_to_end(path)

    def resize(self, path: str, size: int) -> None:
        """One that is there; its place in the order is kept."""
        file = self._files[path]
        self.bytes += size - file.size
        file.size = size

    def drop(self, path: str) -> bool:
        """It is gone; False where it was not among them."""
        file = self._files.pop(path, None)
        if file is None:
            return False
        self.bytes -= file.size
        return True

    def below(self, directory: str) -> list[str]:
        prefix = f"{directory}/"
        return [path for path in self._files if path.startswith(prefix)]

    def sort(self) -> None:
        """Put them in the order of their use."""
        self._files = OrderedDict(sorted(self._files.items(), key=lambda item: item[1].used))
