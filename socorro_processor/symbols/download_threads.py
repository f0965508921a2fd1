"""Threads for downloads, which may hang on a name server or a dead disk without delaying the end of the process."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress


class DownloadThreads:
    """Up to ``number`` threads. Unlike those of a ThreadPoolExecutor they do not delay the end of the process."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._closed = False
        self._tasks: queue.SimpleQueue[tuple[Future[str], Callable[[], str]] | None] = queue.SimpleQueue()

    def submit(self, call: Callable[[], str]) -> Future[str]:
        """Have a thread call ``call``; after ``close`` the future is cancelled at once.

        Raises RuntimeError if not even one thread can be started.
        """
        future: Future[str] = Future()
        with self._lock:
            if self._closed:
                _cancel(future)
                return future
            if not self._idle and len(self._threads) < self._number:
                self._start_thread()
            else:
                self._idle = max(0, self._idle - 1)
            self._tasks.put((future, call))
        return future

    def close(self, seconds: float) -> bool:
        """Cancel calls that have not begun, and wait up to ``seconds`` for the rest. Return False if any goes on."""
        with self._lock:
            self._closed = True
        with suppress(queue.Empty):
            while task := self._tasks.get_nowait():
                _cancel(task[0])
        for _ in self._threads:
            self._tasks.put(None)
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._run, name=f"symbols-{len(self._threads)}", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            if not self._threads:
                raise
        else:
            self._threads.append(thread)

    def _run(self) -> None:
        while task := self._tasks.get():
            future, call = task
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:
                    future.set_exception(error)
            del task, future, call
            with self._lock:
                self._idle += 1


def _cancel(future: Future[str]) -> None:
    future.cancel()
    # It wakes those who wait for the future.
    future.set_running_or_notify_cancel()
