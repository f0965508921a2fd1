"""The RabbitMQ queue over TLS, which a proxy in front of the real broker ends."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.crashqueue.rabbitmq.crashqueue import RabbitMQCrashQueue
from socorro_processor.errors import ConfigurationError, CrashQueueError
from tests.certificates import Authority
from tests.integration.rabbitmq_broker import Broker
from tests.tcp_proxy import TCPProxy


@pytest.fixture
def broker() -> Iterator[Broker]:
    broker = Broker(retry_delays="1")
    yield broker
    broker.close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


class TLSBroker:
    """The broker behind TLS, with the certificate of a host."""

    def __init__(self, broker: Broker, authority: Authority, host: str, *, asks_clients: bool = False) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*authority.sign(host))
        if asks_clients:
            context.load_verify_locations(authority.certificate)
            context.verify_mode = ssl.CERT_REQUIRED
        self._broker = broker
        self._proxy = TCPProxy(
            broker.options["resource.rabbitmq.host"], int(broker.options["resource.rabbitmq.port"]), context
        )
        self._queues: list[CrashQueueBase] = []

    def queue(self, **options: object) -> CrashQueueBase:
        options = {"port": self._proxy.port, "tls": True, "timeout": 5.0} | options
        config = self._broker.configuration(**{f"resource.rabbitmq.{name}": value for name, value in options.items()})
        self._queues.append(RabbitMQCrashQueue(config))
        return self._queues[-1]

    def __enter__(self) -> TLSBroker:
        return self

    def __exit__(self, *_: object) -> None:
        for queue in self._queues:
            queue.close()
        self._proxy.close()


def test_a_broker_whose_certificate_is_trusted_is_used(broker, authority):
    with TLSBroker(broker, authority, "127.0.0.1") as secured:
        queue = secured.queue(tls_ca_file=str(authority.certificate))
        queue.submit("one")
        delivery = next(filter(None, queue.new_crashes()))
        queue.park(delivery, "the reason")
        assert queue.depths().parked == 1
        queue.check()


def test_a_certificate_that_is_not_trusted_is_refused_with_the_reason(broker, authority, tmp_path):
    (tmp_path / "others").mkdir()
    with TLSBroker(broker, Authority(tmp_path / "others", "others"), "127.0.0.1") as secured:
        queue = secured.queue(tls_ca_file=str(authority.certificate))
        for action in (queue.depths, queue.check):
            with pytest.raises(CrashQueueError, match=r"its certificate is not trusted .* check tls_ca_file and host"):
                action()


def test_a_certificate_of_another_host_is_refused(broker, authority):
    with TLSBroker(broker, authority, "another.example") as secured:
        queue = secured.queue(tls_ca_file=str(authority.certificate))
        with pytest.raises(CrashQueueError, match="its certificate is not trusted"):
            queue.depths()


def test_without_verification_any_certificate_will_do(broker, authority):
    with TLSBroker(broker, authority, "another.example") as secured:
        secured.queue(tls_verify=False).setup()


def test_a_broker_that_asks_for_a_certificate_gets_that_of_the_client(broker, authority):
    certificate, key = authority.sign("processor.example")
    with TLSBroker(broker, authority, "127.0.0.1", asks_clients=True) as secured:
        trusted = {"tls_ca_file": str(authority.certificate)}
        secured.queue(tls_certificate_file=str(certificate), tls_key_file=str(key), **trusted).setup()
        with pytest.raises(CrashQueueError):
            secured.queue(**trusted).depths()


def test_a_broker_that_speaks_no_tls_is_an_error_that_names_the_options(broker):
    queue = RabbitMQCrashQueue(broker.configuration(**{"resource.rabbitmq.tls": True}))
    with pytest.raises(CrashQueueError, match=r"no TLS connection .* check port, tls"):
        queue.depths()
    queue.close()


def test_a_missing_certificate_file_is_reported_at_the_start(broker):
    options = {"resource.rabbitmq.tls": True, "resource.rabbitmq.tls_ca_file": "/nowhere.pem"}
    with pytest.raises(ConfigurationError, match=r"tls_ca_file '/nowhere\.pem'"):
        RabbitMQCrashQueue(broker.configuration(**options))
