"""The connection on which crashes come, and on which the broker is told of their ends."""

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
from socorro_processor.crashqueue.base import LONGEST_DELAY, QUEUES, QueueName
from socorro_processor.crashqueue.rabbitmq.answers import Answer, Numbers
from socorro_processor.crashqueue.rabbitmq.connection import BrokerConnection
from socorro_processor.crashqueue.rabbitmq.counter import QueueCounter
from socorro_processor.crashqueue.rabbitmq.messages import DUE, TRANSIENT, Message, due_in, message_of
from socorro_processor.crashqueue.rabbitmq.outcomes import OutcomeExchange
from socorro_processor.crashqueue.rabbitmq.prefetch import Prefetch
from socorro_processor.crashqueue.rabbitmq.publisher import Publisher
from socorro_processor.crashqueue.rabbitmq.questions import QuestionListener
from socorro_processor.crashqueue.rabbitmq.queues import BrokerQueues

DELIVERIES_UNTIL_SUSPECT = 2
"""So many deliveries without an end make a crash a suspect.

It may have killed its processors, or was only there when they died: the next death hits no bystander.
"""

LOOK_INTERVAL = 1.0
"""Seconds between two looks for suspects, and for what has waited here for too long."""

LONGEST_DRAIN_DELAY = 3.0
"""Seconds that suspects are left, by a processor that is busy, to those that have nothing else to do."""

MOVE_AGAIN_AFTER = 2.0
MOST_OF_A_QUEUE = 500

logger = logging.getLogger(__name__)


class Consumer:
    """Fills ``prefetch``, and keeps it so that ``config.prefetch`` crashes of each queue wait there.

    A consumer at the broker has a fixed limit of what it is given before it tells an end. What is in work
    counts too, and how many that will be is not known here: while it grows, consumers are added.

    ``answer`` is what this processor answers to whoever asks what it has (see ``QuestionListener``).

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
        self.connection = BrokerConnection(config, "consuming", opened=self._open, lost=self._on_lost)
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
        self._suspects_wait = False
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
        """Have crashes delivered from now on."""
        if not self._consuming:
            self._consuming = True
            self._publisher.start()
            self.connection.start()
            self.connection.post(self._declare_and_consume)

    def ack(self, message: Message) -> None:
        """Have the broker forget it. If the connection that it came on is lost, it comes again."""
        self.connection.post(lambda: self._tell(message, lambda channel: channel.basic_ack(message.tag)))

    def give_back(self, message: Message) -> None:
        """Have the broker deliver it again, at once, to any processor."""
        self.connection.post(lambda: self._tell(message, lambda channel: channel.basic_nack(message.tag, requeue=True)))

    def ack_superfluous(self) -> None:
        """Acknowledge twins of crashes in work, all but the one twin that waits."""
        for message in self._prefetch.superfluous():
            self.ack(message)

    def keep_filled(self, queue: QueueName) -> None:
        """Note that one was taken from the queue, and see to it that enough wait here."""
        self.connection.post(lambda: self._add_consumer_where_needed(queue))

    @property
    def suspects_wait(self) -> bool:
        return self._suspects_wait

    @property
    def must_drain(self) -> bool:
        """True if a busy processor has to end all else, so that it can take a suspect."""
        return self._suspects_wait and time.monotonic() >= self._drain_at

    def next_suspect(self) -> Message | None:
        """Take the next suspect, for a processor that has nothing in work. Raises CrashQueueError."""
        message = self.first_of(self.queues.suspect, None, "look for a suspect crash")
        if message is None:
            self._suspects_wait = False
        return message

    def first_of(self, name: str, queue: QueueName | None, doing: str) -> Message | None:
        """Take the first message of a queue that nobody consumes from. Raises CrashQueueError."""

        def get(future: Future[Message | None]) -> None:
            def got(_: Channel, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
                message = message_of(
                    body, properties.headers, queue, self._session, method.delivery_tag, properties.timestamp
                )
                if future.cancelled():
                    self.give_back(message)
                else:
                    future.set_result(message)

            def empty(_: object) -> None:
                if not future.done():
                    future.set_result(None)

            assert self._channel is not None
            self._channel.add_callback(empty, [Basic.GetEmpty])
            self._channel.basic_get(name, got)

        with self._one_get_at_a_time:
            return self.connection.call(get, doing)

    @property
    def moving(self) -> list[Message]:
        """The messages on their way to another queue, which are not yet acknowledged."""
        return list(self._moving)

    def close(self) -> None:
        """Close the connection: all that was not ended is the broker's again."""
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
        self.connection.ready()
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
            self._add_consumer_where_needed(queue)
        self.outcomes.begin()
        self._questions.begin()
        self._look()

    def _add_consumer_where_needed(self, queue: QueueName) -> None:
        # What is in work, or waits for its twin or its time, is no crash ahead.
        ahead = self._limits[queue] - self._prefetch.held(queue) + self._prefetch.ready(queue)
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
        message = message_of(body, properties.headers, queue, self._session, method.delivery_tag, properties.timestamp)
        if message.deliveries >= DELIVERIES_UNTIL_SUSPECT:
            self._move(message, self.queues.suspect, self._on_suspect)
            return
        self._prefetch.add(message)
        self.ack_superfluous()

    def _on_cancel(self, frame: Any) -> None:
        """Make a queue again that somebody has deleted: the broker says so to its consumer."""
        queue, limit = self._consumers.pop(frame.method.consumer_tag)
        name = self.queues.origins[queue]
        logger.warning("queue %s was deleted, it is made again", name)
        self.queues.declare(self._channel, [name], lambda _: self._add_consumer(queue, limit))

    def _look(self) -> None:
        """Look again and again, as long as the connection is there."""
        self.counter.count_soon(self.queues.suspect, lambda count: self._on_suspect() if count else None)
        for message in self._prefetch.take_away_old():
            self._move(message, self.queues.delayed(self.queues.origins[message.queue], self.queues.delays[-1]))
        self.connection.call_later(LOOK_INTERVAL, self._look)

    def _on_suspect(self) -> None:
        if not self._suspects_wait:
            self._drain_at = time.monotonic() + random.uniform(0, LONGEST_DRAIN_DELAY)  # no secret  # nosec B311
            self._suspects_wait = True
            self._prefetch.wake()

    def _move(self, message: Message, name: str, moved: Callable[[], None] = lambda: None) -> None:
        """Move it to another queue, and acknowledge it once it is sure to be there."""

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
        headers = message.headers() | {TRANSIENT: True, DUE: due_in(LONGEST_DELAY)}
        published = self._publisher.post(name, message.body, headers)
        published.add_done_callback(on_published)

    def _tell(self, message: Message, tell: Callable[[Channel], None]) -> None:
        if message.session == self._session and self._channel is not None and self._channel.is_open:
            tell(self._channel)

    def _on_lost(self, reason: str) -> None:
        self._channel = None
        self.counter.forget()
        self.outcomes.forget()
        self._suspects_wait = False
        self._moving.clear()
        self._prefetch.end_session()
