"""An address to listen on, as an option names it."""

from __future__ import annotations

from typing import NamedTuple


class HostAndPort(NamedTuple):
    host: str
    port: int


def read_address(text: str) -> HostAndPort | None:
    """Read ``0.0.0.0:8001`` or ``[::]:8001``; None if it is empty. Raises ValueError."""
    if not text.strip():
        return None
    host, colon, port = text.strip().rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535):
        raise ValueError("a host and a port, such as 0.0.0.0:8001 or [::]:8001")
    return HostAndPort(host, int(port))
