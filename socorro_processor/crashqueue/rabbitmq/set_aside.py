"""Crashes that were set aside, parked or rejected, in RabbitMQ.

AMQP cannot browse: to read a queue is to be given its messages, and to give them back. So a reader
keeps what it was given, because one of them may be put back, and holds a lock meanwhile: another one
would see only a part of them. The lock is an exclusive queue, because quorum queues know no exclusive consumers.
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
from socorro_processor.crashqueue.rabbitmq.errors import in_words
from socorro_processor.crashqueue.rabbitmq.messages import Headers, carried_headers, set_aside_crash
from socorro_processor.crashqueue.rabbitmq.queues import BrokerQueues
from socorro_processor.errors import CrashQueueError

LOCKED = 405
LIMIT_OF_A_CONSUMER = 50_000
"""The protocol's own is 65,535; for more, there are more consumers."""

LONGEST_SILENCE = 2.0
"""Seconds after which those that do not come are gone: the oldest rejected ones go when there are too many."""


@dataclass(frozen=True, eq=False)
class SetAsideMessage:
    """A crash that was set aside, as it was read."""

    crash: SetAsideCrash
    tag: int
    body: bytes
    carried: Headers
    """Headers that this version does not know."""


class SetAsideReader:
    """Reads the crashes of one state. Methods may be called from any thread but the connection's, unless they say so.

    What was read is given back when the queue is closed, or when its processor dies.
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
    def held(self) -> int:
        """The number of those that were read, and so are not counted by the broker."""
        return len(self._messages)

    def read(self) -> Iterator[SetAsideCrash]:
        """Yield all, oldest first, without those that were taken out meanwhile."""
        self._read_all()
        with self._condition:
            tags = list(self._messages)
        for tag in tags:
            if found := self._messages.get(tag):
                yield found.crash

    def take_out(self, crash: SetAsideCrash) -> SetAsideMessage | None:
        """Return its message if it is still there: for one caller alone, who ends with ``remove`` or ``put_back``."""
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
        """Leave it set aside as before."""
        with self._condition:
            if self._channel is not None:
                self._add(message)

    def remove(self, message: SetAsideMessage) -> None:
        """Remove it."""
        channel = self._channel
        self._connection.post(lambda: channel.basic_ack(message.tag) if channel and channel.is_open else None)

    def forget(self) -> None:
        """Note, from the connection's thread, that it is lost: what was read on it is the broker's again."""
        with self._condition:
            self._channel = None
            self._messages.clear()
            self._tags.clear()
            self._condition.notify_all()

    def _read_all(self) -> None:
        with self._reading:
            doing = f"read the {self._state} crashes"
            # The broker answers on the same channel after it has delivered what it has delivered before.
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
                locked = getattr(reason, "reply_code", 0) == LOCKED
                words = "another process reads them: try again once it has ended" if locked else in_words(reason)
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
