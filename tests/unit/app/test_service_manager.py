"""Notifications to systemd."""

import logging
import os
import socket

import pytest

from socorro_processor.app.service_manager import ServiceManager


@pytest.fixture
def manager(tmp_path):
    """systemd's end of the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        yield listener


def told(listener) -> list[str]:
    messages = []
    while True:
        try:
            messages.append(listener.recv(4096).decode())
        except BlockingIOError:
            return messages


def environment(tmp_path, **others: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": str(tmp_path / "notify"), "PATH": "/bin", **others}


def test_each_message_is_a_datagram(tmp_path, manager):
    service = ServiceManager(environment(tmp_path))
    service.ready()
    service.status("ready\nREADY=0")
    service.reloading()
    service.stopping(90)
    messages = told(manager)
    assert messages[0] == f"READY=1\nMAINPID={os.getpid()}"
    assert messages[1] == "STATUS=ready READY=0"
    assert messages[2].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert messages[3] == "STOPPING=1\nEXTEND_TIMEOUT_USEC=90000000"


def test_an_unchanged_status_is_not_sent(tmp_path, manager):
    service = ServiceManager(environment(tmp_path))
    for text in ("ready", "ready", "not ready"):
        service.status(text)
    assert told(manager) == ["STATUS=ready", "STATUS=not ready"]


def test_a_sign_of_life_is_sent_four_times_in_the_watchdogs_interval(tmp_path, manager):
    now = [100.0]
    service = ServiceManager(environment(tmp_path, WATCHDOG_USEC="8000000"), clock=lambda: now[0])
    for _ in range(80):
        service.alive()
        now[0] += 0.1
    assert told(manager) == ["WATCHDOG=1"] * 4


@pytest.mark.parametrize("others", [{}, {"WATCHDOG_USEC": "8000000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}])
def test_no_sign_of_life_is_sent_without_a_watchdog(tmp_path, manager, others):
    ServiceManager(environment(tmp_path, **others)).alive()
    assert told(manager) == []


def test_started_programs_do_not_inherit_the_socket(tmp_path):
    environ = environment(tmp_path, WATCHDOG_USEC="8000000", WATCHDOG_PID=str(os.getpid()))
    ServiceManager(environ)
    assert environ == {"PATH": "/bin"}


def test_an_abstract_socket_is_reached():
    name = f"socorro-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name)
        listener.settimeout(5)
        ServiceManager({"NOTIFY_SOCKET": "@" + name}).status("ready")
        assert listener.recv(100) == b"STATUS=ready"


def test_without_a_socket_nothing_happens_and_a_missing_one_is_a_warning(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        ServiceManager({}).ready()
        assert caplog.text == ""
        ServiceManager(environment(tmp_path)).ready()
    assert "the service manager was not told READY" in caplog.text
