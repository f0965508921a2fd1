"""The address that the server listens on: a loopback one, unless something says who may what."""

from __future__ import annotations

import errno
import ipaddress
import socket

from socorro_processor.errors import ConfigurationError, SocorroError
from socorro_processor.untrusted import plain

_BACKLOG = 512


def listen(host: str, port: int, *, anywhere: bool = False) -> socket.socket:
    """Return a socket that listens there; ``host`` is an address or a name, and port 0 is any that is free.

    Raises ConfigurationError if that is not a loopback address, unless it may be ``anywhere``, and SocorroError if
    nothing can listen there.
    """
    family, address = _address(host, port, anywhere=anywhere)
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Connections of a former server that still end do not keep the port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise SocorroError(_why_not(host, port, error)) from error
    listener.setblocking(False)
    return listener


def origin_of(listener: socket.socket) -> str:
    """Return the beginning of the server's addresses: ``http://127.0.0.1:8000``."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if listener.family == socket.AF_INET6 else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Return True for ``localhost`` and for a loopback address, in brackets or not."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def _address(host: str, port: int, *, anywhere: bool) -> tuple[socket.AddressFamily, tuple[str, int]]:
    try:
        answers = socket.getaddrinfo(host.removeprefix("[").removesuffix("]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else "") or "not a host name"
        raise ConfigurationError(f"web.host: {plain(host)!r} is not an address that can be used: {reason}") from error
    # IPv4 first: it is what `localhost` means everywhere.
    answers.sort(key=lambda answer: answer[0] != socket.AF_INET)
    family, *_, address = answers[0]
    found = str(address[0])
    if not anywhere and (not host or not ipaddress.ip_address(found).is_loopback):
        shown = f"{host} ({found})" if host not in ("", found) else found
        raise ConfigurationError(
            f"web.host: {plain(shown)} is not a loopback address, and nothing says who may what: whoever reaches "
            "this server would see every crash. `socorro token add` makes a token first; docs/access.rst has other "
            "ways. Or use 127.0.0.1, ::1 or localhost; from another machine, an SSH tunnel leads there:"
            f" ssh -L {port or 8000}:127.0.0.1:{port or 8000} THIS_MACHINE"
        )
    return family, (found, port)


def _why_not(host: str, port: int, error: OSError) -> str:
    message = f"cannot listen on {plain(host)}, port {port}: {error.strerror}"
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < 65535 else 8000
        return (
            f"{message}. Another program has this port, perhaps another socorro serve; "
            f"--web.port={other} (make serve PORT={other}) takes another one, --web.port=0 any that is free"
        )
    if error.errno == errno.EACCES:
        return f"{message}. Ports below 1024 are root's; --web.port=8000 takes another one"
    return message
