"""The queues at the broker: their names and arguments.

Beside ``socorro.normal``, ``socorro.priority`` and ``socorro.reprocessing`` there are

- ``socorro.suspect``: crashes that may have killed their processor, to be processed alone;
- ``socorro.parked`` and ``socorro.rejected``: crashes that were set aside;
- ``socorro.normal.retry.15s`` and the like, one for each queue and delay: nobody consumes from these. After the delay,
  the broker moves a crash to the queue that it came from.

While processors run, there are also the exchanges ``socorro.outcomes`` and ``socorro.status``, each with a queue for
every processor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pika.channel import Channel

from socorro_processor.configuration import DotDict, Namespace, OneOf, WholeNumber
from socorro_processor.crashqueue.base import QueueName, SetAsideState

Arguments = dict[str, str | int]

QUEUE_TYPES = ("quorum", "classic")

# From RabbitMQ 4 on, a quorum queue by default throws away a message that was given back 20 times. Not all versions
# have a value for "no limit", so this is the largest number.
QUORUM: Arguments = {"x-queue-type": "quorum", "x-delivery-limit": 2**31 - 1}


def broker_queue_options() -> Namespace:
    options = Namespace()
    add = partial(options.add_option, reference_value_from="resource.rabbitmq")
    add(
        "standard_queue_name",
        "socorro.normal",
        "the normal queue; socorro.suspect, socorro.parked and socorro.rejected are named after it",
    )
    add("priority_queue_name", "socorro.priority", "the queue of crashes that somebody waits for")
    add("reprocessing_queue_name", "socorro.reprocessing", "the queue of crashes that are processed once more")
    add(
        "queue_type",
        "quorum",
        "type of the three queues: quorum, or classic if a collector has created them so",
        OneOf(QUEUE_TYPES),
    )
    add(
        "maximum_rejected",
        100_000,
        "number of rejected ids to keep for operators; older ones are dropped",
        WholeNumber(0),
    )
    return options


@dataclass
class BrokerQueues:
    """The names of the queues and exchanges, and the arguments of each queue."""

    origins: dict[QueueName, str]
    suspect: str
    outcomes: str
    """The exchange over which processors tell each other how crashes ended."""
    status: str
    """The exchange over which processors are asked what they have."""
    set_aside: dict[SetAsideState, str]
    delays: tuple[float, ...]
    """In seconds."""
    arguments: dict[str, Arguments] = field(default_factory=dict)
    """The arguments of every queue, by its name."""

    @classmethod
    def of(cls, config: DotDict) -> BrokerQueues:
        origins: dict[QueueName, str] = {
            "priority": config.priority_queue_name,
            "normal": config.standard_queue_name,
            "reprocessing": config.reprocessing_queue_name,
        }
        # Two installations in one virtual host differ in this name, and so in all others.
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
                    # Without these two, a crash that comes due while its target is away is lost.
                    "x-dead-letter-strategy": "at-least-once",
                    "x-overflow": "reject-publish",
                }
        return queues

    def delayed(self, target: str, delay: float) -> str:
        """Return the queue where a crash waits until it goes to ``target``."""
        return f"{target}.retry.{delay:g}s"

    def all_delayed(self, target: str) -> list[str]:
        return [self.delayed(target, delay) for delay in self.delays]

    def declare(
        self,
        channel: Channel,
        names: Iterable[str],
        done: Callable[[dict[str, int]], None],
        *,
        passive: bool = False,
        consumers: bool = False,
    ) -> None:
        """Create the queues that are missing; then call ``done`` with the number of messages that wait in each.

        ``passive``: create none; the broker closes the channel if a queue is missing. ``consumers``: count the
        consumers of each instead. Does nothing on a channel that is closing.
        """
        if not channel.is_open:
            return
        to_declare = list(names)
        counts: dict[str, int] = {}

        def on_declared(frame: Any) -> None:
            counts[frame.method.queue] = frame.method.consumer_count if consumers else frame.method.message_count
            # The last answer may come while the channel is closing.
            if len(counts) == len(to_declare) and channel.is_open:
                done(counts)

        for name in to_declare:
            channel.queue_declare(
                name, passive=passive, durable=True, arguments=self.arguments[name], callback=on_declared
            )
