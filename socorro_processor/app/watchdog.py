"""A watchdog: a crash that hangs ends the process, so that another one can start.

A hang cannot be ended within a Python thread. Whoever supervises the processor starts it again, and the
crash comes again, an attempt the more.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from socorro_processor.monitoring.line_writer import drain_output, unblocking_stderr
from socorro_processor.monitoring.log import LAST_WORDS

logger = logging.getLogger(__name__)

EXIT_CODE = 70
"""An internal error, by sysexits.h."""

INTERVAL = 1.0
STILLNESS = 60.0
"""Seconds over ``maximum_time`` after which Python itself hangs: none of its threads runs, not even this one."""
LAST_WORDS_TIME = 2.0
"""Seconds for the stacks to be written: the reader of the log may have stopped."""
LAST_RESORT = 15.0
"""Seconds after which the kernel ends what does not even end without Python."""


class Watchdog:
    """Ends the process where a crash, or the main loop, takes longer than ``maximum_time`` seconds.

    Before that the stacks of all threads go to the log, if that takes them. May be used from any thread.
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
        self._last_look = clock()
        self._stacks = -1
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watching(self, crash_id: str) -> Iterator[None]:
        """Note that this thread is at that crash while the block runs."""
        with self._lock:
            self._in_work[threading.get_ident()] = (crash_id, self._clock())
        try:
            yield
        finally:
            with self._lock:
                del self._in_work[threading.get_ident()]

    def alive(self) -> None:
        """Note a sign of life of the main loop."""
        self._last_sign = self._clock()

    def start(self) -> None:
        """Begin to watch. Raises OSError."""
        # In memory, where no write waits; and now, for at a hang there may be no descriptor left.
        self._stacks = os.memfd_create("stacks")
        self._last_sign = self._last_look = self._clock()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread:
            self._thread.join()
            self._thread = None
            os.close(self._stacks)

    def look(self) -> str | None:
        """Return what hangs, in words; None if nothing does."""
        now = self._clock()
        with self._lock:
            for crash_id, since in self._in_work.values():
                if now - since > self._maximum_time:
                    return f"{crash_id} is in work for {now - since:.0f} s"
        if now - self._last_sign > self._maximum_time:
            return f"the main loop gave no sign of life for {now - self._last_sign:.0f} s"
        if self._thread and now - self._last_look > STILLNESS:
            return f"the watchdog gave no sign of life for {now - self._last_look:.0f} s"
        return None

    def _run(self) -> None:
        try:
            while not self._stopped.wait(INTERVAL):
                self._last_look = self._clock()
                # If there is no memory for one of these, there may be in the next round.
                with suppress(RuntimeError, MemoryError):
                    self._be_watched()
                with suppress(MemoryError):
                    if hanging := self.look():
                        self._bite(hanging)
                        return
        finally:
            faulthandler.cancel_dump_traceback_later()
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _be_watched(self) -> None:
        """Put off what ends the process where no thread of Python runs, not even this one."""
        seconds = self._maximum_time + STILLNESS
        # Its default is to end the process, whatever that waits for.
        signal.setitimer(signal.ITIMER_REAL, seconds + LAST_RESORT)
        # A regular expression, or a library in C, may keep every thread of Python from running. This one does not
        # need Python, and says which.
        faulthandler.dump_traceback_later(seconds, exit=True, file=unblocking_stderr())

    def _bite(self, hanging: str) -> None:
        try:
            # A handler of the operator's own may wait for whatever it sends to.
            last = threading.Timer(2 * LAST_WORDS_TIME, self._end, (EXIT_CODE,))
            last.daemon = True
            last.start()
            message = "%s, which is a hang: the processor ends with %d; the stacks follow\n%s"
            logger.critical(message, hanging, EXIT_CODE, self._all_stacks(), extra=LAST_WORDS)
            drain_output(LAST_WORDS_TIME)
        finally:
            self._end(EXIT_CODE)

    def _all_stacks(self) -> str:
        faulthandler.dump_traceback(file=self._stacks, all_threads=True)
        os.lseek(self._stacks, 0, os.SEEK_SET)
        with os.fdopen(os.dup(self._stacks), errors="replace") as file:
            return file.read().rstrip()
