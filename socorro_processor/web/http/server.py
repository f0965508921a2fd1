"""The HTTP server: uvicorn on h11, with bounds, in the event loop of its caller.

A slow client never takes the place of others: if all places are taken, the slowest connection is closed for a new one.
If it is the server that is slow, new connections wait in the kernel, and those that are open are served.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import resource
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from socorro_processor.configuration import DotDict
from socorro_processor.web.http.bounded_protocol import Bounds, protocol_with, slowest_of

logger = logging.getLogger(__name__)

_AT_ONCE = 16
"""Connections that are accepted in one turn of the loop, besides the first."""
_PAUSE = 0.02  # seconds
_LOOK_AGAIN = 0.1
"""Seconds between two looks for a slow client: a look at hundreds of connections takes the time of a page."""
_OWN_DESCRIPTORS = 128
"""Descriptors for all but connections: stores, queue, log, the processor's pipes."""
_DESCRIPTORS_OF_AN_UPLOAD = 2
"""Its connection, and its file in the spool."""


class WebServer(uvicorn.Server):
    """Serves an application until it is told to stop; then finishes the requests in work, for ``web.shutdown_time``."""

    def __init__(self, app: ASGIApp, listener: socket.socket, config: DotDict) -> None:
        """``config`` is the section ``web``; ``listener`` is closed when the server ends."""
        # The messages are for who develops an application; of requests that are not HTTP, the metrics tell.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        bounds = Bounds(header_time=config.header_time, request_time=config.request_time)
        self._protocol_class = protocol_with(bounds)
        super().__init__(
            uvicorn.Config(
                app,
                http=self._protocol_class,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                h11_max_incomplete_event_size=config.maximum_header_size,
                timeout_keep_alive=math.ceil(config.keep_alive_time),
                timeout_graceful_shutdown=math.ceil(config.shutdown_time),
            )
        )
        self._listener = listener
        self._connecting: set[asyncio.Task[None]] = set()
        self._maximum = _possible_connections(config.maximum_connections)

    async def run_until_stopped(self) -> None:
        """Serve until ``stop``."""
        await self.serve([self._listener])

    def stop(self) -> None:
        """Take no more connections, and finish the requests in work. A second call does not wait for these."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections; in place of asyncio's own server, which accepts any number."""
        await self.lifespan.startup()
        self.servers = []
        self._accepting = asyncio.create_task(self._accept())
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._accepting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._accepting
        await asyncio.gather(*self._connecting)
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        if self._accepting.done():
            self._accepting.result()  # raises what has ended it
        return await super().on_tick(counter)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        accepted: list[socket.socket] = []
        try:
            while True:
                try:
                    accepted.append((await loop.sock_accept(self._listener))[0])
                    accepted += self._accept_more()
                    while accepted:
                        await self._wait_for_room()
                        # It takes some turns of the loop, which are long if pages have the processor: others go on.
                        task = asyncio.create_task(self._connect(accepted.pop(0)))
                        self._connecting.add(task)
                        task.add_done_callback(self._connecting.discard)
                except OSError as error:
                    # No descriptor left, perhaps; the next connection may be accepted.
                    _warn(error)
                    await asyncio.sleep(_PAUSE)
        finally:
            for connection in accepted:
                connection.close()

    async def _connect(self, connection: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)
        except OSError as error:
            # Its client has gone, perhaps.
            connection.close()
            _warn(error)

    def _accept_more(self) -> Iterator[socket.socket]:
        """Yield connections that wait already, so that not each costs a turn of the loop."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(_AT_ONCE):
                connection, _ = self._listener.accept()
                connection.setblocking(False)
                yield connection

    async def _wait_for_room(self) -> None:
        connections = self.server_state.connections
        while len(connections) + len(self._connecting) >= self._maximum:
            slowest = slowest_of(connections, asyncio.get_running_loop().time())
            if slowest is None:
                await asyncio.sleep(_LOOK_AGAIN)
            else:
                slowest.cut("too_many")
                # Its end is told only later, and must not be waited for.
                connections.discard(slowest)

    def _protocol(self) -> asyncio.Protocol:
        return self._protocol_class(self.config, self.server_state, self.lifespan.state)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the program."""
        yield


def _warn(error: OSError) -> None:
    logger.warning("a connection could not be accepted: %s", error.strerror)


def _possible_connections(wanted: int) -> int:
    """Return how many connections this process has descriptors for, up to ``wanted``; raise its soft limit for them."""
    needed = wanted * _DESCRIPTORS_OF_AN_UPLOAD + _OWN_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed and soft != resource.RLIM_INFINITY:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    possible = max(1, (soft - _OWN_DESCRIPTORS) // _DESCRIPTORS_OF_AN_UPLOAD)
    logger.warning(
        "web.maximum_connections is %d, but with %d descriptors (ulimit -n) only %d are possible",
        wanted,
        soft,
        possible,
    )
    return possible
