"""A deadline on a whole request: connection, header, body.

Timeouts of HTTP clients are for each read. A server that sends a byte every few seconds is never too slow for them.
Here a thread, one for all, cuts the connection when the time is over, whatever the one that asked waits for in it.

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
        self._last = time.monotonic() + seconds, f"was not done after {seconds:g} s"
        self.end = self._last
        """When it is over, by the monotonic clock, and what the reason is then."""
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self.reason = ""
        """Why it was cut; empty where it was not."""

    def step(self, seconds: float, said: str) -> None:
        """Allow ``seconds`` from now for what comes next, but no more than are left for all.

        ``said`` is the reason if it does not come in that time.
        """
        self.end = min((time.monotonic() + seconds, said), self._last)
        _WATCH.look_at(self)

    def cut(self, reason: str) -> None:
        """End its connections."""
        with self._lock:
            self.reason = self.reason or reason
            for each in self._sockets:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def guard(self, connection: Connection) -> None:
        """Cut this one, too. Raises OSError: the time is over, or there are no more descriptors."""
        with self._lock:
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

    def close(self) -> None:
        """Let go of its connections: nothing more is to be cut."""
        with self._lock:
            for each in self._sockets:
                each.close()
            self._sockets.clear()


class _Watch:
    """The thread that cuts what is over. It wakes up at the end that was the next one when it went to sleep."""

    _thread: threading.Thread | None

    def __init__(self) -> None:
        self._begin_anew()
        os.register_at_fork(after_in_child=self._begin_anew)

    def begin(self, deadline: Deadline) -> None:
        """Raises RuntimeError where no thread can be had."""
        with self._changed:
            if self._thread is None or not self._thread.is_alive():
                thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                thread.start()
                self._thread = thread
            self._running.add(deadline)
            self._look_at(deadline)

    def look_at(self, deadline: Deadline) -> None:
        """Its end has changed."""
        with self._changed:
            self._look_at(deadline)

    def end(self, deadline: Deadline) -> None:
        """Once this has returned it is not cut."""
        with self._changed:
            self._running.discard(deadline)

    def _begin_anew(self) -> None:
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
    """Return True within the ``here`` of a deadline."""
    return getattr(_here, "deadline", None) is not None


def is_over_here() -> bool:
    """Return True within the ``here`` of a deadline whose connections were cut."""
    deadline: Deadline | None = getattr(_here, "deadline", None)
    return deadline is not None and bool(deadline.reason)


class Deadlines:
    """The deadlines of all requests of a client, which can be ended at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[Deadline] = set()
        self._closed = ""

    @contextmanager
    def within(self, seconds: float) -> Iterator[Deadline]:
        """Raises RuntimeError where no thread can be had."""
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
