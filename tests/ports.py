"""Ports for the servers that tests start."""

from __future__ import annotations

import socket

_HELD: list[socket.socket] = []


def free_port() -> int:
    """Return a port of 127.0.0.1 that is for one server, at each of its starts, until this process ends.

    Until the server listens there, connections are refused. It has to set ``SO_REUSEADDR``, as nearly all do. A port
    that nothing holds may become that of anyone's outgoing connection before the server starts, or starts again.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    _HELD.append(held)
    port: int = held.getsockname()[1]
    return port
