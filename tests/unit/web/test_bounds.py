"""Connections have bounds, and a slow client never takes the place of others."""

import asyncio
import socket
import threading
import time

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse

from socorro_processor.monitoring.metrics import METRICS
from tests.web_server import DEADLINE, Client, running

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"


async def length_of_body(scope, receive, send):
    try:
        body = await Request(scope, receive).body()
    except ClientDisconnect:
        return
    await PlainTextResponse(str(len(body)))(scope, receive, send)


def cut(reason: str) -> int:
    return METRICS.snapshot().counters.get(("web.cut", (("reason", reason),)), 0)


def body_of(client: Client) -> bytes:
    return client.read_answer()[2]


def drips(client: Client) -> bool:
    """Send one more header; return True if the connection has ended."""
    try:
        client.send(b"X-A: b\r\n")
        return client.socket.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def wait_for(condition) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("begun", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_a_client_that_does_not_send_its_headers_in_time_is_cut_off(begun):
    before = cut("header_time")
    with running(length_of_body, header_time=0.2) as server, server.connect() as client:
        client.send(begun)
        assert client.is_closed()
    assert cut("header_time") == before + 1


def test_a_client_that_drips_its_headers_gains_no_time():
    with running(length_of_body, header_time=0.3) as server, server.connect() as client:
        client.socket.settimeout(0.02)
        client.send(b"GET / HTTP/1.1\r\n")
        wait_for(lambda: drips(client))


def test_the_headers_of_a_next_request_have_a_time_of_their_own():
    with running(length_of_body, header_time=0.5) as server, server.connect() as client:
        client.send(GET)
        assert body_of(client) == b"0"
        client.send(GET[:10])
        assert client.is_closed()


def test_a_request_that_takes_too_long_is_cut_off():
    before = cut("request_time")
    with running(length_of_body, request_time=0.2) as server, server.connect() as client:
        client.send(POST + b"12345")
        assert client.is_closed()
    assert cut("request_time") == before + 1


def test_a_client_that_does_not_read_its_answer_is_cut_off():
    async def long_page(scope, receive, send):
        await PlainTextResponse("x" * 50_000_000)(scope, receive, send)

    before = cut("request_time")
    with running(long_page, request_time=0.3) as server, server.connect() as client:
        client.send(GET)
        wait_for(lambda: cut("request_time") == before + 1)


def test_an_idle_connection_is_closed_after_the_keep_alive_time():
    with running(length_of_body, keep_alive_time=0.2) as server, server.connect() as client:
        client.send(GET)
        assert body_of(client) == b"0"
        client.send(POST + b"1234567890")
        assert body_of(client) == b"10"
        assert client.is_closed()


def test_headers_that_are_too_large_are_refused_with_words():
    with running(length_of_body, maximum_header_size=1000) as server, server.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nX: " + b"a" * 2000)
        status, headers, body = client.read_answer()
        assert (status, b"headers are too large" in body) == (400, True)
        assert ("Connection", "close") in headers


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"])
def test_what_is_not_http_is_refused_with_words(garbage):
    with running(length_of_body) as server, server.connect() as client:
        client.send(garbage)
        assert client.read_answer()[0] == 400


def test_a_body_that_breaks_the_rules_of_chunks_ends_its_connection_only():
    with running(length_of_body) as server, server.connect() as other:
        with server.connect() as client:
            client.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
            assert client.read_answer()[0] == 400
        other.send(GET)
        assert body_of(other) == b"0"


def test_a_client_that_closes_its_side_after_the_request_gets_the_answer():
    waits = threading.Event()

    async def late(scope, receive, send):
        body = await Request(scope, receive).body()
        await asyncio.to_thread(waits.wait, DEADLINE)
        await PlainTextResponse(str(len(body)))(scope, receive, send)

    with running(late) as server, server.connect() as client:
        client.send(POST + b"1234567890")
        client.socket.shutdown(socket.SHUT_WR)
        time.sleep(0.1)  # the server may see the end before it answers, or after that: both must do
        waits.set()
        assert body_of(client) == b"10"
        assert client.is_closed()


def test_with_all_places_taken_by_slow_clients_the_next_one_is_still_answered():
    before = cut("too_many")
    with running(length_of_body, maximum_connections=3) as server:
        slow = [server.connect() for _ in range(3)]
        for each in slow:
            each.send(POST + b"1")
        wait_for(lambda: len(server.server.server_state.connections) == 3)
        time.sleep(1.1)  # a new connection is no slow one
        for _ in range(5):
            with server.connect() as client:
                client.send(GET)
                assert body_of(client) == b"0"
        assert sum(each.is_closed() for each in slow[:1]) == 1
        for each in slow:
            each.close()
    assert cut("too_many") > before


def test_of_two_uploads_the_slower_one_has_to_go():
    with running(length_of_body, maximum_connections=2) as server:
        fast, slow = server.connect(), server.connect()
        fast.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100010\r\n\r\n" + b"x" * 100000)
        slow.send(POST + b"1")
        wait_for(lambda: len(server.server.server_state.connections) == 2)
        time.sleep(1.1)
        with server.connect() as client:
            client.send(GET)
            assert body_of(client) == b"0"
        assert slow.is_closed()
        fast.send(b"x" * 10)
        assert body_of(fast) == b"100010"
        fast.close()
        slow.close()


def test_while_the_server_itself_is_slow_nobody_has_to_go():
    async def slow_page(scope, receive, send):
        if scope["path"] == "/block":
            time.sleep(2)  # the whole loop
        await length_of_body(scope, receive, send)

    with running(slow_page, maximum_connections=2) as server:
        clients = [server.connect() for _ in range(2)]
        wait_for(lambda: len(server.server.server_state.connections) == 2)
        time.sleep(1.1)
        clients[0].send(GET.replace(b"/", b"/block", 1))
        wait_for(lambda: server.server.server_state.tasks)
        clients[1].send(POST + b"1234567890")
        clients += [server.connect() for _ in range(3)]
        for client in clients[2:]:
            client.send(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 10\r\n\r\n" + b"x" * 10)
        assert [body_of(client) for client in clients[:2]] == [b"0", b"10"]
        for client in clients[:2]:
            client.close()
        assert [body_of(client) for client in clients[2:]] == [b"10"] * 3
        for client in clients[2:]:
            client.close()


def test_while_most_wait_for_pages_a_slow_upload_keeps_its_place():
    released = threading.Event()

    async def slow_page(scope, receive, send):
        body = await Request(scope, receive).body()
        if scope["method"] == "GET":
            await asyncio.to_thread(released.wait, DEADLINE)
        await PlainTextResponse(str(len(body)))(scope, receive, send)

    before = cut("too_many")
    with running(slow_page, maximum_connections=3) as server:
        upload, *pages = (server.connect() for _ in range(3))
        upload.send(POST + b"1")
        for each in pages:
            each.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        wait_for(lambda: len(server.server.server_state.tasks) == 3)
        time.sleep(1.1)  # from then on the upload counts as slow
        with server.connect() as client:
            client.send(GET)
            client.socket.settimeout(0.5)
            with pytest.raises(TimeoutError):
                client.socket.recv(1)
            client.socket.settimeout(DEADLINE)
            upload.send(b"234567890")
            assert body_of(upload) == b"10"
            released.set()
            assert [body_of(each) for each in pages] == [b"0", b"0"]
            for each in (upload, *pages):
                each.close()
            assert body_of(client) == b"0"
    assert cut("too_many") == before


def test_requests_in_work_keep_their_places():
    released = threading.Event()

    async def slow_page(scope, receive, send):
        await Request(scope, receive).body()
        await asyncio.to_thread(released.wait, DEADLINE)
        await PlainTextResponse("done")(scope, receive, send)

    with running(slow_page, maximum_connections=2) as server:
        working = [server.connect() for _ in range(2)]
        for each in working:
            each.send(GET)
        wait_for(lambda: len(server.server.server_state.tasks) == 2)
        time.sleep(1.1)
        with server.connect() as client:
            client.send(GET)
            released.set()
            assert [body_of(each) for each in working] == [b"done", b"done"]
            for each in working:
                each.close()
            assert body_of(client) == b"done"


def test_a_stop_finishes_the_uploads_in_work_and_takes_no_others():
    with running(length_of_body) as server, server.connect() as client, server.connect() as idle:
        client.send(POST + b"12345")
        wait_for(lambda: len(server.server.server_state.tasks) == 1)
        server.stop()
        assert idle.is_closed()
        with pytest.raises(ConnectionError):
            server.connect()
        client.send(b"67890")
        assert body_of(client) == b"10"
        server.wait()


def test_a_stop_ends_after_the_shutdown_time_even_if_a_client_does_not():
    with running(length_of_body, shutdown_time=0.3) as server, server.connect() as client:
        client.send(POST + b"12345")
        wait_for(lambda: len(server.server.server_state.tasks) == 1)
        server.stop()
        server.wait()


def test_a_second_stop_does_not_wait():
    with running(length_of_body, shutdown_time=1000.0) as server, server.connect() as client:
        client.send(POST + b"12345")
        wait_for(lambda: len(server.server.server_state.tasks) == 1)
        server.stop()
        server.stop()
        server.wait()


def test_a_body_in_chunks_of_a_byte_is_read_in_smaller_turns():
    with running(length_of_body) as server, server.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        wait_for(lambda: server.server.server_state.connections)
        (connection,) = server.server.server_state.connections
        largest = connection.read_size
        client.send(b"1\r\nx\r\n" * 50_000)
        wait_for(lambda: connection.read_size < largest)
        client.send(b"%x\r\n%s\r\n0\r\n\r\n" % (1_000_000, b"x" * 1_000_000))
        assert body_of(client) == b"1050000"
        assert connection.read_size == largest
