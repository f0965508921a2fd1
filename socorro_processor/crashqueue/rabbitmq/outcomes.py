"""A fanout exchange over which the processors on one broker tell each other how crashes ended."""

from __future__ import annotations

import uuid
from collections import deque
from typing import Any

import pika
from pika.channel import Channel

from socorro_processor.crashqueue.outcomes import Outcomes, decode_outcomes, encode_outcomes
from socorro_processor.crashqueue.rabbitmq.connection import BrokerConnection
from socorro_processor.crashqueue.rabbitmq.fanout import FanoutListener
from socorro_processor.crashqueue.rabbitmq.publisher import Publisher

_MOST_OUTCOMES = 1_000


class OutcomeExchange(FanoutListener):
    """Sends and receives outcomes. They may get lost: the exchange and the queues are deleted with the processors.

    Outcomes are sent on the publisher's connection. The broker stops reading a connection that publishes while it is
    low on memory or disk, and crashes are acknowledged on this one. Methods except ``begin`` may be called from any
    thread.
    """

    def __init__(self, connection: BrokerConnection, name: str, publisher: Publisher) -> None:
        super().__init__(
            connection,
            name,
            {"x-max-length": _MOST_OUTCOMES, "x-message-ttl": 60_000},
            "processors cannot tell each other how crashes ended, and judge failures alone",
        )
        self._publisher = publisher
        self._sender_id = uuid.uuid4().hex
        self._received: deque[Outcomes] = deque(maxlen=_MOST_OUTCOMES)
        # In the connection's thread only:
        self._channel: Channel | None = None

    def tell(self, outcomes: Outcomes) -> None:
        """Send outcomes to all other processors on this exchange."""
        body = encode_outcomes(outcomes)
        self._connection.post(lambda: self._publish(body))

    def take(self) -> list[Outcomes]:
        """Return what was received from the others since the last call."""
        received: list[Outcomes] = []
        while self._received:
            received.append(self._received.popleft())
        return received

    def _consume(self, channel: Channel, name: str) -> None:
        channel.basic_consume(name, self._on_message, auto_ack=True)
        self._channel = channel

    def _on_message(self, _: Channel, __: Any, properties: pika.BasicProperties, body: bytes) -> None:
        if properties.app_id != self._sender_id:
            self._received.append(decode_outcomes(body))

    def _publish(self, body: bytes) -> None:
        if self._channel is not None and self._channel.is_open:
            self._publisher.send(self._exchange, "", body, app_id=self._sender_id)
