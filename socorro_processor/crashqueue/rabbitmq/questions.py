"""A fanout exchange by which the processors on one broker are asked which crashes they have.

AMQP does not tell what a consumer was given and has not acknowledged: only the consumer itself can. Whoever asks makes
a queue for the answers. How many are to come is known from the number of consumers, which the broker tells.
"""

from __future__ import annotations

import logging
import queue
import re
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

import pika
from pika.channel import Channel

from socorro_processor.crashqueue.base import QueueName
from socorro_processor.crashqueue.rabbitmq.answers import (
    Answer,
    Numbers,
    decode_answer,
    decode_question,
    encode_answer,
    encode_question,
)
from socorro_processor.crashqueue.rabbitmq.connection import BrokerConnection
from socorro_processor.crashqueue.rabbitmq.errors import in_words
from socorro_processor.crashqueue.rabbitmq.publisher import Publisher
from socorro_processor.crashqueue.rabbitmq.queues import Arguments, declare_fanout_queue

ANSWER_TIME = 2.0
"""Seconds in which processors have to answer."""

ANSWER_INTERVAL = 0.05
"""Seconds between two questions that a processor looks at, however many ask."""

_MOST_ANSWERS = 10_000
_QUESTIONS: Arguments = {"x-max-length": 10, "x-message-ttl": 5_000}
_ANSWERS: Arguments = {"x-max-length": _MOST_ANSWERS, "x-max-length-bytes": 100_000_000}
_NUMBER = re.compile("[0-9a-f]{32}")

logger = logging.getLogger(__name__)


class QuestionListener:
    """Listens to questions and answers them. Methods are for the connection's thread, but for ``close``.

    The answer is made in a thread of its own, and goes through the connection that publishes: one that publishes is
    blocked while the broker is low on memory, and on this one crashes are acknowledged. The next question comes only
    once this one is answered. If the user may not make exchange or queue, this processor is silent.
    """

    def __init__(
        self,
        connection: BrokerConnection,
        name: str,
        publisher: Publisher,
        answer: Callable[[bool, Numbers], Answer],
        consumers: Callable[[], Numbers],
    ) -> None:
        """``answer`` is given whether ids are asked for, and the consumers; it is called in any thread."""
        self._connection = connection
        self._exchange = name
        self._publisher = publisher
        self._answer = answer
        self._consumers = consumers
        self._questions: queue.SimpleQueue[tuple[Channel, int, str, str, bool, Numbers] | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._failure = ""

    def begin(self) -> None:
        """Listen, on a new connection."""
        self._connection.open_channel(self._on_open, self._on_closed)

    def close(self) -> None:
        """Answer no more. Waits for nothing."""
        self._closed.set()
        self._questions.put(None)

    def _on_open(self, channel: Channel) -> None:
        name = f"{self._exchange}.{uuid.uuid4().hex}"
        channel.basic_qos(prefetch_count=1)
        declare_fanout_queue(
            channel, self._exchange, name, _QUESTIONS, lambda _: channel.basic_consume(name, self._on_question)
        )

    def _on_closed(self, reason: BaseException) -> None:
        words = in_words(reason)
        if self._connection.is_open and words != self._failure:
            self._failure = words
            logger.warning(
                "`socorro queue status` cannot ask this processor what it has: the exchange %s cannot be used: %s",
                self._exchange,
                words,
            )

    def _on_question(self, channel: Channel, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        ids = decode_question(body)
        number, reply_to = properties.correlation_id, properties.reply_to
        # Nobody is to make this processor write to any other queue.
        if (
            ids is None
            or not _is_number(number)
            or reply_to != _queue_of_answers(self._exchange, number)
            or not self._has_thread()
        ):
            self._connection.call_later(ANSWER_INTERVAL, partial(_ack, channel, method.delivery_tag))
            return
        self._questions.put((channel, method.delivery_tag, reply_to, number, ids, self._consumers()))

    def _has_thread(self) -> bool:
        if self._thread is None:
            thread = threading.Thread(target=self._answer_all, name="queue-status", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                # The machine lacks memory or threads: the next question may find some.
                logger.debug("no thread to answer in: %s", error)
            else:
                self._thread = thread
        return self._thread is not None

    # In its own thread

    def _answer_all(self) -> None:
        while (question := self._questions.get()) is not None:
            channel, tag, reply_to, number, ids, consumers = question
            try:
                answer = self._answer(ids, consumers)
                self._publisher.send("", reply_to, encode_answer(answer), correlation_id=number)
            except Exception:
                # Work goes on, and whoever has asked is told that this one is silent.
                logger.debug("a question of what is in flight was not answered", exc_info=True)
            if self._closed.wait(ANSWER_INTERVAL):
                return
            self._connection.post(partial(_ack, channel, tag))


class Inquiry:
    """One question to all processors, and their answers. From any thread but the connection's."""

    def __init__(self, connection: BrokerConnection, name: str, publisher: Publisher, timeout: float) -> None:
        self._connection = connection
        self._exchange = name
        self._publisher = publisher
        self._timeout = min(ANSWER_TIME, timeout / 2)
        self._number = uuid.uuid4().hex
        # In the connection's thread only:
        self._answers: list[Answer] = []

    def ask(self, *, ids: bool, consumers: Numbers) -> tuple[list[Answer], str]:
        """Return the answers, and why there could be none, if so.

        Waits until there is one from each of the consumers that the broker has counted, or the time is over. Raises
        CrashQueueError where there is no connection.
        """

        def begin(future: Future[tuple[list[Answer], str]]) -> None:
            def end(failure: str = "") -> None:
                if not future.done():
                    future.set_result((self._answers, failure))
                if channels and channels[0].is_open:
                    channels[0].close()

            def opened(channel: Channel) -> None:
                channels.append(channel)
                name = _queue_of_answers(self._exchange, self._number)
                # Bound as those of the processors are: so the exchange is there when it is asked, and goes afterwards.
                declare_fanout_queue(channel, self._exchange, name, _ANSWERS)
                channel.basic_consume(name, on_answer, auto_ack=True, callback=lambda _: ask(name))
                self._connection.call_later(self._timeout, end)

            def ask(name: str) -> None:
                question = encode_question(ids=ids)
                asked = self._publisher.send(self._exchange, "", question, reply_to=name, correlation_id=self._number)
                asked.add_done_callback(on_asked)

            def on_asked(asked: Future[None]) -> None:
                if error := asked.exception():
                    words = in_words(error)
                    self._connection.post(lambda: end(words))

            def on_answer(_: Channel, __: Any, properties: pika.BasicProperties, body: bytes) -> None:
                answer = decode_answer(body) if properties.correlation_id == self._number else None
                if answer is None or len(self._answers) == _MOST_ANSWERS:
                    return
                self._answers = [each for each in self._answers if each.number != answer.number] + [answer]
                if not any(silent_consumers(consumers, self._answers).values()):
                    end()

            channels: list[Channel] = []
            self._connection.open_channel(opened, lambda reason: end(in_words(reason)))

        return self._connection.call(begin, "ask the processors what they have")


def _ack(channel: Channel, tag: int) -> None:
    if channel.is_open:
        channel.basic_ack(tag)


def silent_consumers(consumers: Numbers, answers: list[Answer]) -> dict[QueueName, int]:
    """Return how many of the consumers that the broker has counted belong to processors that did not answer."""
    answered: Counter[QueueName] = Counter()
    for answer in answers:
        answered.update(answer.consumers)
    return {name: max(0, count - answered[name]) for name, count in consumers.items()}


def _queue_of_answers(exchange: str, number: str) -> str:
    return f"{exchange}.answers.{number}"


def _is_number(value: object) -> bool:
    return isinstance(value, str) and bool(_NUMBER.fullmatch(value))
