"""A bound on the time that a client sends nothing, which costs next to nothing for each piece that it sends."""

from __future__ import annotations

import asyncio
from types import TracebackType


class GapTimer:
    """Ends a wait with TimeoutError if it takes longer than ``seconds``; made in the task that waits.

        with gap:
            message = await receive()

    ``asyncio.timeout`` would set and remove a timer for each wait; this one looks from time to time how long the
    present one has taken. ``close`` it at the end.
    """

    def __init__(self, seconds: float) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._began: float | None = None
        """None while nothing is waited for."""
        self._has_expired = False
        self._handle = self._loop.call_later(seconds, self._look)

    def close(self) -> None:
        self._handle.cancel()

    def __enter__(self) -> None:
        self._began = self._loop.time()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._began = None
        if self._has_expired:
            self._has_expired = False
            # If somebody else has cancelled the task, too, it is cancelled.
            if self._task.uncancel() == 0 and kind is asyncio.CancelledError:
                raise TimeoutError from error

    def _look(self) -> None:
        now = self._loop.time()
        if self._began is not None and now - self._began >= self._seconds:
            self._has_expired = True
            self._task.cancel()
            return
        due = (now if self._began is None else self._began) + self._seconds
        self._handle = self._loop.call_at(due, self._look)
