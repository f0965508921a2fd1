"""Tell systemd, if it has started the processor, when that is ready, what it does, and that it lives.

The protocol is a line or more in a datagram to the socket ``NOTIFY_SOCKET``, see sd_notify(3).
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, MutableMapping

logger = logging.getLogger(__name__)

_SEND_TIME = 1.0
"""Seconds that the main loop may be held up by a service manager that does not read."""
CLOSING_TIME = 30.0
"""Seconds for what follows ``shutdown_timeout``: connections that are closed, each within its own time."""


class ServiceManager:
    """The service manager that ``environ`` names. Its variables are taken out: they are not for child processes.

    Nothing happens where there is none. For one thread at a time; no call raises.
    """

    def __init__(
        self, environ: MutableMapping[str, str] = os.environ, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        address = environ.pop("NOTIFY_SOCKET", "")
        # A leading @ is that of an abstract socket, whose name begins with NUL.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        interval = environ.pop("WATCHDOG_USEC", "")
        mine = environ.pop("WATCHDOG_PID", "") in ("", str(os.getpid()))
        self._interval = int(interval) / 4e6 if mine and interval.isdecimal() else None
        self._next_sign = 0.0
        self._status = ""

    def ready(self) -> None:
        """Say that the processor has started, or has read its lists again.

        It is the one that counts from now on, also as a child of what was started, such as ``envconsul``.
        """
        self._send(f"READY=1\nMAINPID={os.getpid()}")

    def reloading(self) -> None:
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, seconds: float) -> None:
        """Say that it ends within so many seconds, whatever ``TimeoutStopSec`` is."""
        self._send(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def alive(self) -> None:
        """Say that there is progress. May be called as often as one likes."""
        now = self._clock()
        if self._interval is not None and now >= self._next_sign:
            self._next_sign = now + self._interval
            self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Set the text of ``systemctl status``."""
        line = " ".join(text.split())
        if line != self._status:
            self._status = line
            self._send(f"STATUS={line}")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
                client.settimeout(_SEND_TIME)
                client.connect(self._address)
                client.send(message.encode())
        except OSError as error:
            logger.warning("the service manager was not told %s: %s", message.partition("=")[0], error)
