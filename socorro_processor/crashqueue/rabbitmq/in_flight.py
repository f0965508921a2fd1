"""Crashes in flight on RabbitMQ: those of this processor, and those that all processors report when asked."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter

from socorro_processor.crashqueue.base import (
    LONGEST_PENDING_ID,
    MOST_PENDING,
    QUEUES,
    InFlight,
    PendingCrash,
    QueueName,
    this_process,
)
from socorro_processor.crashqueue.rabbitmq.answers import (
    MOST_CRASHES,
    Answer,
    CrashHeld,
    Numbers,
)
from socorro_processor.crashqueue.rabbitmq.consumer import Consumer
from socorro_processor.crashqueue.rabbitmq.messages import Message
from socorro_processor.crashqueue.rabbitmq.prefetch import Prefetch
from socorro_processor.crashqueue.rabbitmq.publisher import Publisher
from socorro_processor.crashqueue.rabbitmq.questions import ask_processors, silent_consumers


@dataclass(frozen=True)
class _PutOff:
    queue: QueueName
    since: float
    due: float
    reason: str


class Whereabouts:
    """Where the crashes of this processor are. May be used from any thread.

    The broker does not tell which crashes are delayed: the processor that delayed a crash remembers it until it is due.
    """

    def __init__(self, prefetch: Prefetch, clock: Callable[[], float] = time.monotonic) -> None:
        self.pause = ""
        self._prefetch = prefetch
        self._clock = clock
        self._responder_id = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._put_off: OrderedDict[str, _PutOff] = OrderedDict()

    def put_off(self, message: Message, delay: float) -> None:
        """Note that a crash waits at the broker for its next attempt."""
        with self._lock:
            now = self._clock()
            crash_id = message.crash_id[:LONGEST_PENDING_ID]
            self._put_off[crash_id] = _PutOff(message.queue, now, now + delay, message.reason)
            self._put_off.move_to_end(crash_id)
            while len(self._put_off) > MOST_CRASHES:
                self._put_off.popitem(last=False)

    def forget(self, message: Message) -> None:
        """Note that a delayed crash was taken early, and has ended."""
        with self._lock:
            self._put_off.pop(message.crash_id[:LONGEST_PENDING_ID], None)

    def answer(self, moving: Iterable[Message], consumers: Numbers, *, ids: bool) -> Answer:
        """Return all that is not yet acknowledged here; ``moving``: messages that have left the prefetch."""
        in_work: Counter[QueueName] = Counter()
        prefetched: Counter[QueueName] = Counter()
        crashes: list[CrashHeld] = []
        for message, is_in_work, age, due_in in self._prefetch.messages():
            (in_work if is_in_work else prefetched)[message.queue] += 1
            crashes.append(
                CrashHeld(
                    message.crash_id[:LONGEST_PENDING_ID],
                    message.queue,
                    ("in work" if message.begun else "taken") if is_in_work else "prefetched",
                    age,
                    due_in or None,
                    message.reason,
                )
            )
        for message in moving:
            prefetched[message.queue] += 1
            crashes.append(
                CrashHeld(message.crash_id[:LONGEST_PENDING_ID], message.queue, "prefetched", reason=message.reason)
            )
        if ids:
            crashes += self._delayed({crash.crash_id for crash in crashes})
        return Answer(
            self._responder_id,
            this_process(),
            consumers,
            in_work,
            prefetched,
            self.pause,
            tuple(crashes) if ids else (),
        )

    def _delayed(self, here: set[str]) -> list[CrashHeld]:
        """Return the delayed crashes that are neither ``here`` again nor due."""
        with self._lock:
            now = self._clock()
            for crash_id in [each for each, crash in self._put_off.items() if crash.due <= now or each in here]:
                del self._put_off[crash_id]
            return [
                CrashHeld(crash_id, crash.queue, "delayed", now - crash.since, crash.due - now, crash.reason)
                for crash_id, crash in self._put_off.items()
            ]


def ask_in_flight(consumer: Consumer, publisher: Publisher, timeout: float, *, ids: bool) -> InFlight:
    """Ask all processors what they have. Raises CrashQueueError."""
    queues = consumer.queues
    counted = consumer.counter.count(queues.origins.values(), "count the consumers", consumers=True)
    consumers = {queue: counted[name] for queue, name in queues.origins.items()}
    answers: list[Answer] = []
    failure = ""
    if any(consumers.values()):
        answers, failure = ask_processors(
            consumer.connection, queues.status, publisher, timeout, ids=ids, consumers=consumers
        )
    now = datetime.now(UTC)
    crashes = [crash for answer in answers for crash in answer.pending(now)]
    return InFlight(
        in_work={queue: sum(answer.in_work.get(queue, 0) for answer in answers) for queue in QUEUES},
        prefetched={queue: sum(answer.prefetched.get(queue, 0) for answer in answers) for queue in QUEUES},
        silent=silent_consumers(consumers, answers),
        failure=failure,
        processes=tuple(sorted((answer.counts() for answer in answers), key=attrgetter("process"))),
        crashes=tuple(_listed(crashes, _delayed_at_the_broker(consumer) if ids else {})),
    )


def _delayed_at_the_broker(consumer: Consumer) -> Numbers:
    queues = consumer.queues
    suspect = queues.all_delayed(queues.suspect)
    delayed = {queue: queues.all_delayed(name) + suspect for queue, name in queues.origins.items()}
    counts = consumer.counter.count({name for names in delayed.values() for name in names}, "count the delayed crashes")
    return {queue: sum(counts[name] for name in names) for queue, names in delayed.items()}


def _listed(crashes: list[PendingCrash], delayed: Numbers) -> list[PendingCrash]:
    """Return each crash once, those in flight first, and for each queue no more delayed ones than ``delayed``.

    If processors remember more, others have taken and ended some of these: the ones that were due first.
    """
    in_flight = [crash for crash in crashes if crash.state != "delayed"]
    seen = {crash.crash_id for crash in in_flight}
    left = dict(delayed)
    put_off: list[PendingCrash] = []
    for crash in sorted(
        (crash for crash in crashes if crash.state == "delayed" and crash.due), key=attrgetter("due"), reverse=True
    ):
        if crash.crash_id not in seen and left.get(crash.queue, 0) > 0:
            seen.add(crash.crash_id)
            left[crash.queue] -= 1
            put_off.append(crash)
    return (in_flight + put_off[::-1])[:MOST_PENDING]
