"""The messages that this process has: those that wait here to be taken, and those in work.

The broker delivers a few of each queue ahead of need, so that taking a crash needs no round trip. They are taken one at
a time, in fair order over the three queues.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from socorro_processor.crashqueue.base import QUEUES, QueueName
from socorro_processor.crashqueue.fair_order import FairOrder
from socorro_processor.crashqueue.rabbitmq.messages import Message

FIRST_DELIVERIES_TIME = 0.25
"""Seconds to wait on a new connection for the first crash of each queue that has any, so that the order is fair from
the start."""

LONGEST_WAIT = 300.0
"""Seconds that a crash may wait here to be taken. If a processor leaves one unacknowledged for 30 minutes, the broker
takes the processor for dead, and delivers all its crashes again."""


class Held(NamedTuple):
    """A message of this process. Times are in seconds."""

    message: Message
    is_in_work: bool
    """False if it waits to be taken, which it cannot be while the same id is in work."""
    age: float
    """The time since its work or its wait began."""
    due_in: float
    """The time until it may be taken."""


class Prefetch:
    """The messages of this process. May be used from any thread.

    A crash id is in work at most once. If it comes again meanwhile, one message waits for the end; more would only
    repeat that one, so they are superfluous.

    A crash stays in work when its connection is lost, although the broker delivers it again, perhaps to this very
    process.
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
        """The number of events so far that may have made a crash ready to be taken."""

    def begin_session(self, session: int, with_work: set[QueueName]) -> None:
        """Note that a connection begins to deliver. ``with_work``: the queues that have something."""
        with self._condition:
            self._session = session
            self._expected = set(with_work)
            self._expected_until = self._clock() + FIRST_DELIVERIES_TIME

    def end_session(self) -> None:
        """Note that the connection is lost: what came on it belongs to the broker again."""
        with self._condition:
            self._session = 0
            self._waiting = {queue: [] for queue in QUEUES}
            self._superfluous.clear()

    def add(self, message: Message) -> None:
        """Add a message that was delivered."""
        with self._condition:
            self._waiting[message.queue].append(_Waiting(message, self._clock()))
            self._expected.discard(message.queue)
            self._find_superfluous(message.crash_id)
            self._note_change()

    def put_first(self, message: Message) -> None:
        """Add a message that is taken next."""
        with self._condition:
            self._waiting[message.queue].insert(0, _Waiting(message, self._clock()))
            self._first = message
            self._find_superfluous(message.crash_id)
            self._note_change()

    def take(self) -> Message | None:
        """Return the next message, now in work; None if no message is ready."""
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

    def note_suspect(self, message: Message) -> None:
        """Note that a suspect, which did not wait here, is in work."""
        with self._condition:
            message.since = self._clock()
            self._in_work[message.crash_id] = message

    def take_superfluous(self) -> list[Message]:
        """Return, each once, the messages to acknowledge without being taken."""
        with self._condition:
            superfluous, self._superfluous = self._superfluous, []
            return superfluous

    def can_be_settled(self, message: Message) -> bool:
        """Return True if the message's end can still be told to the broker."""
        with self._condition:
            return not message.is_settling and message.session == self._session

    def begin_settling(self, message: Message) -> bool:
        """Note that the message's end is about to be told to the broker.

        Return False if there is nothing to tell, or it is already being told.
        """
        with self._condition:
            if message.is_settling:
                return False
            message.is_settling = True
            if message.session != self._session:
                self._leave_work(message)
                return False
            return True

    def end_settling(self, message: Message) -> None:
        """Note that the message's end was told: it is not in work any more."""
        with self._condition:
            self._leave_work(message)

    def wait_again(self, message: Message, seconds: float) -> None:
        """Let a message wait here for ``seconds``, then be taken again, because its end could not be told."""
        with self._condition:
            self._leave_work(message)
            if message.session == self._session:
                message.is_settling = message.begun = False
                now = self._clock()
                self._waiting[message.queue].append(_Waiting(message, now, due=now + seconds))

    def take_away_old(self) -> list[Message]:
        """Remove the messages that have waited here for too long, and return them."""
        with self._condition:
            before = self._clock() - self._longest_wait
            old = [waiting for queue in QUEUES for waiting in self._waiting[queue] if waiting.since < before]
            for waiting in old:
                self._waiting[waiting.message.queue].remove(waiting)
            return [waiting.message for waiting in old]

    def count_ready(self, queue: QueueName) -> int:
        """Return the number of messages that could be taken now."""
        with self._condition:
            return len(self._ready(queue, self._clock()))

    def count_held(self, queue: QueueName) -> int:
        """Return the number of messages of the queue that wait or are in work, without suspects."""
        with self._condition:
            in_work = sum(
                message.queue == queue and not message.suspect and message.session == self._session
                for message in self._in_work.values()
            )
            return len(self._waiting[queue]) + in_work

    def messages(self) -> list[Held]:
        """Return the messages that wait or are in work, suspects too."""
        with self._condition:
            now = self._clock()
            in_work = [
                Held(message, is_in_work=True, age=now - message.since, due_in=0.0)
                for message in self._in_work.values()
                if message.session == self._session
            ]
            waiting = [
                Held(waiting.message, is_in_work=False, age=now - waiting.since, due_in=max(0.0, waiting.due - now))
                for queue in QUEUES
                for waiting in self._waiting[queue]
            ]
        return in_work + waiting

    def has_in_work(self, message: Message) -> bool:
        with self._condition:
            return self._in_work.get(message.crash_id) is message

    @property
    def has_work(self) -> bool:
        """True if anything is in work, even if its connection was lost."""
        with self._condition:
            return bool(self._in_work)

    def wake(self) -> None:
        """Wake all that ``wait``."""
        with self._condition:
            self._note_change()

    def wait(self, seen: int, seconds: float) -> None:
        """Wait until ``changes`` differs from ``seen``, a message comes due, or ``seconds`` have passed."""
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
        # The first to come in the queue that is served first stays.
        for waiting in twins[1:]:
            self._waiting[waiting.message.queue].remove(waiting)
            self._superfluous.append(waiting.message)

    def _leave_work(self, message: Message) -> None:
        if self._in_work.get(message.crash_id) is message:
            del self._in_work[message.crash_id]
        self._note_change()

    def _note_change(self) -> None:
        self.changes += 1
        self._condition.notify_all()


class _Waiting:
    """A message, when it began to wait here, and when it may be taken."""

    def __init__(self, message: Message, since: float, due: float = -math.inf) -> None:
        self.message = message
        self.since = since
        self.due = due
