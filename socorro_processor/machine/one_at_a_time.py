"""Have work that needs much memory done by one thread after the other, unless a thread would wait too long."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class OneAtATime:
    """Lets one thread in, and the next when it leaves. Who has waited for ``longest_wait`` seconds goes in all the
    same: memory is saved where that can be, but nobody is held up without end."""

    def __init__(self, longest_wait: float) -> None:
        self._longest_wait = longest_wait
        self._lock = threading.Lock()

    @contextmanager
    def entered(self) -> Iterator[None]:
        mine = self._lock.acquire(timeout=self._longest_wait)
        try:
            yield
        finally:
            if mine:
                self._lock.release()
