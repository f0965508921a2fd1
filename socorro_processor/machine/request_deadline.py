"""A deadline for a whole request: connection, header, body.

Timeouts of HTTP clients apply to each read, so a server that sends a byte every few seconds is never too slow. Here one
thread cuts the connections of each request whose time is over, whatever its caller waits for.

    with deadlines.within(300.0) as deadline:
        deadline.step(13.0, "did not answer")
        with deadline.here():
            response = pool.request("GET", url)  # a pool of DeadlineConnections
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
"""Bytes per second at which a store must take and send large objects; a slower store counts as away."""

ANY_TIME = 1e6
"""Seconds for a whole request if only its steps are limited."""


class Connection(Protocol):
    """A socket, or an object that has one."""

    def fileno(self) -> int: ...


class Deadline:
    """The deadline of one request, which may take several connections. Any thread may call ``cut``."""

    def __init__(self, seconds: float) -> None:
        self._last = time.monotonic() + seconds, f"was not done after {seconds:g} s"
        self.end = self._last
        """When the time is over, by the monotonic clock, and the reason to give then."""
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self.reason = ""
        """Why the request was cut; empty if it was not."""

    def step(self, seconds: float, reason: str) -> None:
        """Allow ``seconds`` from now for the next step, but no more than are left for the request.

        ``reason`` is what to give if the step takes longer.
        """
        self.end = min((time.monotonic() + seconds, reason), self._last)
        _WATCH.look_at(self)

    def cut(self, reason: str) -> None:
        """Shut down the connections of the request."""
        with self._lock:
            self.reason = self.reason or reason
            for each in self._sockets:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def guard(self, connection: Connection) -> None:
        """Add a connection to those to cut. Raises OSError if the time is over, or no descriptor is free."""
        with self._lock:
            if self.reason:
                raise TimeoutError(self.reason)
            # A duplicate, because the client may close or wrap its own descriptor.
            self._sockets.append(socket.socket(fileno=os.dup(connection.fileno())))

    @contextmanager
    def here(self) -> Iterator[None]:
        """Guard the connections that this thread uses within the block."""
        outer: Deadline | None = getattr(_here, "deadline", None)
        _here.deadline = self
        try:
            yield
        finally:
            _here.deadline = outer

    def close(self) -> None:
        """Forget the connections: they need not be cut any more."""
        with self._lock:
            for each in self._sockets:
                each.close()
            self._sockets.clear()


class _Watch:
    """The thread that cuts requests whose time is over. It sleeps until the next known end."""

    _thread: threading.Thread | None

    def __init__(self) -> None:
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def begin(self, deadline: Deadline) -> None:
        """Watch a deadline. Raises RuntimeError if no thread can be started."""
        with self._changed:
            if self._thread is None or not self._thread.is_alive():
                thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                thread.start()
                self._thread = thread
            self._running.add(deadline)
            self._look_at(deadline)

    def look_at(self, deadline: Deadline) -> None:
        """Note that the end of a deadline has changed."""
        with self._changed:
            self._look_at(deadline)

    def end(self, deadline: Deadline) -> None:
        """Stop watching a deadline: after this returns, it is not cut."""
        with self._changed:
            self._running.discard(deadline)

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._running: set[Deadline] = set()
        self._thread = None
        self._wakes_at = float("inf")

    def _look_at(self, deadline: Deadline) -> None:
        if deadline.end[0] < self._wakes_at:
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for deadline in [each for each in self._running if each.end[0] <= now]:
                    deadline.cut(deadline.end[1])
                    self._running.discard(deadline)
                self._wakes_at = min((each.end[0] for each in self._running), default=float("inf"))
                self._changed.wait(self._wakes_at - now if self._running else None)


_WATCH = _Watch()


def is_here() -> bool:
    """Return True within ``Deadline.here``."""
    return getattr(_here, "deadline", None) is not None


def is_over_here() -> bool:
    """Return True within ``Deadline.here`` if the connections of that deadline were cut."""
    deadline: Deadline | None = getattr(_here, "deadline", None)
    return deadline is not None and bool(deadline.reason)


class Deadlines:
    """The deadlines of all requests of a client, which can all be cut at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[Deadline] = set()
        self._closed = ""

    @contextmanager
    def within(self, seconds: float) -> Iterator[Deadline]:
        """Yield the deadline of a request. Raises RuntimeError if no thread can be started."""
        deadline = Deadline(seconds)
        _WATCH.begin(deadline)
        try:
            with self._lock:
                self._running.add(deadline)
                if self._closed:
                    deadline.cut(self._closed)
            yield deadline
        finally:
            with self._lock:
                self._running.discard(deadline)
            _WATCH.end(deadline)
            deadline.close()

    def close(self, reason: str) -> None:
        """Cut all current and future requests."""
        with self._lock:
            self._closed = reason
            for deadline in self._running:
                deadline.cut(reason)


class DeadlineConnection(HTTPConnection):
    """A mixin for a connection class of urllib3; name it before that class."""

    _guarded_by: Deadline | None = None

    def request(self, *arguments: Any, **named: Any) -> None:
        if self.sock is not None:
            self._guard(self.sock)
        super().request(*arguments, **named)

    def _new_conn(self) -> socket.socket:
        connection = super()._new_conn()
        self._guarded_by = None
        try:
            self._guard(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _guard(self, connection: socket.socket) -> None:
        deadline: Deadline | None = getattr(_here, "deadline", None)
        if deadline is not None and deadline is not self._guarded_by:
            deadline.guard(connection)
        self._guarded_by = deadline
