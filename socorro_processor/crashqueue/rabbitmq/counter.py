"""Count the messages that wait in queues at the broker, and their consumers; purge queues."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from pika.channel import Channel

from socorro_processor.crashqueue.rabbitmq.connection import BrokerConnection
from socorro_processor.crashqueue.rabbitmq.errors import in_words
from socorro_processor.crashqueue.rabbitmq.queues import BrokerQueues
from socorro_processor.errors import CrashQueueError

NOT_FOUND = 404

Counts = dict[str, int]


@dataclass(eq=False)
class _Question:
    names: list[str]
    answer: Callable[[Counts], None]
    fail: Callable[[CrashQueueError], None]
    consumers: bool = False
    declared: bool = False


class QueueCounter:
    """Counts on a channel of its own, because the broker closes it when a queue is not there.

    That queue is made then. Counts are of what nobody has been given: AMQP tells nothing of the rest.
    """

    def __init__(self, connection: BrokerConnection, queues: BrokerQueues) -> None:
        self._connection = connection
        self._queues = queues
        # In the connection's thread only:
        self._channel: Channel | None = None
        self._questions: deque[_Question] = deque()

    def count(self, names: Iterable[str], doing: str, *, consumers: bool = False) -> Counts:
        """Count, from any thread. ``consumers``: count these instead of messages. Raises CrashQueueError."""

        def ask(future: Future[Counts]) -> None:
            # Nobody waits for the answer to a cancelled one.
            self._ask(
                _Question(
                    list(names),
                    lambda counts: None if future.cancelled() else future.set_result(counts),
                    lambda error: None if future.done() else future.set_exception(error),
                    consumers,
                )
            )

        return self._connection.call(ask, doing)

    def count_soon(self, name: str, answer: Callable[[int], None]) -> None:
        """Count, from the connection's thread; if that fails there is no answer."""
        self._ask(_Question([name], lambda counts: answer(counts[name]), lambda error: None))

    def forget(self) -> None:
        """Note that the connection is lost; it tells whoever asked."""
        self._channel = None
        self._questions.clear()

    def _ask(self, question: _Question) -> None:
        self._questions.append(question)
        if len(self._questions) == 1:
            self._put_first()

    def _put_first(self) -> None:
        if self._channel is None:
            self._connection.open_channel(self._on_open, self._on_closed)
            return
        question = self._questions[0]
        self._queues.declare(
            self._channel, question.names, self._on_counted, passive=True, consumers=question.consumers
        )

    def _on_open(self, channel: Channel) -> None:
        self._channel = channel
        if self._questions[0].declared:
            self._queues.declare(channel, self._queues.arguments, lambda _: self._put_first())
        else:
            self._put_first()

    def _on_counted(self, counts: Counts) -> None:
        self._questions.popleft().answer(counts)
        if self._questions:
            self._put_first()

    def _on_closed(self, reason: BaseException) -> None:
        self._channel = None
        if not self._questions:
            return
        if getattr(reason, "reply_code", 0) == NOT_FOUND and not self._questions[0].declared:
            self._questions[0].declared = True
        else:
            self._questions.popleft().fail(CrashQueueError(in_words(reason)))
        if self._questions and self._connection.is_open:
            self._put_first()


def purge(connection: BrokerConnection, names: Sequence[str], doing: str) -> int:
    """Empty one queue after the other; return how many messages there were. Those that somebody was given stay.

    From any thread but the connection's. Raises CrashQueueError.
    """

    def begin(future: Future[int]) -> None:
        left = list(names)
        purged = 0

        def opened(channel: Channel) -> None:
            def next_one() -> None:
                if left:
                    channel.queue_purge(left.pop(0), callback=done)
                    return
                if not future.done():
                    future.set_result(purged)
                channel.close()

            def done(frame: Any) -> None:
                nonlocal purged
                purged += frame.method.message_count
                next_one()

            next_one()

        def closed(reason: BaseException) -> None:
            if not future.done():
                future.set_exception(CrashQueueError(in_words(reason)))

        connection.open_channel(opened, closed)

    return connection.call(begin, doing)
