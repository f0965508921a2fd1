"""Answers to probes."""

import contextlib
import json
import logging
import socket
import urllib.error
import urllib.request

import pytest

from socorro_processor.configuration import DotDict
from socorro_processor.monitoring import health
from socorro_processor.monitoring.health import Health, HealthServer
from tests.ports import free_port


def config(port):
    return DotDict({"port": port, "host": "127.0.0.1", "maximum_silence": 60.0})


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def state(clock):
    return Health(maximum_silence=10.0, clock=lambda: clock[0])


@pytest.fixture
def get(state, port):
    server = HealthServer(config(port), state)

    def get(path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    yield get
    server.close()


def test_a_processor_that_starts_is_alive_but_not_ready(get):
    assert get("/healthz")[0] == 200
    assert get("/readyz")[0] == 503


def test_a_processor_without_problems_is_ready(get, state):
    state.resolve("start")
    assert get("/readyz") == (200, {"ready": True, "problems": {}})


def test_each_problem_is_named(get, state):
    state.resolve("start")
    state.add_problem("stackwalker", "is missing")
    state.add_problem("source", "is away")
    assert get("/readyz") == (503, {"ready": False, "problems": {"stackwalker": "is missing", "source": "is away"}})
    state.resolve("source")
    state.resolve("stackwalker")
    assert get("/readyz")[0] == 200


def test_a_main_loop_that_is_silent_for_too_long_hangs(get, state, clock):
    state.note_sign_of_life()
    clock[0] += 11
    assert get("/healthz") == (503, {"status": "hangs", "seconds": 11.0})
    state.note_sign_of_life()
    assert get("/healthz")[0] == 200


def test_a_hang_that_the_watchdog_sees_is_a_problem_of_health(get, state):
    state.watch_with(lambda: "a crash is in work for 901 s")
    assert get("/healthz") == (503, {"status": "hangs", "what": "a crash is in work for 901 s"})
    state.watch_with(lambda: None)
    assert get("/healthz") == (200, {"status": "ok"})


def test_another_path_is_not_found(get):
    assert get("/etc/passwd")[0] == 404


def test_clients_that_say_nothing_keep_no_probe_from_its_answer(get, port):
    with contextlib.ExitStack() as closing:
        silent = []
        for _ in range(5 * health.MAXIMUM_CONNECTIONS):
            silent.append(closing.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5)))
            silent[-1].sendall(b"GET /health")
        assert get("/healthz")[0] == 200
        assert silent[0].recv(1) == b""
    assert get("/healthz")[0] == 200


@pytest.mark.parametrize("request_line", [b"GET /" + b"x" * 100_000, b"\0" * 1000, b"POST /healthz HTTP/1.1", b"GET"])
def test_anything_but_a_get_request_is_refused(get, port, request_line, capfd):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(request_line + b"\r\n\r\n")
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while data := client.recv(65536):
                answer += data
    assert b"200" not in answer
    assert get("/healthz")[0] == 200
    assert capfd.readouterr().err == ""


def test_a_port_that_is_taken_is_a_warning(state, port, caplog):
    first = HealthServer(config(port), state)
    with caplog.at_level(logging.WARNING):
        second = HealthServer(config(port), state)
    assert second.port == 0
    assert "no health server" in caplog.text
    first.close()
    second.close()


def test_port_0_is_off(state):
    assert HealthServer(config(0), state).port == 0


def test_a_problem_is_logged_once_not_at_every_crash(state, caplog):
    for _ in range(3):
        state.add_problem("source", "is away")
    assert caplog.text.count("is away") == 1


def test_the_options_name_loopback_and_off_as_defaults():
    assert health.required_config.port.default == 0
    assert health.required_config.host.default == "127.0.0.1"
