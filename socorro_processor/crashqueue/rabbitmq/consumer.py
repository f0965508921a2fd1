"""The connection on which crashes are delivered and acknowledged."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

import pika
from pika.channel import Channel
from pika.spec import Basic

from socorro_processor.configuration import DotDict
from socorro_processor.crashqueue.base import QUEUES, QueueName
from socorro_processor.crashqueue.rabbitmq.answers import Answer, Numbers
from socorro_processor.crashqueue.rabbitmq.connection import BrokerConnection
from socorro_processor.crashqueue.rabbitmq.counter import QueueCounter
from socorro_processor.crashqueue.rabbitmq.messages import TRANSIENT, Message, message_of
from socorro_processor.crashqueue.rabbitmq.outcomes import OutcomeExchange
from socorro_processor.crashqueue.rabbitmq.prefetch import Prefetch
from socorro_processor.crashqueue.rabbitmq.publisher import Publisher
from socorro_processor.crashqueue.rabbitmq.questions import QuestionListener
from socorro_processor.crashqueue.rabbitmq.queues import BrokerQueues

DELIVERIES_UNTIL_SUSPECT = 2
"""The number of unacknowledged deliveries that makes a crash a suspect.

It may have killed its processors, or only been there when they died. Processed alone, it harms no bystander.
"""

LOOK_INTERVAL = 1.0
"""Seconds between two looks for suspects, and for crashes that have waited here for too long."""

LONGEST_DRAIN_DELAY = 3.0
"""The largest number of seconds that a busy processor leaves suspects to idle ones."""

MOVE_AGAIN_AFTER = 2.0  # seconds
MOST_OF_A_QUEUE = 500
"""The largest number of unacknowledged crashes of each queue."""

logger = logging.getLogger(__name__)


class Consumer:
    """Keeps ``prefetch`` filled, so that ``config.prefetch`` crashes of each queue wait there.

    A consumer at the broker has a fixed limit of unacknowledged messages. Crashes in work count too, and their number
    is not known in advance: as it grows, consumers are added.

    ``answer`` returns what this processor has, for whoever asks (see ``QuestionListener``).

    Methods may be called from any thread.
    """

    def __init__(
        self,
        config: DotDict,
        queues: BrokerQueues,
        prefetch: Prefetch,
        publisher: Publisher,
        answer: Callable[[bool, Numbers], Answer],
    ) -> None:
        self.connection = BrokerConnection(config, "consuming", on_opened=self._open, on_lost=self._on_lost)
        self.counter = QueueCounter(self.connection, queues)
        self.outcomes = OutcomeExchange(self.connection, queues.outcomes, publisher)
        self._questions = QuestionListener(
            self.connection,
            queues.status,
            publisher,
            answer,
            lambda: Counter(queue for queue, _ in self._consumers.values()),
        )
        self.queues = queues
        self._prefetch = prefetch
        self._ahead = min(config.prefetch, MOST_OF_A_QUEUE)
        self._publisher = publisher
        self._consuming = False
        self._has_suspects = False
        self._drain_at = 0.0
        self._one_get_at_a_time = threading.Lock()
        # In the connection's thread only:
        self._session = 0
        self._consuming_session = 0
        self._channel: Channel | None = None
        self._limits: dict[QueueName, int] = {}
        self._consumers: dict[str, tuple[QueueName, int]] = {}
        self._moving: dict[Message, None] = {}

    def consume(self) -> None:
        """Begin to receive crashes."""
        if not self._consuming:
            self._consuming = True
            self._publisher.start()
            self.connection.start()
            self.connection.post(self._declare_and_consume)

    def ack(self, message: Message) -> None:
        """Acknowledge a message. If the connection that it came on is lost, it comes again."""
        self.connection.post(lambda: self._settle(message, lambda channel: channel.basic_ack(message.tag)))

    def give_back(self, message: Message) -> None:
        """Return a message to the broker, which delivers it again at once, to any processor."""
        self.connection.post(
            lambda: self._settle(message, lambda channel: channel.basic_nack(message.tag, requeue=True))
        )

    def ack_superfluous(self) -> None:
        """Acknowledge the twins of crashes in work, except the one twin that waits."""
        for message in self._prefetch.take_superfluous():
            self.ack(message)

    def keep_filled(self, queue: QueueName) -> None:
        """Note that a crash of this queue was taken, and make sure that enough wait here."""
        self.connection.post(lambda: self._add_consumer_if_needed(queue))

    @property
    def has_suspects(self) -> bool:
        return self._has_suspects

    @property
    def must_drain(self) -> bool:
        """True if a busy processor must take no more crashes until it can take a suspect."""
        return self._has_suspects and time.monotonic() >= self._drain_at

    def next_suspect(self) -> Message | None:
        """Take the next suspect; this processor must have nothing in work. Raises CrashQueueError."""
        message = self.take_first(self.queues.suspect, None, "look for a suspect crash")
        if message is None:
            self._has_suspects = False
        return message

    def take_first(self, name: str, queue: QueueName | None, doing: str) -> Message | None:
        """Take the first message of a queue that nobody consumes from. Raises CrashQueueError."""

        def get(future: Future[Message | None]) -> None:
            def on_message(_: Channel, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
                message = message_of(body, properties, queue, self._session, method.delivery_tag)
                if future.cancelled():
                    self.give_back(message)
                else:
                    future.set_result(message)

            def on_empty(_: object) -> None:
                if not future.done():
                    future.set_result(None)

            assert self._channel is not None
            self._channel.add_callback(on_empty, [Basic.GetEmpty])
            self._channel.basic_get(name, on_message)

        with self._one_get_at_a_time:
            return self.connection.call(get, doing)

    @property
    def moving(self) -> list[Message]:
        """The messages that are being moved to another queue, not yet acknowledged."""
        return list(self._moving)

    def close(self) -> None:
        """Close the connection: everything unacknowledged belongs to the broker again."""
        self._questions.close()
        self.connection.close()

    # In the connection's thread

    def _open(self) -> None:
        self._session += 1
        self.connection.open_channel(self._prepare, self.connection.fail)

    def _prepare(self, channel: Channel) -> None:
        self._channel = channel
        channel.add_on_cancel_callback(self._on_cancel)
        self.queues.declare(channel, self.queues.arguments, self._on_declared)

    def _on_declared(self, counts: dict[str, int]) -> None:
        self.connection.set_ready()
        if self._consuming:
            self._begin_to_consume(counts)

    def _declare_and_consume(self) -> None:
        self.queues.declare(self._channel, self.queues.origins.values(), self._begin_to_consume)

    def _begin_to_consume(self, counts: dict[str, int]) -> None:
        if self._consuming_session == self._session:
            return
        self._consuming_session = self._session
        with_work = {queue for queue in QUEUES if counts[self.queues.origins[queue]]}
        self._prefetch.begin_session(self._session, with_work)
        self._limits = dict.fromkeys(QUEUES, 0)
        self._consumers = {}
        for queue in QUEUES:
            self._add_consumer_if_needed(queue)
        self.outcomes.begin()
        self._questions.begin()
        self._look_again()

    def _add_consumer_if_needed(self, queue: QueueName) -> None:
        # Crashes that are in work, or wait for a twin or for a delay, do not count as ahead.
        ahead = self._limits[queue] - self._prefetch.count_held(queue) + self._prefetch.count_ready(queue)
        if ahead < self._ahead and self._limits[queue] < MOST_OF_A_QUEUE:
            self._limits[queue] += self._ahead
            self._add_consumer(queue, self._ahead)

    def _add_consumer(self, queue: QueueName, limit: int) -> None:
        assert self._channel is not None
        self._channel.basic_qos(prefetch_count=limit)
        tag = self._channel.basic_consume(self.queues.origins[queue], partial(self._on_delivery, queue))
        self._consumers[tag] = (queue, limit)

    def _on_delivery(
        self, queue: QueueName, _: Channel, method: Any, properties: pika.BasicProperties, body: bytes
    ) -> None:
        message = message_of(body, properties, queue, self._session, method.delivery_tag)
        if message.deliveries >= DELIVERIES_UNTIL_SUSPECT:
            self._move(message, self.queues.suspect, self._on_suspect)
            return
        self._prefetch.add(message)
        self.ack_superfluous()

    def _on_cancel(self, frame: Any) -> None:
        """Recreate a queue that somebody has deleted: the broker cancels its consumers."""
        queue, limit = self._consumers.pop(frame.method.consumer_tag)
        name = self.queues.origins[queue]
        logger.warning("the queue %s was deleted, creating it again", name)
        self.queues.declare(self._channel, [name], lambda _: self._add_consumer(queue, limit))

    def _look_again(self) -> None:
        """Look for suspects and old messages, again and again while the connection lasts."""
        self.counter.count_soon(self.queues.suspect, lambda count: self._on_suspect() if count else None)
        for message in self._prefetch.take_away_old():
            self._move(message, self.queues.all_delayed(self.queues.origins[message.queue])[-1])
        self.connection.call_later(LOOK_INTERVAL, self._look_again)

    def _on_suspect(self) -> None:
        if not self._has_suspects:
            self._drain_at = time.monotonic() + random.uniform(
                0, LONGEST_DRAIN_DELAY
            )  # jitter needs no secure randomness  # nosec B311
            self._has_suspects = True
            self._prefetch.wake()

    def _move(self, message: Message, name: str, moved: Callable[[], None] = lambda: None) -> None:
        """Move a message to another queue, and acknowledge it once it is confirmed there."""

        def on_published(future: Future[None]) -> None:
            if future.exception() is None:
                self._moving.pop(message, None)
                self.ack(message)
                self.connection.post(moved)
            else:
                self.connection.post(lambda: self.connection.call_later(MOVE_AGAIN_AFTER, move_again))

        def move_again() -> None:
            if message.session == self._session:
                self._move(message, name, moved)

        self._moving[message] = None
        published = self._publisher.post(name, message.body, message.headers() | {TRANSIENT: True})
        published.add_done_callback(on_published)

    def _settle(self, message: Message, tell: Callable[[Channel], None]) -> None:
        if message.session == self._session and self._channel is not None and self._channel.is_open:
            tell(self._channel)

    def _on_lost(self, reason: str) -> None:
        self._channel = None
        self.counter.forget()
        self._has_suspects = False
        self._moving.clear()
        self._prefetch.end_session()
