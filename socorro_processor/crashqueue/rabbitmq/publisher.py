"""Send messages to RabbitMQ: once confirmed, a message is safe there."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import pika
from pika.channel import Channel
from pika.spec import Basic

from socorro_processor.configuration import DotDict
from socorro_processor.crashqueue.rabbitmq.connection import BrokerConnection
from socorro_processor.crashqueue.rabbitmq.messages import Headers
from socorro_processor.crashqueue.rabbitmq.queues import BrokerQueues
from socorro_processor.errors import CrashQueueError


@dataclass(eq=False)
class _Publication:
    queue: str
    body: bytes
    headers: Headers
    future: Future[None] = field(default_factory=Future)
    exchange: str = ""
    properties: dict[str, str] = field(default_factory=dict)
    is_persistent: bool = True
    """True if it must reach a queue, and be on disk before it is confirmed."""
    is_returned: bool = False
    is_lost: bool = False
    """True if a connection was lost before it was confirmed."""

    # A confirm may come later for a message that has failed because the broker blocked, or its connection was lost.

    def succeed(self) -> None:
        if not self.future.done():
            self.future.set_result(None)

    def fail(self, reason: str) -> None:
        if not self.future.done():
            self.future.set_exception(CrashQueueError(reason))


class Publisher:
    """A connection for publishing, with confirms. Messages are persistent and mandatory, except those of ``send``.

    A missing queue is created; if it cannot be, the message fails. While the broker blocks the connection, because it
    is low on memory or disk, messages fail at once.
    """

    def __init__(self, config: DotDict, queues: BrokerQueues) -> None:
        self._timeout: float = config.timeout
        self._queues = queues
        self._connection = BrokerConnection(config, "publishing", on_opened=self._open, on_lost=self._on_lost)
        self._lock = threading.Lock()
        self._closed = False
        self._unsent: list[_Publication] = []
        # In the connection's thread only:
        self._channel: Channel | None = None
        self._unconfirmed: dict[int, _Publication] = {}
        self._sent_again: set[_Publication] = set()
        self._number = 0
        self._blocked = ""

    def start(self) -> None:
        """Connect ahead of need."""
        self._connection.start()

    def publish(self, queue: str, body: bytes, headers: Headers, doing: str) -> None:
        """Send a message, and return once the broker has confirmed it. Raises CrashQueueError if it may not have."""
        self.wait(self.post(queue, body, headers), doing)

    def wait(self, future: Future[None], doing: str) -> None:
        """Wait until a posted message is confirmed. Raises as ``publish`` does."""
        try:
            future.result(self._timeout)
        except CrashQueueError as error:
            raise CrashQueueError(f"cannot {doing}: {error}") from error
        except TimeoutError:
            future.cancel()
            raise CrashQueueError(
                f"cannot {doing}: RabbitMQ did not confirm it within {self._timeout:g} s, but may have it"
            ) from None

    def post(self, queue: str, body: bytes, headers: Headers) -> Future[None]:
        """Send a message without waiting. Callbacks of the future run in the connection's thread."""
        return self._post(_Publication(queue, body, headers))

    def send(self, exchange: str, queue: str, body: bytes, **properties: str) -> Future[None]:
        """Post a message that may get lost, and need not reach any queue; ``exchange`` must exist."""
        return self._post(_Publication(queue, body, {}, exchange=exchange, properties=properties, is_persistent=False))

    def close(self) -> None:
        with self._lock:
            self._closed = True
        self._connection.close()
        self._on_lost("the queue is closed")

    def _post(self, publication: _Publication) -> Future[None]:
        with self._lock:
            if self._closed:
                publication.future.set_exception(CrashQueueError("the queue is closed"))
                return publication.future
            self._unsent.append(publication)
        self._connection.start()
        # If there is no connection yet, the message is sent on the next one, or fails with the attempt to connect.
        self._connection.post(self._send_all)
        return publication.future

    # In the connection's thread

    def _open(self) -> None:
        self._blocked = ""
        self._connection.on_blocked(self._on_blocked, self._on_unblocked)
        self._connection.open_channel(self._prepare, self._connection.fail)

    def _prepare(self, channel: Channel) -> None:
        self._channel = channel
        self._number = 0
        channel.add_on_return_callback(self._on_return)
        channel.confirm_delivery(self._on_confirm, callback=lambda _: self._on_ready())

    def _on_ready(self) -> None:
        self._connection.set_ready()
        self._send_all()

    def _send_all(self) -> None:
        if self._channel is None or not self._channel.is_open:
            return  # the next connection sends them
        with self._lock:
            unsent, self._unsent = self._unsent, []
        for publication in unsent:
            if not publication.future.done():
                self._send(publication)

    def _send(self, publication: _Publication) -> None:
        if self._blocked:
            publication.fail(f"RabbitMQ takes no messages now: {self._blocked}")
            return
        assert self._channel is not None
        self._number += 1
        self._unconfirmed[self._number] = publication
        self._channel.basic_publish(
            publication.exchange,
            publication.queue,
            publication.body,
            pika.BasicProperties(
                delivery_mode=2 if publication.is_persistent else 1,
                headers=dict(publication.headers),
                # A returned message can be told only by its id: it comes without a delivery tag.
                message_id=str(self._number),
                **publication.properties,
            ),
            mandatory=publication.is_persistent,
        )

    def _on_return(self, channel: Channel, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        self._unconfirmed[int(properties.message_id)].is_returned = True

    def _on_confirm(self, frame: Any) -> None:
        number = frame.method.delivery_tag
        numbers = [each for each in self._unconfirmed if each <= number] if frame.method.multiple else [number]
        for each in numbers:
            publication = self._unconfirmed.pop(each)
            if isinstance(frame.method, Basic.Nack):
                publication.fail(f"RabbitMQ refused it for the queue {publication.queue}")
            elif not publication.is_returned:
                publication.succeed()
            elif publication in self._sent_again or publication.queue not in self._queues.arguments:
                publication.fail(f"RabbitMQ has no queue {publication.queue}: run `socorro setup`")
            else:
                self._declare_and_send_again(publication)

    def _declare_and_send_again(self, publication: _Publication) -> None:
        publication.is_returned = False
        self._sent_again.add(publication)
        publication.future.add_done_callback(lambda _: self._sent_again.discard(publication))
        # If the declaration fails, the channel is closed, and the message fails with it.
        assert self._channel is not None
        self._queues.declare(self._channel, [publication.queue], lambda _: self._send(publication))

    def _on_blocked(self, reason: str) -> None:
        self._blocked = reason
        for publication in self._unconfirmed.values():
            publication.fail(f"RabbitMQ takes no messages now: {reason}")

    def _on_unblocked(self) -> None:
        self._blocked = ""

    def _on_lost(self, reason: str) -> None:
        """Have unconfirmed messages sent once more: the broker may not have them, and duplicates do no harm."""
        under_way = {*self._unconfirmed.values(), *self._sent_again}
        self._unconfirmed.clear()
        with self._lock:
            under_way.update(self._unsent)
            self._unsent = [
                each
                for each in under_way
                if each.is_persistent and not (each.is_lost or self._closed or each.future.done())
            ]
            failed = under_way.difference(self._unsent)
            for publication in self._unsent:
                publication.is_lost, publication.is_returned = True, False
        for publication in failed:
            publication.fail(reason)
