"""The process beside the server that makes pages of lists, as long as the server lives."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from socorro_processor.machine.child import Child
from socorro_processor.monitoring.metrics import METRICS

logger = logging.getLogger(__name__)

_DELAY = 5.0
"""Seconds until a worker that has ended is started again."""
_LONGEST = 90.0
"""Seconds of a page after which a worker hangs; an index gives up sooner."""


class PageWorker:
    """Asks a program for a page, one at a time. Threads may share it.

    Its argument is a descriptor: a connection (``multiprocessing.connection``) over which it gets, first, options as on
    a command line, and the environment, as JSON; neither an argument nor an environment keeps secrets from others.
    """

    def __init__(self, program: Sequence[str], options: Sequence[str], environment: Mapping[str, str]) -> None:
        self._program = list(program)
        self._handed_over = json.dumps({"options": [*options], "environment": dict(environment)}).encode()
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._connection: Connection | None = None
        self._start_at = 0.0
        self._is_closed = False

    def start(self) -> None:
        """Start the program, so that it is ready when it is needed. Without it, pages are made by the server."""
        with self._lock:
            self._start()

    def ask(self, others: Callable[[], Any], request: Any) -> Any:
        """Return what the program returns for a request and what ``others`` returns; None if it is busy or away."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            if self._connection is None and not self._start():
                return None
            assert self._connection is not None
            self._connection.send((request, others()))
            if not self._connection.poll(_LONGEST):
                raise TimeoutError(f"said nothing for {_LONGEST:g} s")
            return self._connection.recv()
        except (EOFError, OSError) as error:
            if not self._is_closed:
                logger.warning("the process that makes pages has ended: %s", error or type(error).__name__)
                METRICS.increment("web.page_worker_ended")
            self._end()
            return None
        finally:
            self._lock.release()

    def close(self) -> None:
        """End the program."""
        self._is_closed = True
        child, connection = self._child, self._connection
        if connection is not None:
            # A thread that waits for it gets EOFError.
            with suppress(OSError):
                connection.close()
        if child is not None:
            child.end(1.0)

    def _start(self) -> bool:
        """Return True if the program runs."""
        if self._is_closed or time.monotonic() < self._start_at:
            return False
        self._start_at = time.monotonic() + _DELAY
        ours, theirs = Pipe()
        try:
            self._child = Child([*self._program, str(theirs.fileno())], pass_fds=(theirs.fileno(),))
            ours.send_bytes(self._handed_over)
        except (OSError, MemoryError) as error:
            logger.warning("the process that makes pages cannot be started: %s", error)
            ours.close()
            return False
        finally:
            theirs.close()
        self._connection = ours
        return True

    def _end(self) -> None:
        if self._connection is not None:
            with suppress(OSError):
                self._connection.close()
            self._connection = None
        if self._child is not None:
            self._child.end(0.0)
            self._child = None
