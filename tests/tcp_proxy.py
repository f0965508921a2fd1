"""A proxy between a client and a server, for tests of what happens when the network, or one of the two, fails."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from contextlib import suppress

DEADLINE = 20.0


class TCPProxy:
    """Listens on ``port`` of this machine. With ``tls`` it speaks TLS to clients, and plain TCP to the server."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._server = (host, port)
        self._tls = tls
        self._flowing = threading.Event()
        self._flowing.set()
        self._links: list[_Link] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._listen()

    def cut(self) -> None:
        """End all connections: data that clients had sent goes through. Returns once the server has ended them too."""
        links, self._links = self._links, []
        for link in links:
            with suppress(OSError):
                link.client.shutdown(socket.SHUT_RD)
        for link in links:
            link.join(DEADLINE)

    def refuse(self) -> None:
        """Stop listening."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listening.join(DEADLINE)
        self._listener.close()

    def accept_again(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._listen()

    def stall(self) -> None:
        """Keep all connections, and let nothing through."""
        self._flowing.clear()

    def flow(self) -> None:
        self._flowing.set()

    def say_to_clients(self, data: bytes) -> None:
        """Send data as if the server had sent it. Only while the server sends nothing itself."""
        for link in self._links:
            link.client.sendall(data)

    @property
    def connections(self) -> int:
        return sum(link.is_alive() for link in self._links)

    def close(self) -> None:
        self.flow()
        self.refuse()
        self.cut()

    def _listen(self) -> None:
        self._listening = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._listening.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            link = _Link(client, self._server, self._tls, self._flowing)
            self._links.append(link)
            link.start()


class _Link(threading.Thread):
    def __init__(
        self,
        client: socket.socket,
        server: tuple[str, int],
        tls: ssl.SSLContext | None,
        flowing: threading.Event,
    ) -> None:
        super().__init__(daemon=True)
        self.client = client
        self._address = server
        self._tls = tls
        self._flowing = flowing

    def run(self) -> None:
        with suppress(OSError), self.client:
            if self._tls:
                # A client that does not trust the certificate ends here.
                self.client = self._tls.wrap_socket(self.client, server_side=True)
            with self.client, socket.create_connection(self._address) as server:
                self._pass_on(server)

    def _pass_on(self, server: socket.socket) -> None:
        sources = [self.client, server]
        while server in sources:
            buffered = isinstance(self.client, ssl.SSLSocket) and self.client.pending()
            readable = [self.client] if buffered else select.select(sources, [], [])[0]
            self._flowing.wait()
            for source in readable:
                try:
                    data = source.recv(65536)
                except ConnectionResetError:
                    data = b""
                if data:
                    (server if source is self.client else self.client).sendall(data)
                else:
                    sources.remove(source)
                    server.shutdown(socket.SHUT_WR)
