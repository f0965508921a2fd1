"""Fanout exchanges: a message reaches all processors on a broker, each through its own queue."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable

from pika.channel import Channel

from socorro_processor.crashqueue.rabbitmq.connection import BrokerConnection
from socorro_processor.crashqueue.rabbitmq.errors import describe_error
from socorro_processor.crashqueue.rabbitmq.queues import Arguments

logger = logging.getLogger(__name__)


def declare_fanout_queue(
    channel: Channel, exchange: str, name: str, arguments: Arguments, bound: Callable[[object], object] | None = None
) -> None:
    """Declare a fanout exchange, and a queue for this connection on it; then call ``bound``.

    The broker deletes the queue after its last consumer, and the exchange after its last queue. It handles these
    requests, and later ones on the channel, in their order.
    """
    channel.exchange_declare(exchange, "fanout", auto_delete=True)
    channel.queue_declare(name, exclusive=True, auto_delete=True, arguments=arguments)
    channel.queue_bind(name, exchange, callback=bound)


class FanoutListener:
    """Listens on an exchange, on its own channel: the broker closes it if the user may not create exchange or queue.

    Call its methods in the connection's thread.
    """

    def __init__(self, connection: BrokerConnection, exchange: str, arguments: Arguments, consequence: str) -> None:
        """``arguments``: those of the queue. ``consequence``: what follows if it cannot listen, for the log."""
        self._connection = connection
        self._exchange = exchange
        self._arguments = arguments
        self._consequence = consequence
        self._failure = ""

    def begin(self) -> None:
        """Begin to listen, on a new connection."""
        self._connection.open_channel(self._on_open, self._on_closed)

    def _consume(self, channel: Channel, name: str) -> None:
        """Begin to consume from the queue of this name."""
        raise NotImplementedError

    def _on_open(self, channel: Channel) -> None:
        name = f"{self._exchange}.{uuid.uuid4().hex}"
        declare_fanout_queue(channel, self._exchange, name, self._arguments, lambda _: self._consume(channel, name))

    def _on_closed(self, reason: BaseException) -> None:
        words = describe_error(reason)
        if self._connection.is_open and words != self._failure:
            self._failure = words
            logger.warning("%s: cannot use the exchange %s: %s", self._consequence, self._exchange, words)
