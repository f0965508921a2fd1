"""A watchdog: a crash that hangs ends the process, so that another one can start.

A hang cannot be ended within a Python thread. Whoever supervises the processor starts it again, and the
crash comes again, an attempt the more.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

logger = logging.getLogger(__name__)

EXIT_CODE = 70
"""An internal error, by sysexits.h."""

INTERVAL = 1.0
STILLNESS = 60.0
"""Seconds over ``maximum_time`` after which Python itself hangs: no thread of its runs, not even this one."""


class Watchdog:
    """Ends the process where a crash, or the main loop, takes longer than ``maximum_time`` seconds.

    Before that the stacks of all threads go to standard error. May be used from any thread.
    """

    def __init__(
        self,
        maximum_time: float,
        clock: Callable[[], float] = time.monotonic,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._maximum_time = maximum_time
        self._clock = clock
        self._end = end
        self._lock = threading.Lock()
        self._in_work: dict[int, tuple[str, float]] = {}
        self._last_sign = clock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watching(self, crash_id: str) -> Iterator[None]:
        """While the block runs, this thread is at that crash."""
        with self._lock:
            self._in_work[threading.get_ident()] = (crash_id, self._clock())
        try:
            yield
        finally:
            with self._lock:
                del self._in_work[threading.get_ident()]

    def alive(self) -> None:
        """A sign of life of the main loop."""
        self._last_sign = self._clock()

    def start(self) -> None:
        self._last_sign = self._clock()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread:
            self._thread.join()

    def look(self) -> str | None:
        """What hangs; None where nothing does."""
        now = self._clock()
        with self._lock:
            for crash_id, since in self._in_work.values():
                if now - since > self._maximum_time:
                    return f"{crash_id} is in work for {now - since:.0f} s"
        if now - self._last_sign > self._maximum_time:
            return f"the main loop gave no sign of life for {now - self._last_sign:.0f} s"
        return None

    def _run(self) -> None:
        try:
            while not self._stopped.wait(INTERVAL):
                # A regular expression, or a library in C, may keep every thread of Python from running, this one
                # too. What is set here runs all the same, and is put off as long as this thread runs.
                # Where there is no memory for its thread, there may be in the next round.
                with suppress(RuntimeError):
                    faulthandler.dump_traceback_later(self._maximum_time + STILLNESS, exit=True)
                if hanging := self.look():
                    self._bite(hanging)
                    return
        finally:
            faulthandler.cancel_dump_traceback_later()

    def _bite(self, hanging: str) -> None:
        logger.critical("%s, which is a hang: the processor ends with %d; the stacks follow", hanging, EXIT_CODE)
        faulthandler.dump_traceback(file=sys.__stderr__ or sys.stderr, all_threads=True)
        self._end(EXIT_CODE)
