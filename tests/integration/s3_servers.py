"""Servers that behave as a real S3 server cannot be made to. Each is one thread with a port of its own."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.symbol_server import DRIP_INTERVAL

Answer = Callable[[socket.socket], None]
"""Acts on a connection on which a request has come; the connection is closed after it."""


def says(status: str, body: bytes = b"", *headers: str, length: int | None = None) -> Answer:
    """An HTTP answer with this body; ``length`` may promise more than is sent."""
    length = len(body) if length is None else length
    head = "\r\n".join((f"HTTP/1.1 {status}", f"Content-Length: {length}", "Connection: close", *headers, "", ""))
    return lambda connection: connection.sendall(head.encode() + body)


def refuses(status: str, code: str, message: str = "A message.") -> Answer:
    """An error in the form of S3."""
    xml = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return says(status, xml.encode(), "Content-Type: application/xml")


def breaks_off(status: str) -> Answer:
    """An answer whose connection is reset in the middle of its body."""
    begin = says(status, b"<?xml version='1.0'?><", "Content-Type: application/xml", length=1000)

    def answer(connection: socket.socket) -> None:
        begin(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return answer


def drips(beginning: bytes) -> Answer:
    """An answer that is sent byte by byte, slowly, until the client gives up."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(beginning)
        while True:
            connection.sendall(b"0")
            time.sleep(DRIP_INTERVAL)

    return answer


def closes(connection: socket.socket) -> None:
    """Closes the connection without an answer."""


@dataclass
class AnsweringServer:
    """Gives one answer after the other, and repeats the last; keeps the body of each request."""

    answers: list[Answer]
    requests: list[bytes] = field(default_factory=list)
    url: str = ""

    @contextlib.contextmanager
    def running(self) -> Iterator[AnsweringServer]:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            thread = threading.Thread(target=self._serve, args=(listening,))
            thread.start()
            try:
                yield self
            finally:
                listening.shutdown(socket.SHUT_RDWR)
                thread.join()

    def _serve(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with connection, contextlib.suppress(OSError):
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as request:
            length = 0
            while line := request.readline().strip():
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
                if name.lower() == b"expect":
                    connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.requests.append(request.read(length))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer(connection)


@contextlib.contextmanager
def hanging_server() -> Iterator[str]:
    """The address of a server that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextlib.contextmanager
def closed_port() -> Iterator[str]:
    """An address on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@dataclass
class Relay:
    """Connections to a real server that can be cut; with ``tls``, clients must use TLS."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    url: str = ""
    connections: int = 0
    _open: list[socket.socket] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    @contextlib.contextmanager
    def running(self) -> Iterator[Relay]:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.url = f"{'https' if self.tls else 'http'}://127.0.0.1:{listening.getsockname()[1]}"
            self._start(self._serve, listening)
            try:
                yield self
            finally:
                listening.shutdown(socket.SHUT_RDWR)
                self.cut()
                for thread in self._threads:
                    thread.join()

    def cut(self) -> None:
        """Close all connections, as a server does with idle ones."""
        while self._open:
            with contextlib.suppress(OSError):
                self._open.pop().shutdown(socket.SHUT_RDWR)

    def _serve(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listening.accept()
                self.connections += 1
                self._start(self._connect, near)

    def _connect(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            if self.tls is not None:
                near = self.tls.wrap_socket(near, server_side=True)
            with near, socket.create_connection((self.host, self.port)) as far:
                self._open += [near, far]
                back = threading.Thread(target=_pump, args=(far, near))
                back.start()
                _pump(near, far)
                back.join()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
