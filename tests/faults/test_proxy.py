"""The proxy works as other tests expect."""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults.proxy import Proxy

DEADLINE = 10.0


class EchoServer:
    """Echoes what it receives; counts connections that ended in order, and those that were reset."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.ends: list[str] = []
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def wait_for_end(self) -> str:
        """Return how the first connection to end has ended."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.ends, DEADLINE)
            return self.ends[0]

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(DEADLINE)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._echo, args=(connection,)))
            self._threads[-1].start()

    def _echo(self, connection: socket.socket) -> None:
        with connection:
            end = "closed"
            try:
                while data := connection.recv(65536):
                    connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                end = "reset"
        with self._changed:
            self.ends.append(end)
            self._changed.notify_all()


@pytest.fixture
def server() -> Iterator[EchoServer]:
    server = EchoServer()
    yield server
    server.close()


@pytest.fixture
def proxy(server: EchoServer) -> Iterator[Proxy]:
    with Proxy("127.0.0.1", server.port) as proxy:
        yield proxy


@pytest.fixture
def connect(proxy: Proxy):
    """Makes connections through the proxy, and closes them at the end."""
    made: list[socket.socket] = []

    def connect() -> socket.socket:
        made.append(socket.create_connection((proxy.host, proxy.port), DEADLINE))
        return made[-1]

    yield connect
    for connection in made:
        connection.close()


def received(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count and (part := connection.recv(65536)):
        data += part
    return data


def echoed(connection: socket.socket, data: bytes = b"hello") -> bytes:
    """Return the answer to ``data``."""
    connection.sendall(data)
    return received(connection, len(data))


def seconds(connection: socket.socket, data: bytes = b"hello") -> float:
    """Return the seconds until ``data`` comes back."""
    begun = time.monotonic()
    assert echoed(connection, data) == data
    return time.monotonic() - begun


def test_the_proxy_forwards_both_ways(connect):
    assert echoed(connect()) == b"hello"


def test_the_proxy_forwards_a_lot_at_once_unchanged(connect):
    data = bytes(range(256)) * 40_000
    connection = connect()
    sending = threading.Thread(target=connection.sendall, args=(data,))
    sending.start()
    assert received(connection, len(data)) == data
    sending.join()


def test_an_end_of_one_direction_leaves_the_other_open(connect):
    connection = connect()
    connection.sendall(b"last words")
    connection.shutdown(socket.SHUT_WR)
    assert received(connection, 100) == b"last words"


def test_a_client_that_closes_is_gone_for_the_server_too(connect, server):
    connection = connect()
    assert echoed(connection) == b"hello"
    connection.close()
    assert server.wait_for_end() == "closed"


def test_connections_are_counted(connect, proxy):
    first, second = connect(), connect()
    assert echoed(first) == echoed(second) == b"hello"
    assert (proxy.accepted, proxy.open) == (2, 2)
    proxy.cut()
    assert (proxy.accepted, proxy.open) == (2, 0)


def test_a_test_can_wait_for_a_connection_to_be_accepted(connect, proxy):
    connect()
    proxy.wait_for(accepted=1)
    assert proxy.accepted == 1


@pytest.mark.parametrize(
    ("latency", "at_least"),
    [({"to_server": 0.5}, 0.5), ({"to_client": 0.5}, 0.5), ({"to_server": 0.3, "to_client": 0.3}, 0.6)],
)
def test_latency_is_added_to_each_direction(connect, proxy, latency, at_least):
    connection = connect()
    assert seconds(connection) < 0.5
    proxy.latency(**latency)
    assert seconds(connection) >= at_least
    proxy.latency()
    assert seconds(connection) < 0.5


def test_latency_does_not_reduce_bandwidth(connect, proxy):
    proxy.latency(to_server=0.2)
    connection = connect()
    begun = time.monotonic()
    for _ in range(20):
        connection.sendall(b"x" * 1000)
        time.sleep(0.005)  # so that they are not sent as one
    received(connection, 20_000)
    assert 0.2 <= time.monotonic() - begun < 2.0  # one after the other they would take 4 s


@pytest.mark.parametrize("direction", ["to_server", "to_client"])
def test_a_throttled_direction_passes_the_given_bytes_a_second(connect, proxy, direction):
    proxy.throttle(**{direction: 20_000})
    connection = connect()
    assert 0.4 <= seconds(connection, b"x" * 10_000) < 2.0
    proxy.throttle()
    assert seconds(connection, b"x" * 10_000) < 0.4


def test_cut_connections_are_reset_at_both_ends(connect, proxy, server):
    connections = connect(), connect()
    for connection in connections:
        echoed(connection)
    assert proxy.cut() == 2
    for connection in connections:
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    assert server.wait_for_end() == "reset"


def test_after_a_cut_new_connections_work(connect, proxy):
    echoed(connect())
    proxy.cut()
    assert echoed(connect()) == b"hello"


def test_refused_connections_are_refused_and_the_others_go_on(connect, proxy):
    connection = connect()
    echoed(connection)
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        connect()
    assert echoed(connection) == b"hello"
    proxy.accept()
    assert echoed(connect()) == b"hello"


def test_a_port_that_refuses_is_kept(connect, proxy):
    proxy.refuse()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((proxy.host, proxy.port))
    proxy.accept()
    assert echoed(connect()) == b"hello"


def test_idle_connections_are_closed_in_order(connect, proxy, server):
    connection = connect()
    echoed(connection)
    assert proxy.close_idle() == 1
    assert connection.recv(1) == b""
    assert server.wait_for_end() == "closed"


def test_connections_in_use_are_not_idle(connect, proxy):
    idle, busy = connect(), connect()
    echoed(idle)
    time.sleep(0.2)  # the time in which nothing must happen
    echoed(busy)
    assert proxy.close_idle(0.2) == 1
    assert idle.recv(1) == b""
    assert echoed(busy) == b"hello"


def test_a_hanging_proxy_accepts_and_says_nothing(connect, proxy):
    before = connect()
    echoed(before)
    proxy.hang()
    for connection in (before, connect()):
        connection.sendall(b"hello")
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_what_was_sent_to_a_hanging_proxy_is_delivered_when_it_is_healed(connect, proxy):
    before = connect()
    echoed(before)
    proxy.hang()
    connections = before, connect()
    for connection in connections:
        connection.sendall(b"hello")
    proxy.heal()
    assert [received(connection, 5) for connection in connections] == [b"hello", b"hello"]


def test_hanging_connections_can_be_cut(connect, proxy):
    proxy.hang()
    connection = connect()
    proxy.wait_for(accepted=1)
    assert proxy.cut() == 1
    with pytest.raises(ConnectionResetError):
        connection.recv(1)


def test_a_connection_is_cut_in_the_middle_of_an_answer(connect, proxy):
    proxy.cut_after(to_client=7)
    connection = connect()
    assert echoed(connection, b"hello") == b"hello"
    connection.sendall(b"world")
    assert connection.recv(2) == b"wo"
    with pytest.raises(ConnectionResetError):
        connection.recv(1)


def test_a_connection_is_cut_in_the_middle_of_a_request(connect, proxy, server):
    connection = connect()
    echoed(connection, b"before it is set")
    proxy.cut_after(to_server=3)
    connection.sendall(b"hello")
    with pytest.raises(ConnectionResetError):
        received(connection, 5)
    assert server.wait_for_end() == "reset"
    proxy.cut_after()
    assert echoed(connect()) == b"hello"


def test_a_healed_proxy_has_no_faults(connect, proxy):
    proxy.latency(to_server=5, to_client=5)
    proxy.throttle(to_server=1, to_client=1)
    proxy.cut_after(to_server=1, to_client=1)
    proxy.refuse()
    proxy.hang()
    proxy.heal()
    assert seconds(connect()) < 1


def test_a_connection_to_a_missing_target_is_cut():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with Proxy("127.0.0.1", port) as proxy:
        proxy.hang()  # otherwise it may be cut before it counts as connected
        with socket.create_connection((proxy.host, proxy.port), DEADLINE) as connection:
            proxy.heal()
            with pytest.raises(ConnectionResetError):
                connection.recv(1)


def test_a_closed_proxy_leaves_nothing_behind(server):
    threads = threading.active_count()
    with Proxy("127.0.0.1", server.port) as proxy:
        connection = socket.create_connection((proxy.host, proxy.port), DEADLINE)
        assert echoed(connection) == b"hello"
    with connection, pytest.raises(ConnectionResetError):
        connection.recv(1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((proxy.host, proxy.port), DEADLINE)
    connection.close()
    server.wait_for_end()
    assert threading.active_count() <= threads + 1  # the server's side of that connection


def test_connections_that_come_at_the_very_end_are_closed_too(server):
    for _ in range(20):
        with Proxy("127.0.0.1", server.port) as proxy:
            clients = [socket.create_connection(("127.0.0.1", proxy.port)) for _ in range(20)]
        for client in clients:
            client.close()
    # Connections that were left open cause a warning now.
    gc.collect()
