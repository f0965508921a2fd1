"""A watchdog that ends the process when a crash hangs, so that another process can start.

Python cannot end a thread that hangs. The processor's supervisor starts it again, and the crash comes
again, with one more attempt counted.
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
"""EX_SOFTWARE, an internal error, in sysexits.h."""

INTERVAL = 1.0
INTERPRETER_HANG_TIME = 60.0
"""Seconds beyond ``maximum_time`` after which Python itself counts as hanging: none of its threads runs."""
LAST_WORDS_TIME = 2.0
"""Seconds to write the stacks: the reader of the log may have stopped."""
KERNEL_TIME = 15.0
"""Further seconds after which the kernel ends the process, if faulthandler could not."""


class Watchdog:
    """Ends the process if a crash, or the main loop, takes longer than ``maximum_time`` seconds.

    First it logs the stacks of all threads, if it can. May be used from any thread.
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
        self.before_end: Callable[[], object] = lambda: None
        """Does what is still to be done, in two seconds at most."""
        self._in_work: dict[int, tuple[str, float]] = {}
        self._last_sign = clock()
        self._last_look = clock()
        self._stacks = -1
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watching(self, crash_id: str) -> Iterator[None]:
        """Note that this thread works on the crash while the block runs."""
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
        # In memory, where no write blocks; and opened now, because there may be no descriptor left at a hang.
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
                    return f"{crash_id} has been in work for {now - since:.0f} s"
        if now - self._last_sign > self._maximum_time:
            return f"the main loop has given no sign of life for {now - self._last_sign:.0f} s"
        if self._thread and now - self._last_look > INTERPRETER_HANG_TIME:
            return f"the watchdog has given no sign of life for {now - self._last_look:.0f} s"
        return None

    def _run(self) -> None:
        try:
            while not self._stopped.wait(INTERVAL):
                self._last_look = self._clock()
                # If there is not enough memory now, there may be in the next round.
                with suppress(RuntimeError, MemoryError):
                    self._postpone_last_resorts()
                with suppress(MemoryError):
                    if hanging := self.look():
                        self._end_process(hanging)
                        return
        finally:
            faulthandler.cancel_dump_traceback_later()
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _postpone_last_resorts(self) -> None:
        """Postpone faulthandler and the kernel's timer, which end the process if no Python thread runs."""
        seconds = self._maximum_time + INTERPRETER_HANG_TIME
        # The default action of SIGALRM ends the process, whatever it waits for.
        signal.setitimer(signal.ITIMER_REAL, seconds + KERNEL_TIME)
        # A regular expression, or a library in C, may block every Python thread. The thread of faulthandler needs no
        # Python, and writes the stacks.
        faulthandler.dump_traceback_later(seconds, exit=True, file=unblocking_stderr())

    def _end_process(self, hanging: str) -> None:
        try:
            # A log handler of the operator's may wait for whatever it sends to.
            timeout = threading.Timer(2 * LAST_WORDS_TIME, self._end, (EXIT_CODE,))
            timeout.daemon = True
            timeout.start()
            self.before_end()
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
