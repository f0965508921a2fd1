"""A symbol server of a test's own: real HTTP, with answers as bad as the test wants."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

Answer = Callable[["Request"], None]
"""Answers one request in some way."""

DEADLINE = 60.0
DRIP_INTERVAL = 0.05


class Request(BaseHTTPRequestHandler):
    """A received request, in the form of ``http.server``."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self.server.paths.append(self.path.removeprefix("/"))
        with suppress(BrokenPipeError, ConnectionResetError):
            self.server.answer(self)

    def log_message(self, format: str, *args: object) -> None: ...

    def body(self, content: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answer: Answer
    paths: list[str]
    connections: list[socket.socket]

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections.append(connection)
        return connection, address

    def handle_error(self, *_: object) -> None:
        """Tests are about clients that go away."""


class SymbolServer:
    """Serves from the start to the end of a ``with``; ``answer`` may be changed at any time."""

    def __init__(self, answer: Answer) -> None:
        self._server = _Server(("127.0.0.1", 0), Request)
        self._server.answer = answer
        self._server.paths = []
        self._server.connections = []
        self.released = threading.Event()
        """Set at the end, for answers that hang."""
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def paths(self) -> list[str]:
        """Return the requests so far."""
        return list(self._server.paths)

    @property
    def connections(self) -> int:
        """Return the number of connections so far."""
        return len(self._server.connections)

    def answers(self, answer: Answer) -> None:
        self._server.answer = answer

    def drip_header(self, request: Request) -> None:
        """Send a header byte by byte, slowly, as long as the server runs."""
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        self._drip(request)

    def drip_body(self, request: Request) -> None:
        """Send a file of unknown length in the same way."""
        request.send_response(200)
        request.send_header("Connection", "close")
        request.end_headers()
        request.wfile.write(b"MODULE Linux x86_64 ")
        self._drip(request)

    def drip_chunk(self, request: Request) -> None:
        """Send the length of a chunk in the same way."""
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        self._drip(request)

    def _drip(self, request: Request) -> None:
        while not self.released.wait(DRIP_INTERVAL):
            request.wfile.write(b"0")

    def hang(self, request: Request) -> None:
        """Send nothing as long as the server runs."""
        self.released.wait(DEADLINE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join(DEADLINE)
        self._server.server_close()
        for connection in self._server.connections:  # kept-alive connections would still be answered
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def store(root: Path) -> Answer:
    """Serve the files below ``root``, and 404 for everything else."""

    def answer(request: Request) -> None:
        file = root / request.path.removeprefix("/")
        if file.is_file():
            request.body(file.read_bytes())
        else:
            request.body(b"<html>not here</html>", 404)

    return answer


def always(content: bytes, status: int = 200, **headers: str) -> Answer:
    return lambda request: request.body(content, status, **headers)
