"""Let one upload of a report through at a time: of two at once, the second finds what became of the first."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class OneUploadOfAReport:
    """Locks by key, each of which exists only while it is held or waited for. May be used from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._in_work: set[str] = set()

    @contextmanager
    def entered(self, key: str) -> Iterator[None]:
        """Wait until no other thread is in a block with this key. With an empty key, do not wait."""
        if not key:
            yield
            return
        with self._changed:
            self._changed.wait_for(lambda: key not in self._in_work)
            self._in_work.add(key)
        try:
            yield
        finally:
            with self._changed:
                self._in_work.remove(key)
                self._changed.notify_all()
