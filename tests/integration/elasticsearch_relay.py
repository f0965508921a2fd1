"""A relay in front of a server: it sees each request, and can answer in the server's place or drop the connection."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import urllib3

from tests.symbol_server import DRIP_INTERVAL


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b"{}"
    is_elasticsearch: bool = True
    kind: str = "application/json"


@dataclass
class Relay:
    url: str
    requests: list[str] = field(default_factory=list)
    """Method and path of each request."""
    headers: list[dict[str, str]] = field(default_factory=list)
    """The headers of each request, their names in lower case."""
    answer: Callable[[str], Answer | None] = lambda request: None
    """Called with method and path; returns the answer, or None to ask the server."""
    drops_when_idle: bool = False
    """True if a connection is closed without notice once a request is answered."""
    hangs: threading.Event | None = None
    """If set, no answer is given before the event."""
    drips: Callable[[str], str] = lambda request: ""
    """Called with method and path; "header" or "body" is sent byte by byte, slowly and without end."""
    ended: threading.Event = field(default_factory=threading.Event)


@contextmanager
def relay(server: str, tls: ssl.SSLContext | None = None) -> Iterator[Relay]:
    pool = urllib3.PoolManager()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_request(self) -> None:
            request = f"{self.command} {self.path}"
            state.requests.append(request)
            state.headers.append({name.lower(): value for name, value in self.headers.items()})
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if state.hangs:
                state.hangs.wait()
            if part := state.drips(request):
                self._drip(part)
                return
            answer = state.answer(request)
            if answer is None:
                got = pool.request(self.command, server + self.path, body=body, headers=dict(self.headers))
                answer = Answer(got.status, got.data, kind=got.headers["content-type"])
            # The state that counts is the one before the answer.
            self.close_connection = state.drops_when_idle
            self.send_response(answer.status)
            if answer.is_elasticsearch:
                self.send_header("X-Elastic-Product", "Elasticsearch")
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def _drip(self, part: str) -> None:
            self.close_connection = True
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nX-Elastic-Product: Elasticsearch\r\nContent-Type: application/json\r\n"
            )
            self.wfile.write(b"\r\n" if part == "body" else b"X-Slow: ")
            with suppress(OSError):
                while not state.ended.wait(DRIP_INTERVAL):
                    self.wfile.write(b" ")

        do_GET = do_PUT = do_POST = do_DELETE = handle_request

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        state = Relay(f"{'https' if tls else 'http'}://127.0.0.1:{http_server.server_port}")
        if tls:
            http_server.socket = tls.wrap_socket(http_server.socket, server_side=True)
        thread = threading.Thread(target=http_server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield state
        finally:
            state.ended.set()
            http_server.shutdown()
            thread.join()
            pool.clear()
