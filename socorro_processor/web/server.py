"""The HTTP server: uvicorn on h11, with bounds, in the event loop of its caller."""

from __future__ import annotations

import contextlib
import logging
import math
import resource
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from socorro_processor.configuration import DotDict
from socorro_processor.web.bounded_protocol import Bounds, protocol_with

logger = logging.getLogger(__name__)

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
        bounds = Bounds(
            header_time=config.header_time,
            request_time=config.request_time,
            connections=_possible_connections(config.maximum_connections),
        )
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol_with(bounds),
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

    async def run_until_stopped(self) -> None:
        """Serve until ``stop``."""
        await self.serve([self._listener])

    def stop(self) -> None:
        """Take no more connections, and finish the requests in work. A second call does not wait for these."""
        self.force_exit = self.should_exit
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the program."""
        yield


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
