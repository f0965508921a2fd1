"""The server listens on a loopback address, and says why it does not."""

import socket

import pytest

from socorro_processor.errors import ConfigurationError, SocorroError
from socorro_processor.web.http.listening import is_loopback, listen, origin_of


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1", "http://127.0.0.1:"),
        ("127.8.9.10", "http://127.8.9.10:"),
        ("localhost", "http://127.0.0.1:"),
        ("::1", "http://[::1]:"),
        ("[::1]", "http://[::1]:"),
    ],
)
def test_a_loopback_address_or_its_name_is_listened_on(host, origin):
    with listen(host, 0) as listener:
        port = listener.getsockname()[1]
        assert origin_of(listener) == f"{origin}{port}"
        socket.create_connection(listener.getsockname()[:2]).close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_any_other_address_is_refused_because_nothing_says_who_may_what(host):
    with pytest.raises(ConfigurationError, match=r"says who may what.*use 127\.0\.0\.1.*ssh -L 8000:127\.0\.0\.1:8000"):
        listen(host, 8000)


@pytest.mark.parametrize("host", ["", "no-such-host.invalid", "a" * 70, "\x1b[31m"])
def test_a_name_that_does_not_resolve_is_refused(host):
    with pytest.raises(ConfigurationError, match=r"^web\.host: .* is not an address that can be used: ") as raised:
        listen(host, 0)
    assert "\x1b" not in str(raised.value)


def test_a_port_that_is_taken_names_another():
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(
            SocorroError,
            match=rf"^cannot listen on 127\.0\.0\.1, port {port}: "
            rf".*--web\.port={port + 1} \(make serve PORT={port + 1}\) ",
        ) as raised:
            listen("127.0.0.1", port)
    assert not isinstance(raised.value, ConfigurationError)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.1.2.3", "[::1]", "::1"])
def test_names_of_this_machine(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["", "example.com", "localhost.example.com", "127.0.0.1.example.com", "0.0.0.0", "10.0.0.1", "2130706433", "[::]"],
)
def test_names_of_other_machines(host):
    assert not is_loopback(host)
