"""What waits in queues of the broker is thrown away."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from pika.channel import Channel

from socorro_processor.crashqueue.rabbitmq.connection import BrokerConnection
from socorro_processor.crashqueue.rabbitmq.errors import in_words
from socorro_processor.errors import CrashQueueError


def purge(connection: BrokerConnection, names: Sequence[str], doing: str) -> int:
    """One queue after the other; how many messages there were. Those that somebody was given stay.

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
