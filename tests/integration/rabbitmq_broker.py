"""Queues of a test's own on the real RabbitMQ, and processors with a connection each."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress

import pika
from pika.adapters.blocking_connection import BlockingChannel

from socorro_processor.configuration import defaults
from socorro_processor.crashqueue.base import Delivery
from socorro_processor.crashqueue.rabbitmq.crashqueue import RabbitMQCrashQueue
from socorro_processor.crashqueue.rabbitmq.prefetch import LONGEST_WAIT
from socorro_processor.crashqueue.rabbitmq.queues import BrokerQueues
from socorro_processor.errors import CrashQueueError
from tests.services import service
from tests.tcp_proxy import TCPProxy

DEADLINE = 30.0
IDLE_DELAY = 0.3
PATIENCE = 10.0


class Processor:
    """The queue as one process has it."""

    def __init__(self, broker: Broker, longest_wait: float, **options: object) -> None:
        self._broker = broker
        self.proxy = TCPProxy(broker.options["resource.rabbitmq.host"], int(broker.options["resource.rabbitmq.port"]))
        config = broker.configuration(**{"resource.rabbitmq.port": self.proxy.port} | options)
        self.queue = RabbitMQCrashQueue(config, longest_wait=longest_wait)
        self._crashes: Iterator[Delivery | None] = self.queue.new_crashes()

    def take(self) -> Delivery | None:
        """Return the next delivery; None if none has come for a while, and none is on its way."""
        # While the broker has one, a busy machine may take a while to connect and receive it.
        deadline = time.monotonic() + PATIENCE
        with suppress(CrashQueueError):
            # Once the broker has answered, everything that it had to deliver before is here.
            self.queue.depths()
        while True:
            delivery = next(self._crashes, None)
            if delivery or time.monotonic() > deadline:
                return delivery
            if not self._broker.has_work():
                # A delivery may be on its way here.
                with suppress(CrashQueueError):
                    self.queue.depths()
                return next(self._crashes, None)

    def take_all(self) -> list[Delivery]:
        return list(iter(self.take, None))

    def die(self) -> None:
        """Die as by kill -9: nothing is sent to the broker, which sees the connections end."""
        # Messages that were sent before are on their way, as when a process dies.
        self.queue.depths()
        # Within the broker, the end of a connection may overtake an ack. It may not in a test: once the broker has
        # answered on the channel of the acks, it has handled them.
        assert self.queue._consumer.take_first(self._broker.empty, None, "wait for the acks") is None
        self.proxy.refuse()
        self.proxy.cut()

    def close(self) -> None:
        self.queue.close()
        self.proxy.close()


class Broker:
    """``options`` are given to each processor."""

    knows_what_had_begun = False
    knows_all_in_flight = False

    def __init__(self, **options: object) -> None:
        prefix = f"test-{uuid.uuid4().hex[:12]}"
        self.options: dict[str, str] = service("rabbitmq")
        self._given = {
            "resource.rabbitmq.standard_queue_name": f"{prefix}.normal",
            "resource.rabbitmq.priority_queue_name": f"{prefix}.priority",
            "resource.rabbitmq.reprocessing_queue_name": f"{prefix}.reprocessing",
        }
        self.addresses: dict[str, str] = self.options | self._given
        self._given |= {"idle_delay": IDLE_DELAY} | options
        self.queues = BrokerQueues.of(self.configuration())
        self._started: list[Processor] = []
        self.connection: pika.BlockingConnection | None = None
        self.empty = f"{prefix}.empty"
        """The name of a queue in which nothing ever is."""
        self.connect()
        self.channel.queue_declare(self.empty, durable=True)

    def connect(self) -> None:
        """Connect; call it again after a restart of the broker."""
        if self.connection is not None:
            with suppress(pika.exceptions.AMQPError):
                self.connection.close()
        self.connection = pika.BlockingConnection(self.parameters)
        self.channel = self.connection.channel()

    @property
    def parameters(self) -> pika.ConnectionParameters:
        """Return parameters for a connection of another program."""
        return pika.ConnectionParameters(
            self.options["resource.rabbitmq.host"],
            int(self.options["resource.rabbitmq.port"]),
            self.options["resource.rabbitmq.virtual_host"],
            pika.PlainCredentials(
                self.options["secrets.rabbitmq.rabbitmq_user"], self.options["secrets.rabbitmq.rabbitmq_password"]
            ),
            heartbeat=0,
        )

    def configuration(self, **options: object):
        return defaults(RabbitMQCrashQueue, **self.values | options)

    @property
    def values(self) -> dict[str, object]:
        """Return the options of the broker and its queues."""
        return self.options | self._given

    def start(self, *, longest_wait: float = LONGEST_WAIT, **options: object) -> Processor:
        self._started.append(Processor(self, longest_wait, **options))
        return self._started[-1]

    def now(self) -> float:
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Wait until nothing is delayed. The broker notices a death at once."""
        self.wait_until_empty([name for name in self.queues.arguments if ".retry." in name])

    def wait_until_empty(self, names: list[str]) -> None:
        deadline = time.monotonic() + DEADLINE
        while self.waiting(names):
            assert time.monotonic() < deadline, "delayed crashes do not come back"
            time.sleep(0.02)

    def has_work(self) -> bool:
        return self.waiting((*self.queues.origins.values(), self.queues.suspect)) > 0

    def waiting(self, names: Iterable[str]) -> int:
        """Return the number of messages that nobody has received."""
        return sum(self._waiting(name) or 0 for name in names)

    def exists(self, name: str) -> bool:
        return self._waiting(name) is not None

    def exchange_exists(self, name: str) -> bool:
        try:
            self.channel.exchange_declare(name, passive=True)
        except pika.exceptions.ChannelClosedByBroker:
            self.channel = self.connection.channel()
            return False
        return True

    def _waiting(self, name: str) -> int | None:
        try:
            return int(self.channel.queue_declare(name, passive=True).method.message_count)
        except pika.exceptions.ChannelClosedByBroker:
            self.channel = self._open_channel()
            return None

    def _open_channel(self) -> BlockingChannel:
        """Return a channel on which a published message has reached its queue once ``publish`` returns."""
        channel = self.connection.channel()
        channel.confirm_delivery()
        return channel

    def delete(self, name: str) -> None:
        self.channel.queue_delete(name)

    def publish(self, queue: str, body: bytes, **properties: object) -> None:
        """Publish a message as another program does."""
        self.channel.queue_declare(queue, durable=True, arguments=self.queues.arguments[queue])
        self.channel.basic_publish("", queue, body, pika.BasicProperties(**properties))

    def next(self, queue: str) -> tuple[pika.BasicProperties, bytes]:
        """Remove the first message, and return its properties and body."""
        # A delayed message is in neither queue for a moment, on its way here.
        deadline = time.monotonic() + DEADLINE
        while True:
            method, properties, body = self.channel.basic_get(queue, auto_ack=True)
            if method:
                return properties, bytes(body)
            assert time.monotonic() < deadline, f"nothing is in {queue}"
            time.sleep(0.02)

    def close(self) -> None:
        for processor in self._started:
            processor.close()
        for name in self.queues.arguments:
            self.delete(name)
        self.delete(self.empty)
        self.connection.close()
