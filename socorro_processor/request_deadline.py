"""A deadline on a whole request: connection, header, body.

Timeouts of HTTP clients are for each read. A server that sends a byte every few seconds is never too slow for them.
Here a thread cuts the connection when the time is over, whatever the one that asked waits for in it.

    with deadlines.within(300.0) as deadline:
        deadline.step(13.0, "did not answer")
        with deadline.here():
            response = pool.request("GET", url)  # of connections that are DeadlineConnections
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection
else:
    HTTPConnection = object

_here = threading.local()

LEAST_SPEED = 100_000
"""Bytes a second at which a store takes and gives what is large. What is slower is as good as away."""

ANY_TIME = 1e6
"""Seconds in all, for a request each of whose steps has its time."""


class Connection(Protocol):
    """A socket, or what has one."""

    def fileno(self) -> int: ...


class Deadline:
    """One request's, which may take several connections. ``cut`` may be called from any thread."""

    def __init__(self, seconds: float) -> None:
        self._last = time.monotonic() + seconds
        self._said_at_last = f"was not done after {seconds:g} s"
        self._end, self._said = self._last, self._said_at_last
        self._changed = threading.Condition()
        self._sockets: list[socket.socket] = []
        self._is_done = False
        self.reason = ""
        """Why it was cut; empty where it was not."""

    def step(self, seconds: float, said: str) -> None:
        """Allow ``seconds`` from now for what comes next, but no more than are left for all.

        ``said`` is the reason if it does not come in that time.
        """
        with self._changed:
            self._end, self._said = min((time.monotonic() + seconds, said), (self._last, self._said_at_last))
            self._changed.notify()

    def cut(self, reason: str) -> None:
        """End its connections."""
        with self._changed:
            self.reason = self.reason or reason
            for each in self._sockets:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def guard(self, connection: Connection) -> None:
        """Cut this one, too. Raises OSError: the time is over, or there are no more descriptors."""
        with self._changed:
            if self.reason:
                raise TimeoutError(self.reason)
            # A descriptor of its own: the client may close, or wrap, the one that it has.
            self._sockets.append(socket.socket(fileno=os.dup(connection.fileno())))

    @contextmanager
    def here(self) -> Iterator[None]:
        """Guard what connections this thread uses within the block."""
        outer: Deadline | None = getattr(_here, "deadline", None)
        _here.deadline = self
        try:
            yield
        finally:
            _here.deadline = outer

    def run(self) -> None:
        """Cut when the time is over; return when that is no longer needed."""
        with self._changed:
            while not self._is_done and (left := self._end - time.monotonic()) > 0:
                self._changed.wait(left)
            if not self._is_done:
                self.cut(self._said)

    def done(self) -> None:
        """Nothing more is to be cut."""
        with self._changed:
            self._is_done = True
            self._changed.notify()
            for each in self._sockets:
                each.close()
            self._sockets.clear()


def is_here() -> bool:
    """Return True within the ``here`` of a deadline."""
    return getattr(_here, "deadline", None) is not None


def is_over_here() -> bool:
    """Return True within the ``here`` of a deadline whose connections were cut."""
    deadline: Deadline | None = getattr(_here, "deadline", None)
    return deadline is not None and bool(deadline.reason)


class Deadlines:
    """Those of all requests of a client, which can be ended at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[Deadline] = set()
        self._closed = ""

    @contextmanager
    def within(self, seconds: float) -> Iterator[Deadline]:
        """Raises RuntimeError where no thread can be had."""
        deadline = Deadline(seconds)
        threading.Thread(target=deadline.run, name="deadline", daemon=True).start()
        try:
            with self._lock:
                self._running.add(deadline)
                if self._closed:
                    deadline.cut(self._closed)
            yield deadline
        finally:
            with self._lock:
                self._running.discard(deadline)
            deadline.done()

    def close(self, reason: str) -> None:
        """Cut those that run, and those to come."""
        with self._lock:
            self._closed = reason
            for deadline in self._running:
                deadline.cut(reason)


class DeadlineConnection(HTTPConnection):
    """To be inherited from before a connection class of urllib3."""

    _guarded_by: Deadline | None = None

    def request(self, *arguments: Any, **named: Any) -> None:
        if self.sock is not None:
            self._guard(self.sock)
        super().request(*arguments, **named)

    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        self._guarded_by = None
        try:
            self._guard(made)
        except BaseException:
            made.close()
            raise
        return made

    def _guard(self, connection: socket.socket) -> None:
        deadline: Deadline | None = getattr(_here, "deadline", None)
        if deadline is not None and deadline is not self._guarded_by:
            deadline.guard(connection)
        self._guarded_by = deadline
