"""A port that tests hold for a server is no one else's."""

from __future__ import annotations

import socket

import pytest

from tests.ports import free_port


def test_a_server_starts_and_starts_again_on_a_port_that_no_one_else_gets():
    port = free_port()
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        with socket.create_server(("127.0.0.1", port)) as server:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            server.accept()[0].close()
