"""Let threads do work that needs much memory one after the other, unless one would wait too long."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class OneAtATime:
    """Lets one thread in, and the next when it leaves. A thread that has waited for ``longest_wait`` seconds goes in
    anyway: memory is saved if possible, but no thread waits for ever."""

    def __init__(self, longest_wait: float) -> None:
        self._longest_wait = longest_wait
        self._lock = threading.Lock()

    @contextmanager
    def entered(self) -> Iterator[None]:
        is_locked = self._lock.acquire(timeout=self._longest_wait)
        try:
            yield
        finally:
            if is_locked:
                self._lock.release()
