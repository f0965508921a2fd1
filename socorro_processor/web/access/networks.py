"""Networks of addresses, as an option names them."""

from __future__ import annotations

import ipaddress

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def read_networks(text: str) -> tuple[Network, ...]:
    """Read networks, such as ``10.0.0.0/8, ::1``. Raises ValueError."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    try:
        return tuple(ipaddress.ip_network(word) for word in words)
    except ValueError as error:
        raise ValueError(f"networks, separated by commas, such as 127.0.0.1, 10.0.0.0/8: {error}") from error
