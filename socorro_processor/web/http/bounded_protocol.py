"""HTTP connections with bounds on time and size, and a way to tell which of them is the slowest.

uvicorn does not bound the time in which a request has to arrive, and an answer to be read; this is its protocol with
both.
"""

from __future__ import annotations

import asyncio
import select
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from socorro_processor.monitoring.metrics import METRICS

_YOUNG = 1.0
"""Seconds in which a new connection has had no chance to show that it is slow."""
_LARGEST_READ, _SMALLEST_READ = 1 << 16, 1 << 11
"""Bytes that are read at once: with h11's and uvicorn's copies, a connection takes a few times that."""
_LONG_TURN, _SHORT_TURN = 0.01, 0.001
"""Seconds of CPU that a connection may take at once before it reads less, and below which it reads more."""

CUT = "socorro.cut"
"""The name, among the extensions of an ASGI scope, of a function that ends the connection without an answer. Its
argument is the reason, a label of the metric ``web.cut``."""


_CUT_REASONS = ("gap_time", "header_time", "request_time", "too_many")


@dataclass(frozen=True)
class Bounds:
    """Limits for each connection, in seconds."""

    header_time: float
    request_time: float


class BoundedProtocol(H11Protocol):
    """A connection; ``protocol_with`` returns this class with its bounds."""

    bounds: Bounds

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._timer: asyncio.TimerHandle | None = None
        self._timed: object = None
        """The request that the timer runs for; None while headers are awaited."""
        self._begun = 0.0
        self._received = 0
        self._is_slow = False
        """True if a turn took long, be it that other threads had the processor."""
        self.read_size = _LARGEST_READ
        """The number of bytes that are read at once."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._read_at_most(_LARGEST_READ)
        self._begin()
        METRICS.gauge("web.connections", len(self.connections))

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)
        METRICS.gauge("web.connections", len(self.connections))

    def data_received(self, data: bytes) -> None:
        if self._timer is None or self._is_idle():
            self._begin()
        self._received += len(data)
        # The time of this thread alone costs a call of the kernel; that of all shows first whether it is needed.
        clock = time.thread_time if self._is_slow else time.perf_counter
        started = clock()
        super().data_received(data)
        turn = clock() - started
        # A body in chunks of a byte takes a hundred times as long as others: then all connections get their turns.
        if turn > _LONG_TURN:
            if self._is_slow:
                self._read_at_most(max(self.read_size // 4, _SMALLEST_READ))
            self._is_slow = True
        elif turn < _SHORT_TURN and self.read_size < _LARGEST_READ:
            self._read_at_most(self.read_size * 2)
        elif turn < _SHORT_TURN:
            self._is_slow = False

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the connection for the answer if the client has sent its whole request and will send no other."""
        if self.cycle is None or self.cycle.more_body or self.cycle.response_complete:
            return False
        self.cycle.keep_alive = False
        return True

    def handle_events(self) -> None:
        super().handle_events()
        if self.cycle is not None and self.cycle is not self._timed and not self.cycle.response_complete:
            self._timed = self.cycle
            self._start_timer(self.bounds.request_time, "request_time")
            # Its task has not begun yet.
            extensions: dict[str, Any] = {CUT: self.cut}
            self.scope["extensions"] = extensions

    def on_response_complete(self) -> None:
        # The client may have yet to read most of the answer, for which uvicorn would wait without end.
        if not self.transport.get_write_buffer_size():
            self._stop_timer()
            self._begun, self._received = self.loop.time(), 0
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, if an answer is still possible."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        words = b"This is not a request that HTTP/1.1 knows, or its headers are too large.\n"
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(words))),
            ("Connection", "close"),
        ]
        for event in (h11.Response(status_code=400, headers=headers), h11.Data(words), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    @property
    def is_answering(self) -> bool:
        """True if the request has come, and its client waits for the answer, or reads it as fast as it is made."""
        is_working = self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body
        return is_working and not self.flow.write_paused

    def speed(self, now: float) -> tuple[float, float] | None:
        """Return its bytes a second and the moment of its beginning; None if the server does not wait for it."""
        if self.is_answering or self.flow.read_paused:
            return None
        age = now - self._begun
        return None if age < _YOUNG else (self._received / age, self._begun)

    def cut(self, reason: str) -> None:
        """End the connection without a word: its client is too slow for one."""
        self._timer = None
        if self._is_idle() or (self.transport.is_closing() and not self.transport.get_write_buffer_size()):
            return
        METRICS.increment("web.cut", reason=reason)
        self.transport.abort()

    def _read_at_most(self, size: int) -> None:
        self.read_size = size
        # asyncio's own attribute: by default 256 kB, which is much for hundreds of connections.
        self.transport.max_size = size  # type: ignore[attr-defined]

    def _is_idle(self) -> bool:
        """Return True if the timer still runs for an answer that the client has now."""
        is_answered = self._timed is not None and self.cycle.response_complete
        return is_answered and not self.transport.get_write_buffer_size()

    def _begin(self) -> None:
        """Wait for a request."""
        self._timed = None
        self._begun, self._received = self.loop.time(), 0
        self._start_timer(self.bounds.header_time, "header_time")

    def _start_timer(self, seconds: float, reason: str) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self.cut, reason)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def slowest_of(connections: Iterable[object], now: float) -> BoundedProtocol | None:
    """Return the connection that sends the least, or reads its answer the slowest; None if the server is to blame.

    A connection with bytes that nobody has read yet does not count: then the server is slow, not its client. If most
    wait for their answers, none counts: an upload over a slow line must not make room for more pages.
    """
    own = [each for each in connections if isinstance(each, BoundedProtocol)]
    speeds = ((each.speed(now), each) for each in own)
    waited_for = {each.transport.get_extra_info("socket").fileno(): (speed, each) for speed, each in speeds if speed}
    poll = select.poll()
    for descriptor in waited_for:
        poll.register(descriptor, select.POLLIN)
    for descriptor, _ in poll.poll(0):
        del waited_for[descriptor]
    if not waited_for or 2 * sum(each.is_answering for each in own) > len(own):
        return None
    return min(waited_for.values(), key=lambda item: item[0])[1]


def protocol_with(bounds: Bounds) -> type[BoundedProtocol]:
    """Return the class of connections with these bounds."""
    for reason in _CUT_REASONS:
        METRICS.expect("web.cut", reason=reason)
    return type("BoundedProtocol", (BoundedProtocol,), {"bounds": bounds})
