"""RabbitMQCrashQueue: the queues of any number of machines, in RabbitMQ."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import cast

from socorro_processor.configuration import DotDict, Namespace, OneOf, Seconds, WholeNumber
from socorro_processor.crashqueue.base import (
    QUEUES,
    SUBMITTED_AHEAD,
    CrashQueueBase,
    Delivery,
    Depth,
    Depths,
    InFlight,
    QueueName,
    SetAsideCrash,
    SetAsideState,
    parse_delays,
)
from socorro_processor.crashqueue.fair_order import DEFAULT_WEIGHTS, FairOrder, parse_weights
from socorro_processor.crashqueue.history import History
from socorro_processor.crashqueue.outcomes import Outcomes
from socorro_processor.crashqueue.rabbitmq.answers import Answer, Numbers
from socorro_processor.crashqueue.rabbitmq.check import check_broker
from socorro_processor.crashqueue.rabbitmq.consumer import Consumer
from socorro_processor.crashqueue.rabbitmq.counter import purge
from socorro_processor.crashqueue.rabbitmq.in_flight import Whereabouts, in_flight
from socorro_processor.crashqueue.rabbitmq.messages import (
    DUE,
    TRANSIENT,
    Message,
    age_of,
    body_of,
    due_in,
    headers_of_submission,
    set_aside_headers,
    short_reason,
)
from socorro_processor.crashqueue.rabbitmq.prefetch import LONGEST_WAIT, Prefetch
from socorro_processor.crashqueue.rabbitmq.publisher import Publisher
from socorro_processor.crashqueue.rabbitmq.queues import BrokerQueues
from socorro_processor.crashqueue.rabbitmq.set_aside import SetAsideReader
from socorro_processor.errors import CrashQueueError
from socorro_processor.monitoring.metrics import METRICS

UNTOLD_DELAY = 5.0
"""Seconds until a crash whose end could not be told is taken again."""

LOOKS_INTO_A_DELAY = 20
"""So many crashes with the same delay are looked at for one that can be tried ahead of time."""

QUEUE_TYPES = ("quorum", "classic")

logger = logging.getLogger(__name__)


class RabbitMQCrashQueue(CrashQueueBase):
    """Queues in RabbitMQ (3.10 or later), for any number of processes; what is in them see ``queues``.

    Bodies are crash ids and may be any bytes. The same id twice is processed twice, one after the
    other, within one process; between processes nobody can know. If it is there three times or more, those between
    may be left out.

    The broker counts deliveries, but cannot say which of a dead processor's crashes had begun. A first death counts
    for none of them; one that has seen two, or was given back twice, goes to the suspects, is delivered alone from
    there, and every delivery there that does not end counts as an attempt. Classic queues count no deliveries.

    A retry, a park or a reject is a message to another queue and then an acknowledgement. If the first
    fails, the crash stays with this process, which delivers it again.

    ``depths`` knows what waits at the broker and what this process has; what others have taken is in
    none of its numbers: ``in_flight`` asks them. ``purge`` leaves it, as it does suspects. The broker does not tell
    how old its messages are: ``oldest`` is the oldest of those that this process has, which were the first of their
    queue, if all of them tell when they were submitted (in a header of ours, or in the property ``timestamp``). What
    was read by ``set_aside`` is given back by ``close``; until then no other process can read.

    ``new_crashes`` waits on its own, up to ``idle_delay`` seconds before each None. Not to be used across ``os.fork``.
    ``longest_wait`` is for tests.
    """

    required_config = Namespace()
    required_config.add_option(
        "host", default="localhost", doc="the broker's host", reference_value_from="resource.rabbitmq"
    )
    required_config.add_option(
        "port",
        default=5672,
        doc="the broker's port; with tls it is usually 5671",
        from_string_converter=WholeNumber(1, 65535),
        reference_value_from="resource.rabbitmq",
    )
    required_config.add_option(
        "virtual_host", default="/", doc="the virtual host of the queues", reference_value_from="resource.rabbitmq"
    )
    required_config.add_option(
        "rabbitmq_user", default="guest", doc="the user to log in as", reference_value_from="secrets.rabbitmq"
    )
    required_config.add_option(
        "rabbitmq_password",
        default="guest",
        doc="the user's password",
        secret=True,
        reference_value_from="secrets.rabbitmq",
    )
    required_config.add_option(
        "standard_queue_name",
        default="socorro.normal",
        doc="the normal queue; socorro.suspect, socorro.parked and socorro.rejected are named after it",
        reference_value_from="resource.rabbitmq",
    )
    required_config.add_option(
        "priority_queue_name",
        default="socorro.priority",
        doc="the queue of crashes that somebody waits for",
        reference_value_from="resource.rabbitmq",
    )
    required_config.add_option(
        "reprocessing_queue_name",
        default="socorro.reprocessing",
        doc="the queue of crashes that are processed once more",
        reference_value_from="resource.rabbitmq",
    )
    required_config.add_option(
        "queue_type",
        default="quorum",
        doc="of these three queues: quorum, or classic where a collector has made them so",
        from_string_converter=OneOf(QUEUE_TYPES),
        reference_value_from="resource.rabbitmq",
    )
    required_config.add_option(
        "prefetch",
        default="8",
        doc="how many crashes of each queue are taken ahead of those in work",
        from_string_converter=WholeNumber(1),
    )
    required_config.add_option(
        "weights",
        default=DEFAULT_WEIGHTS,
        doc="how many crashes of each queue are taken in turn while all have work",
        from_string_converter=parse_weights,
    )
    required_config.add_option(
        "retry_delays",
        default="1, 5, 15, 30, 60",
        doc="seconds until the first, second, ... retry of a crash; the last of them for all later ones; at most 60",
        from_string_converter=parse_delays,
    )
    required_config.add_option(
        "idle_delay",
        default=0.5,
        doc="seconds to wait for a crash before saying there is none",
        from_string_converter=Seconds(above=True),
    )
    required_config.add_option(
        "maximum_rejected",
        default=100_000,
        doc="how many rejected ids are kept for operators to see; the oldest go",
        from_string_converter=WholeNumber(0),
        reference_value_from="resource.rabbitmq",
    )
    required_config.add_option(
        "timeout",
        default=10.0,
        doc="seconds that the broker has to accept a connection, or to answer or confirm",
        from_string_converter=Seconds(above=True),
        reference_value_from="resource.rabbitmq",
    )
    required_config.add_option(
        "heartbeat",
        default=30,
        doc="seconds after which a broker that is silent is taken for lost",
        from_string_converter=WholeNumber(1, 3600),
        reference_value_from="resource.rabbitmq",
    )
    required_config.add_option(
        "tls", default=False, doc="whether to connect with TLS", reference_value_from="resource.rabbitmq"
    )
    required_config.add_option(
        "tls_ca_file",
        default="",
        doc="PEM file of the authorities that the broker's certificate must come from (empty: the system's)",
        reference_value_from="resource.rabbitmq",
    )
    required_config.add_option(
        "tls_certificate_file",
        default="",
        doc="PEM file of the certificate to show to the broker (empty: none)",
        reference_value_from="resource.rabbitmq",
    )
    required_config.add_option(
        "tls_key_file",
        default="",
        doc="PEM file of that certificate's key (empty: it is in the same file)",
        reference_value_from="resource.rabbitmq",
    )
    required_config.add_option(
        "tls_verify",
        default=True,
        doc="whether the broker's certificate must be trusted and bear its host's name; false only for tests",
        reference_value_from="resource.rabbitmq",
    )

    def __init__(self, config: DotDict, *, longest_wait: float = LONGEST_WAIT) -> None:
        super().__init__(config)
        self._queues = BrokerQueues.of(config)
        self._prefetch = Prefetch(FairOrder(config.weights), longest_wait)
        self._publisher = Publisher(config, self._queues)
        self._whereabouts = Whereabouts(self._prefetch)
        self._consumer = Consumer(config, self._queues, self._prefetch, self._publisher, self._answer)
        self._readers: dict[SetAsideState, SetAsideReader] = {
            "parked": SetAsideReader(self._consumer.connection, self._queues, "parked"),
            "rejected": SetAsideReader(self._consumer.connection, self._queues, "rejected"),
        }
        self._closing = threading.Event()
        self._suspect: Message | None = None
        self._suspect_since = 0.0
        self._no_suspect_before = 0.0

    def setup(self) -> None:
        self._consumer.counter.count(self._queues.arguments, "make the queues")

    def check(self) -> None:
        check_broker(self.config, self._queues)

    def unavailable(self) -> str:
        return self._consumer.connection.unavailable()

    def new_crashes(self) -> Iterator[Delivery | None]:
        self._consumer.consume()
        while not self._closing.is_set():
            deadline = time.monotonic() + self.config.idle_delay
            while True:
                seen = self._prefetch.changes
                delivery = self._next()
                left = deadline - time.monotonic()
                if delivery is not None or left <= 0 or self._closing.is_set():
                    break
                self._prefetch.wait(seen, left)
            # What was taken while close() ran was given back by it.
            if not self._closing.is_set():
                yield delivery

    def begin(self, delivery: Delivery) -> None:
        message = _message_of(delivery)
        message.begun = True
        if not self._prefetch.is_mine(message):
            self._prefetch.begin_settling(message)
            raise CrashQueueError(
                f"cannot begin {delivery.crash_id[:60]!r}: the connection it came on was lost; it comes again"
            )

    def ack(self, delivery: Delivery) -> None:
        message = _message_of(delivery)
        if self._prefetch.begin_settling(message):
            self._settled(message)

    def retry(self, delivery: Delivery, reason: str, *, transient: bool, history: History | None = None) -> None:
        message = _message_of(delivery)
        if not self._prefetch.begin_settling(message):
            return
        message.history = history or message.history
        delay = self._queues.delay_after(message.retries)
        logger.debug("%.60r will be tried again in %g s: %s", delivery.crash_id, delay, reason)
        message.attempts += not transient
        message.retries += 1
        message.reason = short_reason(reason)
        target = self._queues.suspect if message.suspect else self._queues.origins[message.queue]
        headers = message.headers() | {TRANSIENT: transient, DUE: due_in(delay)}
        try:
            self._publisher.publish(
                self._queues.delayed(target, delay), message.body, headers, f"retry {delivery.crash_id[:60]!r}"
            )
        except CrashQueueError as error:
            # It is tried again all the same, only by this process and no other.
            logger.warning("%s; it waits in this processor until then", error)
            self._prefetch.wait_again(message, delay)
        else:
            self._settled(message)
            self._whereabouts.put_off(message, delay)

    def probe(self) -> None:
        delayed = {
            self._queues.delayed(self._queues.origins[queue], delay): queue
            for queue in QUEUES
            for delay in self._queues.delays
        }
        counts = self._consumer.counter.count(delayed, "try a delayed crash")
        seen: list[Message] = []
        candidates: list[Message] = []
        for name, queue in delayed.items():
            # Those that failed of their own may be in front.
            for _ in range(min(counts[name], LOOKS_INTO_A_DELAY)):
                message = self._consumer.first_of(name, queue, "try a delayed crash")
                if message is None:
                    break
                seen.append(message)
                if message.transient:
                    candidates.append(message)
                    break
        chosen = min(candidates, key=lambda message: message.due, default=None)
        for message in seen:
            if message is not chosen:
                self._consumer.give_back(message)
        if chosen is not None:
            self._prefetch.probe(chosen)

    def park(self, delivery: Delivery, reason: str) -> None:
        self._set_aside(delivery, "parked", reason)

    def reject(self, delivery: Delivery, reason: str) -> None:
        self._set_aside(delivery, "rejected", reason)

    def release(self, delivery: Delivery) -> None:
        message = _message_of(delivery)
        if not self._prefetch.begin_settling(message):
            return
        if message.suspect:
            # To give it back would count as an attempt: a copy takes its place.
            try:
                self._publisher.publish(self._queues.suspect, message.body, message.headers(), "release a suspect")
            except CrashQueueError as error:
                logger.warning("%s; it is given back, which counts as an attempt", error)
            else:
                self._settled(message)
                return
        self._consumer.give_back(message)
        self._prefetch.settled(message)

    def submit(self, crash_id: str, queue: QueueName = "normal", work: str = "") -> None:
        for _ in self.submit_all([crash_id], queue, work):
            pass

    def submit_all(self, crash_ids: Iterable[str], queue: QueueName = "normal", work: str = "") -> Iterator[str]:
        headers = headers_of_submission(work)
        # A confirm takes as long as the brokers take to write to disk: for many at once it takes no longer.
        unconfirmed: deque[tuple[str, Future[None]]] = deque()
        for crash_id in crash_ids:
            if queue not in QUEUES:
                raise CrashQueueError(
                    f"cannot submit {crash_id[:60]!r}: {queue!r} is not a queue; there are {', '.join(QUEUES)}"
                )
            unconfirmed.append(
                (crash_id, self._publisher.post(self._queues.origins[queue], body_of(crash_id), headers))
            )
            while unconfirmed and (unconfirmed[0][1].done() or len(unconfirmed) == SUBMITTED_AHEAD):
                yield self._confirmed(*unconfirmed.popleft())
        while unconfirmed:
            yield self._confirmed(*unconfirmed.popleft())

    def depths(self) -> Depths:
        counts = self._consumer.counter.count(self._queues.arguments, "count the crashes")

        def delayed_for(target: str) -> int:
            return sum(counts[self._queues.delayed(target, delay)] for delay in self._queues.delays)

        queues = {
            queue: Depth(
                waiting=counts[name] + self._prefetch.waiting(queue),
                delayed=delayed_for(name) + self._prefetch.delayed(queue),
                in_flight=self._prefetch.in_work(queue) + self._prefetch.in_work(queue, suspect=True),
                oldest=self._age_of_the_oldest(queue, counts[name] + delayed_for(name)),
            )
            for queue, name in self._queues.origins.items()
        }
        aside = {state: counts[self._queues.set_aside[state]] + reader.held for state, reader in self._readers.items()}
        return Depths(
            queues,
            parked=aside["parked"],
            rejected=aside["rejected"],
            suspect=counts[self._queues.suspect] + delayed_for(self._queues.suspect),
        )

    def in_flight(self, *, ids: bool = False) -> InFlight:
        return in_flight(self._consumer, self._publisher, self.config.timeout, ids=ids)

    def pauses(self, reason: str) -> None:
        self._whereabouts.pause = reason

    def set_aside(self, state: SetAsideState) -> Iterator[SetAsideCrash]:
        return self._readers[state].read()

    def requeue(self, crash: SetAsideCrash) -> bool:
        reader = self._readers[crash.state]
        found = reader.take_out(crash)
        if found is None:
            return False
        headers = found.carried | headers_of_submission(crash.work)
        try:
            self._publisher.publish(
                self._queues.origins[crash.queue], found.body, headers, f"requeue {crash.crash_id[:60]!r}"
            )
        except CrashQueueError:
            reader.put_back(found)
            raise
        reader.remove(found)
        return True

    def purge(self, name: QueueName | SetAsideState) -> int:
        if name == "parked" or name == "rejected":
            names = [self._queues.set_aside[name]]
        else:
            origin = self._queues.origins[name]
            # What becomes due meanwhile is in the last one.
            names = [*(self._queues.delayed(origin, delay) for delay in self._queues.delays), origin]
        doing = f"purge {name}"
        # Makes those that are not there, so that there is something to purge.
        self._consumer.counter.count(names, doing)
        return purge(self._consumer.connection, names, doing)

    def tell(self, outcomes: Outcomes) -> None:
        self._consumer.outcomes.tell(outcomes)

    def told(self) -> list[Outcomes]:
        return self._consumer.outcomes.told()

    def close(self) -> None:
        if not self._closing.is_set():
            self._closing.set()
            self._prefetch.wake()
            if self._suspect is not None:
                self.release(self._suspect.delivery())
            self._consumer.close()
            self._publisher.close()

    def _next(self) -> Delivery | None:
        if self._suspect is not None:
            if self._prefetch.has_in_work(self._suspect):
                return None
            # The others, if there are any, get as much time as it took.
            now = time.monotonic()
            self._no_suspect_before = now + (now - self._suspect_since)
            self._suspect = None
        if self._consumer.suspects_wait and self._may_take_a_suspect():
            if not self._prefetch.works:
                if suspect := self._next_suspect():
                    return suspect.delivery()
            elif self._consumer.must_drain:
                return None
        message = self._prefetch.take()
        if message is None:
            return None
        self._consumer.ack_superfluous()
        self._consumer.keep_filled(message.queue)
        return message.delivery()

    def _may_take_a_suspect(self) -> bool:
        return time.monotonic() >= self._no_suspect_before or not any(map(self._prefetch.ready, QUEUES))

    def _next_suspect(self) -> Message | None:
        try:
            message = self._consumer.next_suspect()
        except CrashQueueError as error:
            logger.debug("%s", error)
            return None
        if message is not None:
            self._prefetch.take_suspect(message)
            self._suspect, self._suspect_since = message, time.monotonic()
        return message

    def _confirmed(self, crash_id: str, submission: Future[None]) -> str:
        self._publisher.wait(submission, f"submit {crash_id[:60]!r}")
        return crash_id

    def _set_aside(self, delivery: Delivery, state: SetAsideState, reason: str) -> None:
        message = _message_of(delivery)
        if not self._prefetch.begin_settling(message):
            return
        one_goes = state == "rejected" and self._has_no_room_for_rejected()
        crash = SetAsideCrash(
            delivery.crash_id,
            state,
            reason,
            datetime.now(UTC),
            message.attempts + message.begun,
            delivery.queue,
            message.history.work,
        ).cut()
        try:
            self._publisher.publish(
                self._queues.set_aside[state],
                body_of(crash.crash_id),
                message.carried | set_aside_headers(crash),
                f"set aside {delivery.crash_id[:60]!r} as {state}",
            )
        except CrashQueueError:
            self._prefetch.wait_again(message, UNTOLD_DELAY)
            raise
        if one_goes:
            METRICS.increment("queue.rejected_dropped")
        self._settled(message)

    def _age_of_the_oldest(self, queue: QueueName, at_the_broker: int) -> float | None:
        """Return its age in seconds; 0 if there is none, None if it is not known."""
        submitted = self._prefetch.submitted(queue)
        known = [each for each in submitted if each is not None]
        if not submitted and not at_the_broker:
            return 0.0
        if not known or len(known) < len(submitted):
            return None
        return age_of(min(known))

    def _has_no_room_for_rejected(self) -> bool:
        """Return True if the broker drops the oldest rejected one for one more: it tells nobody."""
        name = self._queues.set_aside["rejected"]
        try:
            counts = self._consumer.counter.count([name], "count the rejected crashes")
        except CrashQueueError as error:
            logger.debug("%s", error)
            return False
        return counts[name] >= int(self.config.maximum_rejected)

    def _answer(self, ids: bool, consumers: Numbers) -> Answer:
        return self._whereabouts.answer(self._consumer.moving, consumers, ids=ids)

    def _settled(self, message: Message) -> None:
        self._whereabouts.forget(message)
        self._consumer.ack(message)
        self._prefetch.settled(message)


def _message_of(delivery: Delivery) -> Message:
    return cast(Message, delivery.tag)
