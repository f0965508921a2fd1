"""A WebServer in a thread of the tests, and clients that speak to it byte by byte."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp

from socorro_processor.configuration import Configuration, DotDict, Namespace, Source
from socorro_processor.web import options
from socorro_processor.web.http.listening import listen
from socorro_processor.web.http.server import WebServer

DEADLINE = 30.0


def web_options(**values: object) -> DotDict:
    """Return the section ``web``: its defaults, overridden by ``values``."""
    definitions = Namespace()
    definitions.web = options.required_config
    web: DotDict = Configuration(
        definitions, [Source({f"web.{name}": value for name, value in values.items()})]
    ).values.web
    return web


class RunningServer:
    def __init__(self, server: WebServer, port: int, thread: threading.Thread) -> None:
        self.server = server
        self.port = port
        self._thread = thread

    def connect(self) -> Client:
        return Client(self.port)

    def stop(self) -> None:
        self.server.stop()

    def wait(self) -> None:
        """Wait until it has ended."""
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), "the server does not end"

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()


@contextmanager
def running(app: ASGIApp, **values: object) -> Iterator[RunningServer]:
    """Run a server with these options of the section ``web``."""
    listener = listen("127.0.0.1", 0)
    server = WebServer(app, listener, web_options(**values))
    thread = threading.Thread(target=lambda: asyncio.run(server.run_until_stopped()), name="web server")
    port = listener.getsockname()[1]
    thread.start()
    run = RunningServer(server, port, thread)
    try:
        yield run
    finally:
        server.stop()
        server.stop()
        run.wait()


class Client:
    """A connection on which a test decides when each byte is sent."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), DEADLINE)
        self._buffer = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read_answer(self) -> tuple[int, list[tuple[str, str]], bytes]:
        """Return status, headers and body of the next answer, which has a Content-Length."""
        head = self._read_to(b"\r\n\r\n").decode()
        first, *lines = head.rstrip().split("\r\n")
        headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        status = int(first.split()[1])
        if status == 100:
            return status, headers, b""
        length = int(next(value for name, value in headers if name.lower() == "content-length"))
        while len(self._buffer) < length:
            self._receive()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return status, headers, body

    def is_closed(self) -> bool:
        """Wait for the end of the connection; return False if something else comes first."""
        try:
            return self._buffer == b"" and self.socket.recv(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read_to(self, end: bytes) -> bytes:
        while end not in self._buffer:
            self._receive()
        before, end, self._buffer = self._buffer.partition(end)
        return before + end

    def _receive(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the connection ended before the answer did")
        self._buffer += data
