"""Crashes that were set aside, parked or rejected, in RabbitMQ.

AMQP cannot browse: a reader of a queue receives its messages, and must give them back. It keeps them meanwhile, because
one may be requeued, and holds a lock, because a second reader would see only some of them. The lock is an exclusive
queue: quorum queues have no exclusive consumers.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import pika
from pika.channel import Channel

from socorro_processor.crashqueue.base import SetAsideCrash, SetAsideState
from socorro_processor.crashqueue.rabbitmq.connection import BrokerConnection
from socorro_processor.crashqueue.rabbitmq.errors import describe_error
from socorro_processor.crashqueue.rabbitmq.messages import Headers, carried_headers, set_aside_crash
from socorro_processor.crashqueue.rabbitmq.queues import BrokerQueues
from socorro_processor.errors import CrashQueueError

RESOURCE_LOCKED = 405
LIMIT_OF_A_CONSUMER = 50_000
"""Messages that one consumer may hold; the protocol allows 65,535. For more messages there are more consumers."""

LONGEST_SILENCE = 2.0
"""Seconds without a message after which the expected ones are gone: the broker drops rejected ones over the limit."""


@dataclass(frozen=True, eq=False)
class SetAsideMessage:
    """A message from the queue of parked or of rejected crashes."""

    crash: SetAsideCrash
    tag: int
    body: bytes
    carried: Headers
    """Headers that this version does not know."""


class SetAsideReader:
    """Reads the crashes of one state. Methods may be called from any thread but the connection's, unless they say so.

    What was read goes back when the connection is closed, or when this process dies.
    """

    def __init__(self, connection: BrokerConnection, queues: BrokerQueues, state: SetAsideState) -> None:
        self._connection = connection
        self._queues = queues
        self._state = state
        self._name = queues.set_aside[state]
        self._condition = threading.Condition()
        self._reading = threading.Lock()
        self._channel: Channel | None = None
        self._messages: dict[int, SetAsideMessage] = {}
        self._tags: defaultdict[SetAsideCrash, list[int]] = defaultdict(list)
        self._limit = 0

    @property
    def number_read(self) -> int:
        """The number of crashes that were read: the broker does not count them."""
        return len(self._messages)

    def read(self) -> Iterator[SetAsideCrash]:
        """Yield all crashes, oldest first, except those that are taken out meanwhile."""
        self._read_all()
        with self._condition:
            tags = list(self._messages)
        for tag in tags:
            if message := self._messages.get(tag):
                yield message.crash

    def take_out(self, crash: SetAsideCrash) -> SetAsideMessage | None:
        """Return the message of a crash, to one caller only, who then calls ``remove`` or ``put_back``.

        Return None if the crash is not there any more.
        """
        if crash not in self._tags:
            self._read_all()
        with self._condition:
            if not (tags := self._tags.get(crash)):
                return None
            tag = tags.pop(0)
            if not tags:
                del self._tags[crash]
            return self._messages.pop(tag)

    def put_back(self, message: SetAsideMessage) -> None:
        """Leave the message set aside, as before."""
        with self._condition:
            if self._channel is not None:
                self._add(message)

    def remove(self, message: SetAsideMessage) -> None:
        """Remove the message from the broker's queue."""
        channel = self._channel
        self._connection.post(lambda: channel.basic_ack(message.tag) if channel and channel.is_open else None)

    def forget(self) -> None:
        """Note, in the connection's thread, that the channel is closed: what was read belongs to the broker again."""
        with self._condition:
            self._channel = None
            self._messages.clear()
            self._tags.clear()
            self._condition.notify_all()

    def _read_all(self) -> None:
        with self._reading:
            doing = f"read the {self._state} crashes"
            # The broker answers on the same channel, so every earlier delivery arrives before the answer.
            waiting: int = self._connection.call(self._count if self._channel else self._open, doing)
            with self._condition:
                expected = len(self._messages) + waiting
                while self._channel is not None and len(self._messages) < expected:
                    before = len(self._messages)
                    self._condition.wait(LONGEST_SILENCE)
                    if len(self._messages) == before:
                        break
                if self._channel is None:
                    raise CrashQueueError(f"cannot {doing}: the connection was lost")

    # In the connection's thread

    def _open(self, future: Future[int]) -> None:
        def opened(channel: Channel) -> None:
            lock = f"{self._name}.reader"
            channel.queue_declare(lock, exclusive=True, callback=lambda _: self._begin(channel, future))

        def closed(reason: BaseException) -> None:
            self.forget()
            if not future.done():
                is_locked = getattr(reason, "reply_code", 0) == RESOURCE_LOCKED
                words = (
                    "another process reads them: try again once it has ended" if is_locked else describe_error(reason)
                )
                future.set_exception(CrashQueueError(words))

        self._connection.open_channel(opened, closed)

    def _begin(self, channel: Channel, future: Future[int]) -> None:
        def counted(counts: dict[str, int]) -> None:
            self._channel = channel
            self._limit = 0
            self._add_consumer()
            if not future.done():
                future.set_result(counts[self._name])

        self._queues.declare(channel, [self._name], counted)

    def _count(self, future: Future[int]) -> None:
        def counted(counts: dict[str, int]) -> None:
            if not future.done():
                future.set_result(counts[self._name])

        self._queues.declare(self._channel, [self._name], counted)

    def _add_consumer(self) -> None:
        assert self._channel is not None
        self._limit += LIMIT_OF_A_CONSUMER
        self._channel.basic_qos(prefetch_count=LIMIT_OF_A_CONSUMER)
        self._channel.basic_consume(self._name, self._on_delivery)

    def _on_delivery(self, _: Channel, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        message = SetAsideMessage(
            set_aside_crash(body, properties.headers, self._state),
            method.delivery_tag,
            body,
            carried_headers(properties.headers),
        )
        with self._condition:
            self._add(message)
            self._condition.notify_all()
        if len(self._messages) >= self._limit:
            self._add_consumer()

    def _add(self, message: SetAsideMessage) -> None:
        self._messages[message.tag] = message
        self._tags[message.crash].append(message.tag)
