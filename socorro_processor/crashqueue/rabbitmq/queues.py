"""The queues at the broker: their names and arguments.

For ``socorro.normal``, ``socorro.priority`` and ``socorro.reprocessing``, and beside them

- ``socorro.suspect``: crashes that may have killed their processor, to be processed alone;
- ``socorro.parked`` and ``socorro.rejected``: what was given up;
- ``socorro.normal.retry.15s`` and the like, one for each queue and delay: nobody consumes from
  these. What has waited there for its time is moved by the broker to the queue it came from.

While processors run there are the exchanges ``socorro.outcomes`` and ``socorro.status`` too, each with a queue for
each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from pika.channel import Channel

from socorro_processor.configuration import DotDict
from socorro_processor.crashqueue.base import QueueName, SetAsideState

Arguments = dict[str, str | int]

# From RabbitMQ 4 on, a quorum queue throws away what was given back 20 times, unless told otherwise.
# No number is no limit everywhere, so this is the largest.
QUORUM: Arguments = {"x-queue-type": "quorum", "x-delivery-limit": 2**31 - 1}


def declare_fanout_queue(
    channel: Channel, exchange: str, name: str, arguments: Arguments, bound: Callable[[object], object] | None = None
) -> None:
    """Declare a fanout exchange and a queue of this connection's own on it; then call ``bound``.

    The queue goes with its consumer, the exchange with the last of its queues. The broker does all in this order, and
    what is said on the channel afterwards too.
    """
    channel.exchange_declare(exchange, "fanout", auto_delete=True)
    channel.queue_declare(name, exclusive=True, auto_delete=True, arguments=arguments)
    channel.queue_bind(name, exchange, callback=bound)


@dataclass
class BrokerQueues:
    """Names, and the arguments of each."""

    origins: dict[QueueName, str]
    suspect: str
    outcomes: str
    """The exchange by which processors tell each other how crashes end."""
    status: str
    """The exchange by which processors are asked what they have."""
    set_aside: dict[SetAsideState, str]
    delays: tuple[float, ...]
    arguments: dict[str, Arguments] = field(default_factory=dict)
    """All queues by name."""

    @classmethod
    def of(cls, config: DotDict) -> BrokerQueues:
        origins: dict[QueueName, str] = {
            "priority": config.priority_queue_name,
            "normal": config.standard_queue_name,
            "reprocessing": config.reprocessing_queue_name,
        }
        # Two installations in one virtual host differ in these names, and so in all others.
        prefix = config.standard_queue_name.removesuffix(".normal")
        queues = cls(
            origins,
            suspect=f"{prefix}.suspect",
            outcomes=f"{prefix}.outcomes",
            status=f"{prefix}.status",
            set_aside={"parked": f"{prefix}.parked", "rejected": f"{prefix}.rejected"},
            delays=config.retry_delays,
        )
        of_origins: Arguments = QUORUM if config.queue_type == "quorum" else {}
        queues.arguments = {
            **dict.fromkeys(origins.values(), of_origins),
            queues.suspect: QUORUM,
            queues.set_aside["parked"]: QUORUM,
            queues.set_aside["rejected"]: QUORUM | {"x-max-length": config.maximum_rejected, "x-overflow": "drop-head"},
        }
        for target in (*origins.values(), queues.suspect):
            for delay in queues.delays:
                queues.arguments[queues.delayed(target, delay)] = QUORUM | {
                    "x-message-ttl": round(delay * 1000),
                    "x-dead-letter-exchange": "",
                    "x-dead-letter-routing-key": target,
                    # Without these two, what is due while its target is away is lost.
                    "x-dead-letter-strategy": "at-least-once",
                    "x-overflow": "reject-publish",
                }
        return queues

    def delayed(self, target: str, delay: float) -> str:
        """Return the queue where a crash waits until it goes to ``target``."""
        return f"{target}.retry.{delay:g}s"

    def delay_after(self, retries: int) -> float:
        """Return the delay of a crash that was tried again so often before."""
        return self.delays[min(retries, len(self.delays) - 1)]

    def declare(
        self,
        channel: Channel,
        names: Iterable[str],
        done: Callable[[dict[str, int]], None],
        *,
        passive: bool = False,
        consumers: bool = False,
    ) -> None:
        """Make those that are not there yet; then ``done`` is given how many messages wait in each.

        ``passive``: make none; the broker closes the channel where one is not there. ``consumers``: how many consumers
        each has, instead. Nothing is done on a channel that is being closed.
        """
        if not channel.is_open:
            return
        waiting = list(names)
        counts: dict[str, int] = {}

        def declared(frame: Any) -> None:
            counts[frame.method.queue] = frame.method.consumer_count if consumers else frame.method.message_count
            # An answer may come when nothing more can be said.
            if len(counts) == len(waiting) and channel.is_open:
                done(counts)

        for name in waiting:
            channel.queue_declare(
                name, passive=passive, durable=True, arguments=self.arguments[name], callback=declared
            )
