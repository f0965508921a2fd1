"""The messages that this process has: those that wait here to be taken, and those in work.

The broker hands out a few of each queue ahead of need, so that a crash is taken without a way to it
and back. Of these, one is taken at a time, in fair order over the three queues.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from socorro_processor.crashqueue.base import QUEUES, QueueName
from socorro_processor.crashqueue.fair_order import FairOrder
from socorro_processor.crashqueue.rabbitmq.messages import Message

FIRST_DELIVERIES_TIME = 0.25
"""Seconds that a new connection has to bring the first crash of each queue that has any, for a fair order from the
first one on."""

LONGEST_WAIT = 300.0
"""Seconds that a crash waits here to be taken. The broker takes a processor that is silent about one for dead, after
30 minutes, and delivers all again that it has."""


class Prefetch:
    """The messages of this process. May be used from any thread.

    A crash id is in work once at most. Of those that came while it was, one waits for its end; more
    would only do again what that one does: they are superfluous.

    What is in work when its connection is lost stays so until the processor is done with it, though
    the broker hands it out again meanwhile, perhaps to this very process.
    """

    def __init__(
        self, order: FairOrder, longest_wait: float = LONGEST_WAIT, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._order = order
        self._longest_wait = longest_wait
        self._clock = clock
        self._condition = threading.Condition()
        self._session = 0
        self._waiting: dict[QueueName, list[_Waiting]] = {queue: [] for queue in QUEUES}
        self._in_work: dict[str, Message] = {}
        self._superfluous: list[Message] = []
        self._first: Message | None = None
        self._expected: set[QueueName] = set()
        self._expected_until = 0.0
        self.changes = 0
        """Counts what may make a crash ready to be taken."""

    def begin_session(self, session: int, with_work: set[QueueName]) -> None:
        """Note that a connection begins to deliver, soon from each of these queues."""
        with self._condition:
            self._session = session
            self._expected = set(with_work)
            self._expected_until = self._clock() + FIRST_DELIVERIES_TIME

    def end_session(self) -> None:
        """Note that the connection is lost: what came on it is the broker's again."""
        with self._condition:
            self._session = 0
            self._waiting = {queue: [] for queue in QUEUES}
            self._superfluous.clear()

    def add(self, message: Message) -> None:
        """Add one that was delivered."""
        with self._condition:
            self._waiting[message.queue].append(_Waiting(message, self._clock()))
            self._expected.discard(message.queue)
            self._find_superfluous(message.crash_id)
            self._changed()

    def probe(self, message: Message) -> None:
        """Have this one taken next; it need not be one that a consumer was given."""
        with self._condition:
            self._waiting[message.queue].insert(0, _Waiting(message, self._clock()))
            self._first = message
            self._find_superfluous(message.crash_id)
            self._changed()

    def take(self) -> Message | None:
        """Return the next one, now in work; None if none is ready."""
        with self._condition:
            now = self._clock()
            first, self._first = self._first, None
            if first is not None:
                for waiting in self._ready(first.queue, now):
                    if waiting.message is first:
                        return self._begin_work(waiting)
            if self._expected and now < self._expected_until:
                return None
            ready = {queue: self._ready(queue, now) for queue in QUEUES}
            queue = self._order.take({queue: len(messages) for queue, messages in ready.items()})
            if queue is None:
                return None
            return self._begin_work(ready[queue][0])

    def take_suspect(self, message: Message) -> None:
        """Note that this one, which did not wait here, is in work."""
        with self._condition:
            message.since = self._clock()
            self._in_work[message.crash_id] = message

    def superfluous(self) -> list[Message]:
        """Return those that have to be acknowledged without being taken, each once."""
        with self._condition:
            found, self._superfluous = self._superfluous, []
            return found

    def is_mine(self, message: Message) -> bool:
        """Return True if it is in work and not yet acknowledged."""
        with self._condition:
            return not message.is_settling and message.session == self._session

    def begin_settling(self, message: Message) -> bool:
        """Note that its end is about to be told to the broker.

        False if there is nothing to be told: it is not in work any more, then.
        """
        with self._condition:
            if message.is_settling:
                return False
            message.is_settling = True
            if message.session != self._session:
                self._leave_work(message)
                return False
            return True

    def settled(self, message: Message) -> None:
        """Note that its end was told: it is not in work any more."""
        with self._condition:
            self._leave_work(message)

    def wait_again(self, message: Message, seconds: float) -> None:
        """Have it wait here for so long, and then taken again: its end could not be told."""
        with self._condition:
            self._leave_work(message)
            if message.session == self._session:
                message.is_settling = message.begun = False
                now = self._clock()
                self._waiting[message.queue].append(_Waiting(message, now, due=now + seconds))

    def take_away_old(self) -> list[Message]:
        """Remove those that have waited here for too long, and return them."""
        with self._condition:
            before = self._clock() - self._longest_wait
            old = [waiting for queue in QUEUES for waiting in self._waiting[queue] if waiting.since < before]
            for waiting in old:
                self._waiting[waiting.message.queue].remove(waiting)
            return [waiting.message for waiting in old]

    def waiting(self, queue: QueueName) -> int:
        """Return how many wait here to be taken, as soon as there is nothing in work with the same id."""
        with self._condition:
            now = self._clock()
            return sum(waiting.due <= now for waiting in self._waiting[queue])

    def delayed(self, queue: QueueName) -> int:
        with self._condition:
            return len(self._waiting[queue]) - self.waiting(queue)

    def ready(self, queue: QueueName) -> int:
        """Return how many could be taken now."""
        with self._condition:
            return len(self._ready(queue, self._clock()))

    def held(self, queue: QueueName) -> int:
        """Return how many of the queue are not yet acknowledged, without suspects."""
        with self._condition:
            return len(self._waiting[queue]) + self.in_work(queue)

    def submitted(self, queue: QueueName) -> list[int | None]:
        """Return when each that is not yet acknowledged was submitted, suspects too, as in ``Message.submitted``."""
        with self._condition:
            messages = [waiting.message for waiting in self._waiting[queue]]
            messages += [each for each in self._in_work.values() if each.queue == queue]
            return [message.submitted for message in messages if message.session == self._session]

    def in_work(self, queue: QueueName, *, suspect: bool = False) -> int:
        with self._condition:
            return sum(
                message.queue == queue and message.suspect == suspect and message.session == self._session
                for message in self._in_work.values()
            )

    def messages(self) -> list[tuple[Message, bool, float, float]]:
        """Return all that is not yet acknowledged: each with True if it is in work, the seconds for which it is or has
        waited, and the seconds until it may be taken."""
        with self._condition:
            now = self._clock()
            in_work = [
                (message, True, now - message.since, 0.0)
                for message in self._in_work.values()
                if message.session == self._session
            ]
            waiting = [
                (waiting.message, False, now - waiting.since, max(0.0, waiting.due - now))
                for queue in QUEUES
                for waiting in self._waiting[queue]
            ]
        return in_work + waiting

    def has_in_work(self, message: Message) -> bool:
        with self._condition:
            return self._in_work.get(message.crash_id) is message

    @property
    def works(self) -> bool:
        """True if anything is in work, even if its connection was lost."""
        return bool(self._in_work)

    def wake(self) -> None:
        """Note that something else has changed."""
        with self._condition:
            self._changed()

    def wait(self, seen: int, seconds: float) -> None:
        """Wait until ``changes`` is another number than ``seen``, or something comes due, or that time is over."""
        with self._condition:
            now = self._clock()
            dues = [waiting.due for queue in QUEUES for waiting in self._waiting[queue] if waiting.due > now]
            if self._expected and self._expected_until > now:
                dues.append(self._expected_until)
            self._condition.wait_for(lambda: self.changes != seen, min([seconds, *(due - now for due in dues)]))

    def _ready(self, queue: QueueName, now: float) -> list[_Waiting]:
        return [
            waiting
            for waiting in self._waiting[queue]
            if waiting.due <= now and waiting.message.crash_id not in self._in_work
        ]

    def _begin_work(self, waiting: _Waiting) -> Message:
        message = waiting.message
        message.since = self._clock()
        self._waiting[message.queue].remove(waiting)
        self._in_work[message.crash_id] = message
        self._find_superfluous(message.crash_id)
        return message

    def _find_superfluous(self, crash_id: str) -> None:
        if crash_id not in self._in_work:
            return
        twins = [
            waiting for queue in QUEUES for waiting in self._waiting[queue] if waiting.message.crash_id == crash_id
        ]
        # The one in the queue that is served first, and there the one that came first, stays.
        for waiting in twins[1:]:
            self._waiting[waiting.message.queue].remove(waiting)
            self._superfluous.append(waiting.message)

    def _leave_work(self, message: Message) -> None:
        if self._in_work.get(message.crash_id) is message:
            del self._in_work[message.crash_id]
        self._changed()

    def _changed(self) -> None:
        self.changes += 1
        self._condition.notify_all()


class _Waiting:
    """A message, since when it waits here, and until when it may not be taken."""

    def __init__(self, message: Message, since: float, due: float = -math.inf) -> None:
        self.message = message
        self.since = since
        self.due = due
