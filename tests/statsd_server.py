"""A statsd server for tests: a UDP socket on loopback that keeps what it receives."""

from __future__ import annotations

import socket
import threading
import uuid
from collections import Counter
from typing import Self

DEADLINE = 10.0


class StatsdServer:
    """Listens from the start to the end of a ``with``."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, port))
        self.host, self.port = self._socket.getsockname()
        self._changed = threading.Condition()
        self._lines: list[str] = []
        self._thread = threading.Thread(target=self._receive, name="statsd-server")
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.lines(last=True)
        self._thread.join(DEADLINE)
        self._socket.close()

    def lines(self, *, last: bool = False) -> list[str]:
        """Return all that was sent to it before this call, such as ``processor.crash.saved.normal:1|c``."""
        # On loopback, sent data is in the socket at once, so all of it is there when the mark comes.
        mark = f"{'last-' if last else ''}mark-{uuid.uuid4()}"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, self._changed:
            sender.sendto(mark.encode(), (self.host, self.port))
            assert self._changed.wait_for(lambda: mark in self._lines, DEADLINE), "the statsd server does not read"
            self._lines.remove(mark)
            return list(self._lines)

    def counter(self, name: str) -> int:
        """Return the sum of the counts of ``name``."""
        values = [line.removeprefix(f"{name}:") for line in self.lines() if line.startswith(f"{name}:")]
        return sum(int(value.removesuffix("|c")) for value in values)

    def counters(self, prefix: str) -> dict[str, int]:
        """Return the sum of the counts of each name with this prefix, by the rest of the name."""
        counters: Counter[str] = Counter()
        for line in self.lines():
            name, _, value = line.removeprefix(prefix).partition(":")
            if line.startswith(prefix) and value.endswith("|c"):
                counters[name] += int(value.removesuffix("|c"))
        return dict(counters)

    def timings(self, name: str) -> list[float]:
        """Return times in milliseconds."""
        values = [line.removeprefix(f"{name}:") for line in self.lines() if line.startswith(f"{name}:")]
        return [float(value.removesuffix("|ms")) for value in values]

    def _receive(self) -> None:
        ended = False
        while not ended:
            received = self._socket.recv(65535).decode("ascii").splitlines()
            ended = any(line.startswith("last-mark-") for line in received)
            with self._changed:
                self._lines += received
                self._changed.notify_all()
