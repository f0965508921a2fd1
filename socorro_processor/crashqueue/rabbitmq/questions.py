"""Ask the processors on one broker, over a fanout exchange, which crashes they have.

AMQP does not tell which messages a consumer has not acknowledged: only the consumer can. The asker creates a queue for
the answers. The broker tells the number of consumers, and so how many answers to expect.
"""

from __future__ import annotations

import logging
import queue
import re
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
from typing import Any, NamedTuple

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
from socorro_processor.crashqueue.rabbitmq.errors import describe_error
from socorro_processor.crashqueue.rabbitmq.fanout import FanoutListener, declare_fanout_queue
from socorro_processor.crashqueue.rabbitmq.publisher import Publisher
from socorro_processor.crashqueue.rabbitmq.queues import Arguments

ANSWER_TIME = 2.0
"""Seconds in which processors have to answer."""

ANSWER_INTERVAL = 0.05
"""Seconds between two questions that a processor answers, however many come."""

_MOST_ANSWERS = 10_000
_ANSWERS: Arguments = {"x-max-length": _MOST_ANSWERS, "x-max-length-bytes": 100_000_000}
_QUESTION_ID = re.compile("[0-9a-f]{32}")

logger = logging.getLogger(__name__)


class _Question(NamedTuple):
    channel: Channel
    tag: int
    reply_to: str
    question_id: str
    ids: bool
    consumers: Numbers


class QuestionListener(FanoutListener):
    """Listens for questions, and answers them. Call its methods in the connection's thread, except ``close``.

    The answer is made in its own thread and sent on the publisher's connection. The broker blocks a connection that
    publishes while it is low on memory, and crashes are acknowledged on this one. The next question comes only once
    this one is answered. If the broker's user may not create the exchange or the queue, this processor is silent.
    """

    def __init__(
        self,
        connection: BrokerConnection,
        name: str,
        publisher: Publisher,
        answer: Callable[[bool, Numbers], Answer],
        consumers: Callable[[], Numbers],
    ) -> None:
        """``answer`` is called in any thread, with True if ids are wanted, and with the consumers."""
        super().__init__(
            connection,
            name,
            {"x-max-length": 10, "x-message-ttl": 5_000},
            "`socorro queue status` cannot ask this processor what it has",
        )
        self._publisher = publisher
        self._answer = answer
        self._consumers = consumers
        self._questions: queue.SimpleQueue[_Question | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def close(self) -> None:
        """Stop answering. Waits for nothing."""
        self._closed.set()
        self._questions.put(None)

    def _consume(self, channel: Channel, name: str) -> None:
        channel.basic_qos(prefetch_count=1)
        channel.basic_consume(name, self._on_question)

    def _on_question(self, channel: Channel, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        ids = decode_question(body)
        question_id, reply_to = properties.correlation_id, properties.reply_to
        # Nobody may make this processor write to another queue.
        if (
            ids is None
            or not _is_question_id(question_id)
            or reply_to != _queue_of_answers(self._exchange, question_id)
            or not self._ensure_thread()
        ):
            self._connection.call_later(ANSWER_INTERVAL, partial(_ack, channel, method.delivery_tag))
            return
        self._questions.put(_Question(channel, method.delivery_tag, reply_to, question_id, ids, self._consumers()))

    def _ensure_thread(self) -> bool:
        if self._thread is None:
            thread = threading.Thread(target=self._answer_all, name="queue-status", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                # The machine lacks memory or threads: there may be some for the next question.
                logger.debug("no thread to answer in: %s", error)
            else:
                self._thread = thread
        return self._thread is not None

    # In its own thread

    def _answer_all(self) -> None:
        while (question := self._questions.get()) is not None:
            try:
                answer = self._answer(question.ids, question.consumers)
                self._publisher.send("", question.reply_to, encode_answer(answer), correlation_id=question.question_id)
            except Exception:
                # Work goes on, and the asker sees this processor as silent.
                logger.debug("cannot report the crashes in flight", exc_info=True)
            if self._closed.wait(ANSWER_INTERVAL):
                return
            self._connection.post(partial(_ack, question.channel, question.tag))


def ask_processors(
    connection: BrokerConnection, exchange: str, publisher: Publisher, timeout: float, *, ids: bool, consumers: Numbers
) -> tuple[list[Answer], str]:
    """Ask all processors. Return their answers, and the reason if they could not be asked, else an empty text.

    Waits until all consumers that the broker has counted are accounted for, or the time is over. Call it in any thread
    but the connection's. Raises CrashQueueError if there is no connection.
    """
    question_id = uuid.uuid4().hex
    name = _queue_of_answers(exchange, question_id)
    answers: dict[str, Answer] = {}
    channel: Channel | None = None

    def begin(future: Future[tuple[list[Answer], str]]) -> None:
        def end(failure: str = "") -> None:
            if not future.done():
                future.set_result((list(answers.values()), failure))
            if channel is not None and channel.is_open:
                channel.close()

        def opened(new_channel: Channel) -> None:
            nonlocal channel
            channel = new_channel
            # Bind it like the processors' queues: then the exchange exists when the question is sent, and is deleted
            # afterwards.
            declare_fanout_queue(channel, exchange, name, _ANSWERS)
            channel.basic_consume(name, on_answer, auto_ack=True, callback=ask)
            connection.call_later(min(ANSWER_TIME, timeout / 2), end)

        def ask(_: object) -> None:
            question = encode_question(ids=ids)
            sent = publisher.send(exchange, "", question, reply_to=name, correlation_id=question_id)
            sent.add_done_callback(on_sent)

        def on_sent(sent: Future[None]) -> None:
            if error := sent.exception():
                words = describe_error(error)
                connection.post(lambda: end(words))

        def on_answer(_: Channel, __: Any, properties: pika.BasicProperties, body: bytes) -> None:
            answer = decode_answer(body) if properties.correlation_id == question_id else None
            if answer is None or len(answers) == _MOST_ANSWERS:
                return
            answers[answer.responder_id] = answer
            if not any(silent_consumers(consumers, answers.values()).values()):
                end()

        connection.open_channel(opened, lambda reason: end(describe_error(reason)))

    return connection.call(begin, "ask the processors what they have")


def _ack(channel: Channel, tag: int) -> None:
    if channel.is_open:
        channel.basic_ack(tag)


def silent_consumers(consumers: Numbers, answers: Iterable[Answer]) -> dict[QueueName, int]:
    """Return, by queue, the number of counted consumers that belong to processors that did not answer."""
    answered: Counter[QueueName] = Counter()
    for answer in answers:
        answered.update(answer.consumers)
    return {name: max(0, count - answered[name]) for name, count in consumers.items()}


def _queue_of_answers(exchange: str, question_id: str) -> str:
    return f"{exchange}.answers.{question_id}"


def _is_question_id(value: object) -> bool:
    return isinstance(value, str) and bool(_QUESTION_ID.fullmatch(value))
