"""Count the messages that wait in queues at the broker, and the queues' consumers; purge queues."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from pika.channel import Channel

from socorro_processor.crashqueue.rabbitmq.connection import BrokerConnection
from socorro_processor.crashqueue.rabbitmq.errors import describe_error
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
    """Counts on its own channel, because the broker closes the channel if a queue does not exist.

    The queue is then created. Messages that were delivered are not counted: AMQP does not tell their number.
    """

    def __init__(self, connection: BrokerConnection, queues: BrokerQueues) -> None:
        self._connection = connection
        self._queues = queues
        # In the connection's thread only:
        self._channel: Channel | None = None
        self._questions: deque[_Question] = deque()

    def count(self, names: Iterable[str], doing: str, *, consumers: bool = False) -> Counts:
        """Return the numbers by queue; call it in any thread but the connection's. Raises CrashQueueError.

        ``consumers``: count consumers instead of messages.
        """

        def ask(future: Future[Counts]) -> None:
            # Nobody waits for the answer if the future was cancelled.
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
        """Count, in the connection's thread. If that fails, ``answer`` is not called."""
        self._ask(_Question([name], lambda counts: answer(counts[name]), lambda error: None))

    def purge(self, names: Sequence[str], doing: str) -> int:
        """Empty the queues in their order; return the number of messages. Delivered messages stay.

        Call it in any thread but the connection's. Raises CrashQueueError.
        """
        # Creates missing queues: a purge of a queue that does not exist is an error.
        self.count(names, doing)
        purged: list[int] = []

        def begin(future: Future[int]) -> None:
            def opened(channel: Channel) -> None:
                def on_purged(frame: Any) -> None:
                    purged.append(frame.method.message_count)
                    if len(purged) == len(names):
                        if not future.done():
                            future.set_result(sum(purged))
                        channel.close()

                for name in names:
                    channel.queue_purge(name, callback=on_purged)

            def closed(reason: BaseException) -> None:
                if not future.done():
                    future.set_exception(CrashQueueError(describe_error(reason)))

            self._connection.open_channel(opened, closed)

        return self._connection.call(begin, doing)

    def forget(self) -> None:
        """Note that the connection is lost; the connection itself tells whoever asked."""
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
            self._questions.popleft().fail(CrashQueueError(describe_error(reason)))
        if self._questions and self._connection.is_open:
            self._put_first()
