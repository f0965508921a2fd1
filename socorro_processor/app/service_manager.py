"""Tell systemd, if it started the processor, when the processor is ready, what it does, and that it is alive.

The protocol is a datagram of one or more lines to the socket ``NOTIFY_SOCKET``, see sd_notify(3).
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, MutableMapping

logger = logging.getLogger(__name__)

_SEND_TIME = 1.0
"""Seconds that a service manager that does not read may block the main loop."""
CLOSING_TIME = 30.0
"""Seconds, after ``shutdown_timeout``, to close connections; each has a timeout of its own."""


class ServiceManager:
    """The service manager that ``environ`` names. Its variables are removed: they are not for child processes.

    If there is none, no call has an effect. For one thread at a time; no call raises.
    """

    def __init__(
        self, environ: MutableMapping[str, str] = os.environ, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        address = environ.pop("NOTIFY_SOCKET", "")
        # A leading @ means an abstract socket, whose name begins with NUL.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        interval = environ.pop("WATCHDOG_USEC", "")
        is_for_us = environ.pop("WATCHDOG_PID", "") in ("", str(os.getpid()))
        self._interval = int(interval) / 4e6 if is_for_us and interval.isdecimal() else None
        self._next_sign = 0.0
        self._status = ""

    def ready(self) -> None:
        """Say that the processor has started, or has read its lists again.

        From now on it is the main process, even if systemd started another one, such as ``envconsul``.
        """
        self._send(f"READY=1\nMAINPID={os.getpid()}")

    def reloading(self) -> None:
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, seconds: float) -> None:
        """Say that the processor ends within ``seconds``, whatever ``TimeoutStopSec`` is."""
        self._send(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def alive(self) -> None:
        """Say that the processor is alive. May be called at any rate."""
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
