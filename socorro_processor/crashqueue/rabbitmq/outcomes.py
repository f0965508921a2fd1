"""A fanout exchange by which the processors on one broker tell each other of outcomes; each has a queue."""

from __future__ import annotations

import logging
import uuid
from collections import deque
from typing import Any

import pika
from pika.channel import Channel

from socorro_processor.crashqueue.outcomes import Outcomes, decode_outcomes, encode_outcomes
from socorro_processor.crashqueue.rabbitmq.connection import BrokerConnection
from socorro_processor.crashqueue.rabbitmq.errors import in_words
from socorro_processor.crashqueue.rabbitmq.publisher import Publisher
from socorro_processor.crashqueue.rabbitmq.queues import Arguments, declare_fanout_queue

_TOLD_AT_MOST = 1_000
_QUEUE: Arguments = {"x-max-length": _TOLD_AT_MOST, "x-message-ttl": 60_000}

logger = logging.getLogger(__name__)


class OutcomeExchange:
    """Tells and hears of outcomes. Messages here may get lost: exchange and queues go with the last of the processors.

    They are sent on the connection that publishes, which the broker stops reading while it is low on memory or disk:
    on this one crashes are acknowledged. They are heard on a channel of their own: if the user may not make exchange
    or queue, the broker closes it, and this processor judges by what it sees alone. Methods may be called from any
    thread, but ``begin`` and ``forget`` are for the connection's.
    """

    def __init__(self, connection: BrokerConnection, name: str, publisher: Publisher) -> None:
        self._connection = connection
        self._publisher = publisher
        self._exchange = name
        self._me = uuid.uuid4().hex
        self._told: deque[Outcomes] = deque(maxlen=_TOLD_AT_MOST)
        # In the connection's thread only:
        self._channel: Channel | None = None
        self._failure = ""

    def tell(self, outcomes: Outcomes) -> None:
        """Tell all others on this exchange."""
        body = encode_outcomes(outcomes)
        self._connection.post(lambda: self._publish(body))

    def told(self) -> list[Outcomes]:
        """Return what the others told since the last call."""
        told: list[Outcomes] = []
        while self._told:
            told.append(self._told.popleft())
        return told

    def begin(self) -> None:
        """Listen, on a new connection."""
        self._connection.open_channel(self._on_open, self._on_closed)

    def forget(self) -> None:
        """Note that the connection is lost."""
        self._channel = None

    def _on_open(self, channel: Channel) -> None:
        name = f"{self._exchange}.{uuid.uuid4().hex}"

        def consume(_: object) -> None:
            channel.basic_consume(name, self._on_message, auto_ack=True)
            self._channel = channel

        declare_fanout_queue(channel, self._exchange, name, _QUEUE, consume)

    def _on_closed(self, reason: BaseException) -> None:
        self._channel = None
        words = in_words(reason)
        if self._connection.is_open and words != self._failure:
            self._failure = words
            logger.warning(
                "the processors do not tell each other how crashes end, each judges by what it sees alone: the exchange"
                " %s cannot be used: %s",
                self._exchange,
                words,
            )

    def _on_message(self, _: Channel, __: Any, properties: pika.BasicProperties, body: bytes) -> None:
        if properties.app_id != self._me:
            self._told.append(decode_outcomes(body))

    def _publish(self, body: bytes) -> None:
        if self._channel is not None and self._channel.is_open:
            self._publisher.send(self._exchange, "", body, app_id=self._me)
