"""The way to statsd: what is sent, and that it never blocks anybody."""

import logging
import os
import socket
import threading
from pathlib import Path

import pytest

from socorro_processor.configuration import Configuration, RequiredConfig, Source, defaults
from socorro_processor.errors import ConfigurationError
from socorro_processor.monitoring.metrics import Metrics
from socorro_processor.monitoring.statsd import LOOK_UP_INTERVAL, StatsdClient, StatsdSink, metric_name, statsd_options
from tests.statsd_server import StatsdServer


class Component(RequiredConfig):
    required_config = statsd_options()


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class NameServer:
    """Resolves a host as it is told to."""

    def __init__(self, address=None):
        self.address = address

    def __call__(self, host, port):
        if self.address is None:
            raise socket.gaierror(-2, "Name or service not known")
        return False, self.address


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def clients():
    """Makes clients, and closes them at the end."""
    made = []

    def client(host="127.0.0.1", port=8125, *arguments, prefix="test"):
        config = defaults(Component, statsd_host=host, statsd_port=str(port), statsd_prefix=prefix)
        made.append(StatsdClient(config, *arguments))
        return made[-1]

    yield client
    for each in made:
        each.close()


def open_sockets() -> set[int]:
    links = Path("/proc/self/fd").iterdir()
    return {int(link.name) for link in links if link.is_socket()}


def after_a_look_up():
    for thread in threading.enumerate():
        if thread.name == "statsd-look-up":
            thread.join()


def test_counters_and_times_arrive_under_the_prefix(clients, statsd_server):
    client = clients("127.0.0.1", statsd_server.port)
    client.increment("crashes")
    client.increment("crashes", 3)
    client.gauge("depth", 7.5)
    client.timing("fetch", 1.25)
    assert statsd_server.lines() == [
        "test.crashes:1|c",
        "test.crashes:3|c",
        "test.depth:7.5|g",
        "test.fetch:1250.000000|ms",
    ]


@pytest.mark.parametrize(
    ("prefix", "expected"), [("", "a:1|c"), ("p.q.", "p.q.a:1|c"), ("Größe|x", "Gr__e_x.a:1|c"), (" p ", "p.a:1|c")]
)
def test_the_prefix_may_be_empty_and_cannot_break_a_datagram(clients, statsd_server, prefix, expected):
    clients("127.0.0.1", statsd_server.port, prefix=prefix).increment("a")
    assert statsd_server.lines() == [expected]


def test_names_have_only_characters_that_statsd_can_read():
    assert metric_name("crash.saved", "a.b", "c:d|e", "f g", "ü\n") == "crash.saved.a_b.c_d_e.f_g.__"


def test_everything_that_is_measured_goes_to_statsd_with_the_labels_values_in_the_name(clients, statsd_server):
    metrics = Metrics()
    metrics.add_sink(StatsdSink(clients("127.0.0.1", statsd_server.port)))
    metrics.increment("crash.retried", 2, queue="normal", cause="not found")
    metrics.gauge("queue.depth", 3, queue="priority")
    metrics.duration("rules", 0.5)
    assert statsd_server.lines() == [
        "test.crash.retried.not_found.normal:2|c",
        "test.queue.depth.priority:3|g",
        "test.rules:500.000000|ms",
    ]


def test_without_a_host_nothing_is_sent_and_no_host_looked_up(clients, clock):
    def look_up(host, port):
        pytest.fail("it was looked up")

    client = clients("", 8125, clock, look_up)
    clock.now = 2 * LOOK_UP_INTERVAL
    client.increment("a")


def test_a_statsd_that_is_away_is_not_noticed(clients, statsd_server):
    with StatsdServer() as gone:
        pass
    client = clients("127.0.0.1", gone.port)
    for _ in range(3):  # the first may be answered by an ICMP message, which the next would get
        client.increment("a")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 300, "a\0b"])
def test_a_host_that_does_not_resolve_is_a_warning(clients, caplog, host):
    client = clients(host)
    client.increment("a")
    after_a_look_up()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert host in caplog.text


def test_a_host_that_resolves_later_is_found_then(clients, clock, statsd_server):
    names = NameServer()
    client = clients("statsd", statsd_server.port, clock, names)
    client.increment("lost")
    names.address = "127.0.0.1"
    client.increment("lost")
    clock.now += LOOK_UP_INTERVAL
    client.increment("lost")
    after_a_look_up()
    client.increment("found")
    assert statsd_server.lines() == ["test.found:1|c"]


def test_a_long_failure_to_resolve_a_host_is_one_warning_and_one_message_at_its_end(clients, clock, caplog):
    caplog.set_level(logging.INFO)
    names = NameServer()
    client = clients("statsd", 8125, clock, names)
    for names.address in (None, None, "127.0.0.1", "127.0.0.1"):
        clock.now += LOOK_UP_INTERVAL
        client.increment("a")
        after_a_look_up()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_a_host_that_moved_is_followed(clients, clock, statsd_server):
    with StatsdServer("127.0.0.2", statsd_server.port) as other:
        names = NameServer("127.0.0.1")
        client = clients("statsd", statsd_server.port, clock, names)
        client.increment("before")
        names.address = "127.0.0.2"
        clock.now += LOOK_UP_INTERVAL
        client.increment("meanwhile")
        after_a_look_up()
        client.increment("after")
        assert "test.after:1|c" in other.lines()
    assert "test.before:1|c" in statsd_server.lines()
    assert "test.after:1|c" not in statsd_server.lines()


def test_a_host_that_cannot_be_found_again_is_kept_where_it_was(clients, clock, statsd_server):
    names = NameServer("127.0.0.1")
    client = clients("statsd", statsd_server.port, clock, names)
    names.address = None
    clock.now += LOOK_UP_INTERVAL
    client.increment("a")
    after_a_look_up()
    client.increment("b")
    assert statsd_server.lines() == ["test.a:1|c", "test.b:1|c"]


def test_a_name_server_that_does_not_answer_holds_nobody_up(clients, clock):
    answers = threading.Event()

    def look_up(host, port):
        answers.wait()
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    client = clients("statsd", 8125, clock, look_up, 0.0)
    client.increment("a")
    clock.now += LOOK_UP_INTERVAL
    client.increment("a")
    answers.set()
    after_a_look_up()


def test_metrics_after_the_end_are_not_sent(clients, clock, statsd_server):
    client = clients("statsd", statsd_server.port, clock, NameServer("127.0.0.1"))
    client.close()
    clock.now += LOOK_UP_INTERVAL
    client.increment("a")
    client.close()
    assert statsd_server.lines() == []


def test_a_client_that_is_closed_before_its_host_was_found_lets_go_of_it(clients, clock):
    answers = threading.Event()

    def look_up(host, port):
        answers.wait()
        return False, "127.0.0.1"

    client = clients("statsd", 8125, clock, look_up, 0.0)
    client.close()
    answers.set()
    after_a_look_up()  # an open socket is an error of the test run
    client.increment("a")


@pytest.mark.parametrize("port", ["0", "65536", "-1", "x"])
def test_an_invalid_port_is_a_configuration_error(port):
    with pytest.raises(ConfigurationError, match="statsd_port"):
        defaults(Component, statsd_port=port)


def test_all_clients_share_the_options_of_the_resource():
    definitions = Component.get_required_config()
    source = Source({"resource.statsd.statsd_host": "statsd", "resource.statsd.statsd_prefix": "p"})
    values = Configuration(definitions, [source]).values
    assert (values.statsd_host, values.statsd_prefix) == ("statsd", "p")


def test_no_datagram_waits_for_the_network(clients, statsd_server):
    before = open_sockets()
    clients(statsd_server.host, statsd_server.port)
    (opened,) = open_sockets() - before
    assert not os.get_blocking(opened)
