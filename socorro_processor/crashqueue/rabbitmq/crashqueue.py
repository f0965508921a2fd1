"""RabbitMQCrashQueue: crash queues in RabbitMQ, for any number of machines."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

from socorro_processor.configuration import DotDict, Namespace, WholeNumber
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
    check_queue,
    delay_after,
)
from socorro_processor.crashqueue.fair_order import FairOrder
from socorro_processor.crashqueue.history import History
from socorro_processor.crashqueue.options import delivery_options
from socorro_processor.crashqueue.outcomes import Outcomes
from socorro_processor.crashqueue.rabbitmq.answers import Answer, Numbers
from socorro_processor.crashqueue.rabbitmq.check import check_broker
from socorro_processor.crashqueue.rabbitmq.consumer import Consumer
from socorro_processor.crashqueue.rabbitmq.in_flight import Whereabouts, ask_in_flight
from socorro_processor.crashqueue.rabbitmq.messages import (
    TRANSIENT,
    Headers,
    Message,
    age_of,
    body_of,
    headers_of_submission,
    set_aside_headers,
    short_reason,
)
from socorro_processor.crashqueue.rabbitmq.parameters import connection_options
from socorro_processor.crashqueue.rabbitmq.prefetch import LONGEST_WAIT, Held, Prefetch
from socorro_processor.crashqueue.rabbitmq.publisher import Publisher
from socorro_processor.crashqueue.rabbitmq.queues import BrokerQueues, broker_queue_options
from socorro_processor.crashqueue.rabbitmq.set_aside import SetAsideReader
from socorro_processor.errors import CrashQueueError
from socorro_processor.monitoring.metrics import METRICS

UNTOLD_DELAY = 5.0
"""Seconds until a crash that could not be set aside is taken again."""

LOOKS_INTO_A_DELAY = 20
"""The number of crashes with the same delay that are examined to find one to try early."""

logger = logging.getLogger(__name__)


class RabbitMQCrashQueue(CrashQueueBase):
    """Queues in RabbitMQ (3.10 or later), for any number of processes. The module ``queues`` lists them.

    Bodies are crash ids, and may be any bytes. Within a process, an id that is submitted twice is processed twice, one
    after the other; one that is submitted more often, at least twice. Two processes may have the same id at once.

    The broker counts deliveries, but does not know which crashes of a dead processor had begun. A first death counts
    for none of them. A crash that has seen two deaths, or was given back twice, goes to the suspects and is processed
    alone; from then on each delivery that is not acknowledged counts as an attempt. Classic queues do not count
    deliveries.

    ``retry``, ``park`` and ``reject`` publish a message to another queue, and then acknowledge the old one. If they
    cannot publish, the crash stays with this process, which delivers it again.

    ``depths`` counts what waits at the broker and what this process has, not what others have taken: ``in_flight`` asks
    them. ``purge`` leaves what others have taken, and suspects. The broker does not tell how old its messages are:
    ``oldest`` is the age of the oldest message that this process has, as these were the first of their queue, if all
    of them tell when they were submitted (in their header, or in the property ``timestamp``). What ``set_aside`` reads
    is given back by ``close``; until then no other process can read it.

    ``new_crashes`` waits up to ``idle_delay`` seconds before each None. Not to be used across ``os.fork``.
    ``longest_wait`` is for tests.
    """

    required_config = Namespace()
    required_config.update(connection_options())
    required_config.update(broker_queue_options())
    required_config.update(delivery_options())
    required_config.add_option(
        "prefetch",
        default="8",
        doc="number of crashes to fetch from each queue ahead of those in work",
        from_string_converter=WholeNumber(1),
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
        self._consumer.counter.count(self._queues.arguments, "create the queues")

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
            # close() has given back what was taken while it ran.
            if not self._closing.is_set():
                yield delivery

    def begin(self, delivery: Delivery) -> None:
        message = _message_of(delivery)
        message.begun = True
        if not self._prefetch.can_be_settled(message):
            self._prefetch.begin_settling(message)
            raise CrashQueueError(
                f"cannot begin {delivery.crash_id[:60]!r}: its connection was lost; the crash comes again"
            )

    def ack(self, delivery: Delivery) -> None:
        message = _message_of(delivery)
        if self._prefetch.begin_settling(message):
            self._settle(message)

    def retry(self, delivery: Delivery, reason: str, *, transient: bool, history: History | None = None) -> None:
        message = _message_of(delivery)
        if not self._prefetch.begin_settling(message):
            return
        message.history = history or message.history
        delay = delay_after(message.retries, self._queues.delays)
        logger.debug("%.60r will be tried again in %g s: %s", delivery.crash_id, delay, reason)
        message.attempts += not transient
        message.retries += 1
        message.reason = short_reason(reason)
        target = self._queues.suspect if message.suspect else self._queues.origins[message.queue]
        headers = message.headers() | {TRANSIENT: transient}
        try:
            self._publisher.publish(
                self._queues.delayed(target, delay), message.body, headers, f"retry {delivery.crash_id[:60]!r}"
            )
        except CrashQueueError as error:
            logger.warning("%s; this processor tries it again itself", error)
            self._prefetch.wait_again(message, delay)
        else:
            self._settle(message)
            self._whereabouts.put_off(message, delay)

    def probe(self) -> None:
        at_fault: list[Message] = []
        for message in self._take_delayed("try a delayed crash"):
            if message.transient:
                self._prefetch.put_first(message)
                break
            at_fault.append(message)
        for message in at_fault:
            self._consumer.give_back(message)

    def park(self, delivery: Delivery, reason: str) -> None:
        self._set_aside(delivery, "parked", reason)

    def reject(self, delivery: Delivery, reason: str) -> None:
        self._set_aside(delivery, "rejected", reason)

    def release(self, delivery: Delivery) -> None:
        message = _message_of(delivery)
        if not self._prefetch.begin_settling(message):
            return
        if message.suspect:
            # Giving it back would count as an attempt: publish a copy instead.
            try:
                self._publisher.publish(self._queues.suspect, message.body, message.headers(), "release a suspect")
            except CrashQueueError as error:
                logger.warning("%s; giving it back, which counts as an attempt", error)
            else:
                self._settle(message)
                return
        self._consumer.give_back(message)
        self._prefetch.end_settling(message)

    def submit(self, crash_id: str, queue: QueueName = "normal", work: str = "") -> None:
        for _ in self.submit_all([crash_id], queue, work):
            pass

    def submit_all(self, crash_ids: Iterable[str], queue: QueueName = "normal", work: str = "") -> Iterator[str]:
        headers = headers_of_submission(work)
        # The broker confirms a message once it is on disk. Many at once take no longer than one.
        unconfirmed: deque[tuple[str, Future[None]]] = deque()
        for crash_id in crash_ids:
            check_queue(queue, crash_id)
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
            return sum(counts[name] for name in self._queues.all_delayed(target))

        held = self._prefetch.messages()
        queues = {
            queue: _depth(counts[name], delayed_for(name), [each for each in held if each.message.queue == queue])
            for queue, name in self._queues.origins.items()
        }
        aside = {
            state: counts[self._queues.set_aside[state]] + reader.number_read for state, reader in self._readers.items()
        }
        return Depths(
            queues,
            parked=aside["parked"],
            rejected=aside["rejected"],
            suspect=counts[self._queues.suspect] + delayed_for(self._queues.suspect),
        )

    def in_flight(self, *, ids: bool = False) -> InFlight:
        return ask_in_flight(self._consumer, self._publisher, self.config.timeout, ids=ids)

    def note_pause(self, reason: str) -> None:
        self._whereabouts.pause = reason

    def set_aside(self, state: SetAsideState) -> Iterator[SetAsideCrash]:
        return self._readers[state].read()

    def requeue(self, crash: SetAsideCrash) -> bool:
        return self._move(crash, self._queues.origins[crash.queue], headers_of_submission(crash.work), "requeue")

    def reject_parked(self, crash: SetAsideCrash) -> bool:
        drops_oldest = self._has_no_room_for_rejected()
        rejected = replace(crash, state="rejected").cut()
        moved = self._move(crash, self._queues.set_aside["rejected"], set_aside_headers(rejected), "reject")
        if moved and drops_oldest:
            METRICS.increment("queue.rejected_dropped")
        return moved

    def _move(self, crash: SetAsideCrash, to: str, headers: Headers, verb: str) -> bool:
        """Move a crash that was set aside into another queue of the broker; return False if it is not there."""
        reader = self._readers[crash.state]
        message = reader.take_out(crash)
        if message is None:
            return False
        try:
            self._publisher.publish(to, message.body, message.carried | headers, f"{verb} {crash.crash_id[:60]!r}")
        except CrashQueueError:
            reader.put_back(message)
            raise
        reader.remove(message)
        return True

    def purge(self, name: QueueName | SetAsideState) -> int:
        if name == "parked" or name == "rejected":
            names = [self._queues.set_aside[name]]
        else:
            origin = self._queues.origins[name]
            # The origin comes last: crashes that become due meanwhile are there.
            names = [*self._queues.all_delayed(origin), origin]
        return self._consumer.counter.purge(names, f"purge {name}")

    def tell_outcomes(self, outcomes: Outcomes) -> None:
        self._consumer.outcomes.tell(outcomes)

    def take_outcomes(self) -> list[Outcomes]:
        return self._consumer.outcomes.take()

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
            # Other crashes, if any wait, get as much time as the suspect took.
            now = time.monotonic()
            self._no_suspect_before = now + (now - self._suspect_since)
            self._suspect = None
        if self._consumer.has_suspects and self._may_take_a_suspect():
            if not self._prefetch.has_work:
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
        return time.monotonic() >= self._no_suspect_before or not any(map(self._prefetch.count_ready, QUEUES))

    def _take_delayed(self, doing: str) -> Iterator[Message]:
        """Take the first crashes of each delay, one after the other, from the shortest delay to the longest."""
        delayed = {
            self._queues.delayed(name, delay): queue
            for delay in self._queues.delays
            for queue, name in self._queues.origins.items()
        }
        counts = self._consumer.counter.count(delayed, doing)
        for name, queue in delayed.items():
            for _ in range(min(counts[name], LOOKS_INTO_A_DELAY)):
                message = self._consumer.take_first(name, queue, doing)
                if message is None:
                    break
                yield message

    def _next_suspect(self) -> Message | None:
        try:
            message = self._consumer.next_suspect()
        except CrashQueueError as error:
            logger.debug("%s", error)
            return None
        if message is not None:
            self._prefetch.note_suspect(message)
            self._suspect, self._suspect_since = message, time.monotonic()
        return message

    def _confirmed(self, crash_id: str, submission: Future[None]) -> str:
        self._publisher.wait(submission, f"submit {crash_id[:60]!r}")
        return crash_id

    def _set_aside(self, delivery: Delivery, state: SetAsideState, reason: str) -> None:
        message = _message_of(delivery)
        if not self._prefetch.begin_settling(message):
            return
        drops_oldest = state == "rejected" and self._has_no_room_for_rejected()
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
        if drops_oldest:
            METRICS.increment("queue.rejected_dropped")
        self._settle(message)

    def _has_no_room_for_rejected(self) -> bool:
        """Return True if the next rejected crash makes the broker drop the oldest, which it does without notice."""
        name = self._queues.set_aside["rejected"]
        try:
            counts = self._consumer.counter.count([name], "count the rejected crashes")
        except CrashQueueError as error:
            logger.debug("%s", error)
            return False
        return counts[name] >= int(self.config.maximum_rejected)

    def _answer(self, ids: bool, consumers: Numbers) -> Answer:
        return self._whereabouts.answer(self._consumer.moving, consumers, ids=ids)

    def _settle(self, message: Message) -> None:
        self._whereabouts.forget(message)
        self._consumer.ack(message)
        self._prefetch.end_settling(message)


def _depth(waiting: int, delayed: int, held: list[Held]) -> Depth:
    """Return the depth of a queue: ``waiting`` and ``delayed`` crashes are at the broker, ``held`` are here."""
    submitted = [each.message.submitted for each in held]
    known = [each for each in submitted if each is not None]
    oldest = None
    if not held and not waiting and not delayed:
        oldest = 0.0
    elif held and len(known) == len(held):
        oldest = age_of(min(known))
    return Depth(
        waiting=waiting + sum(not each.is_in_work and not each.due_in for each in held),
        delayed=delayed + sum(not each.is_in_work and bool(each.due_in) for each in held),
        in_flight=sum(each.is_in_work for each in held),
        oldest=oldest,
    )


def _message_of(delivery: Delivery) -> Message:
    return cast(Message, delivery.tag)
