"""The interface of every crash queue: crash ids go in, deliveries come out, and nothing is lost between."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from socorro_processor.configuration import DotDict, Namespace, RequiredConfig
from socorro_processor.crashqueue.history import NO_HISTORY, History
from socorro_processor.crashqueue.outcomes import Outcomes
from socorro_processor.errors import CrashQueueError

QueueName = Literal["normal", "priority", "reprocessing"]
QUEUES: tuple[QueueName, ...] = ("priority", "normal", "reprocessing")
SetAsideState = Literal["parked", "rejected"]
SET_ASIDE_STATES: tuple[SetAsideState, ...] = ("parked", "rejected")
PendingState = Literal["in work", "taken", "prefetched", "delayed"]
"""A crash is in work; taken by a process that has no free thread for it; given to a process ahead of need; delayed."""

SUBMITTED_AHEAD = 100
"""The number of crash ids that ``submit_all`` sends before the first is confirmed, if the backend can."""

MOST_PENDING = 10_000
"""The largest number of crash ids that ``in_flight`` lists."""

LONGEST_PENDING_ID = 100
"""The number of characters that ``in_flight`` lists of a crash id. A crash id has 36, but a body may be any text."""

LONGEST_DELAY = 60.0
"""The largest number of seconds until a crash is tried again."""

LONGEST_REASON = 1_000  # characters
LONGEST_REJECTED_BODY = 1_000  # characters

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Delivery:
    """A crash that this process has, until it tells the queue what became of it."""

    crash_id: str
    """The text that was submitted: any text."""
    queue: QueueName
    attempt: int = 1
    """1 the first time. Only attempts that failed through the crash's own fault, or killed the processor, count."""
    retries: int = 0
    """The number of times that it was tried again for any reason: the next delay grows with it."""
    suspect: bool = False
    """True if it may have killed processors: nothing else may be in flight with it."""
    history: History = NO_HISTORY
    tag: object = None
    """For the backend only."""


@dataclass(frozen=True)
class SetAsideCrash:
    """A crash id that was parked or rejected, where an operator can see it and put it back."""

    crash_id: str
    state: SetAsideState
    reason: str
    time: datetime
    attempts: int
    queue: QueueName
    work: str = ""
    """The kind of work, as in its ``History``: the crash keeps it when it is put back."""

    def cut(self) -> SetAsideCrash:
        """Return it with at most 1,000 characters of its reason and, if it was rejected, of its body."""
        body, note = self.crash_id, ""
        if self.state == "rejected" and len(body) > LONGEST_REJECTED_BODY:
            note = f" (only the first {LONGEST_REJECTED_BODY} of its {len(body)} characters are kept)"
            body = body[:LONGEST_REJECTED_BODY]
        return replace(self, crash_id=body, reason=reason_of(self.reason, LONGEST_REASON - len(note)) + note)

    @property
    def microseconds(self) -> int:
        """The time in microseconds since 1970, as backends keep it."""
        return (self.time - EPOCH) // MICROSECOND


@dataclass(frozen=True)
class Depth:
    """The numbers of a queue's crash ids that wait, are delayed, and are in flight."""

    waiting: int
    delayed: int
    in_flight: int
    oldest: float | None = field(default=None, compare=False)
    """Seconds since the oldest of them was submitted; 0 if the queue is empty, None if that is not known."""


@dataclass(frozen=True)
class Depths:
    queues: dict[QueueName, Depth]
    parked: int
    rejected: int
    suspect: int = 0
    """The number of suspects that wait to be processed alone, if the backend has a queue for them."""


@dataclass(frozen=True)
class PendingCrash:
    """A crash id that is in flight or delayed: where it is, since when, and why."""

    crash_id: str
    """If it is longer than LONGEST_PENDING_ID, only its beginning."""
    queue: QueueName
    state: PendingState
    process: str = ""
    """The process that has it, or delayed it; empty if that is not known."""
    since: datetime | None = None
    """When this state began; None if that is not known."""
    due: datetime | None = None
    """When its delay ends."""
    reason: str = ""
    """Why it is tried again; empty if it is at its first attempt."""


@dataclass(frozen=True)
class InFlightAt:
    """The numbers of crash ids that one process has."""

    process: str
    """Its host and pid."""
    in_work: Mapping[QueueName, int]
    """Crashes in work or taken."""
    prefetched: Mapping[QueueName, int]
    pause: str = ""
    """Why it takes no crashes now; empty if it takes them."""


@dataclass(frozen=True)
class InFlight:
    """The numbers of crash ids that all processes have, as far as they are known."""

    in_work: Mapping[QueueName, int]
    """Crashes in work or taken."""
    prefetched: Mapping[QueueName, int] | None = None
    """None if the backend gives out nothing ahead of need."""
    silent: Mapping[QueueName, int] = field(default_factory=dict)
    """Consumers that did not answer: if there are any, the numbers above may be too small."""
    failure: str = ""
    """Why the processors could not be asked."""
    processes: tuple[InFlightAt, ...] = ()
    crashes: tuple[PendingCrash, ...] = ()
    """The crashes whose ids are known, if ids were asked for."""


def delay_after(retries: int, delays: Sequence[float]) -> float:
    """Return the delay, in seconds, of a crash that was tried again ``retries`` times before."""
    return delays[min(retries, len(delays) - 1)]


def check_queue(queue: str, crash_id: str) -> None:
    """Raise CrashQueueError if there is no such queue."""
    if queue not in QUEUES:
        raise CrashQueueError(
            f"cannot submit {crash_id[:60]!r}: {queue!r} is not a queue; there are {', '.join(QUEUES)}"
        )


def reason_of(text: str, longest: int = LONGEST_REASON) -> str:
    """Return a reason as a backend keeps it: the text may quote a stranger, at any length, with lone surrogates."""
    return text[:longest].encode("utf-8", "backslashreplace").decode()[:longest]


def this_process() -> str:
    """Return the name of this process, as the status of the queue shows it."""
    return f"{socket.gethostname()}, pid {os.getpid()}"


class CrashQueueBase(RequiredConfig):
    """Three queues of crash ids. A crash leaves its queue only by ``ack``, ``park`` or ``reject``.

    Delivery is at least once: what a process had taken when it died is delivered again. Every method may be called
    from any thread, but ``new_crashes`` only from one thread at a time. While a backend cannot be reached, ``submit``,
    ``probe``, ``depths``, ``in_flight``, ``set_aside``, ``requeue`` and ``purge`` raise CrashQueueError;
    ``new_crashes`` goes on trying, and crashes that were delivered before come again.

    ``begin``, ``ack``, ``retry``, ``park``, ``reject`` and ``release`` may raise CrashQueueError too. The caller then
    forgets the delivery: the crash comes again. Ending a delivery that this process does not have any more (it has
    ended, or another process has it) changes nothing.
    """

    required_config = Namespace()

    def __init__(self, config: DotDict) -> None:
        self.config = config

    def new_crashes(self) -> Iterator[Delivery | None]:
        """Yield deliveries for ever, in fair order, and None while nothing is ready, so that the caller can do other
        things. A crash id is never in flight twice at once."""
        raise NotImplementedError

    def begin(self, delivery: Delivery) -> None:
        """Note that the attempt begins now: it counts if this process dies of it.

        Raises CrashQueueError if that cannot be noted, or if this process does not have the crash any more. The crash
        must not be processed then: it comes again.
        """

    def ack(self, delivery: Delivery) -> None:
        """Note that every destination has the crash: it leaves the queue."""
        raise NotImplementedError

    def retry(self, delivery: Delivery, reason: str, *, transient: bool, history: History | None = None) -> None:
        """Deliver the crash again after a delay that grows with each retry, up to the last of ``retry_delays``.

        ``transient``: the crash is not at fault, and this does not count as an attempt. ``history``: the history of the
        next delivery; None leaves it as it is.
        """
        raise NotImplementedError

    def probe(self) -> None:
        """End the delay of one of the crashes that were retried as ``transient``.

        It is delivered next, to this process, whose caller wants to know whether a store is back. If no such crash is
        delayed, or the queue cannot do this, nothing happens: crashes come when their delays are over.
        """

    def park(self, delivery: Delivery, reason: str) -> None:
        """Set the crash aside after its last attempt, where an operator sees it and can put it back."""
        raise NotImplementedError

    def reject(self, delivery: Delivery, reason: str) -> None:
        """Set aside what is not a crash. Only the newest are kept, because strangers may submit any number."""
        raise NotImplementedError

    def release(self, delivery: Delivery) -> None:
        """Give the crash back at once, as if it had not been taken."""
        raise NotImplementedError

    def submit(self, crash_id: str, queue: QueueName = "normal", work: str = "") -> None:
        """Queue a crash; return once it is safe from loss. Raises CrashQueueError.

        ``work``: the kind of work, as in its ``History``.
        """
        raise NotImplementedError

    def submit_all(self, crash_ids: Iterable[str], queue: QueueName = "normal", work: str = "") -> Iterator[str]:
        """Queue crashes; yield each, in their order, once it is safe from loss.

        Up to SUBMITTED_AHEAD more may be sent already. If CrashQueueError is raised, the queue may have some of the
        crashes that were not yielded.
        """
        for crash_id in crash_ids:
            self.submit(crash_id, queue, work)
            yield crash_id

    def depths(self) -> Depths:
        """Return the current numbers of crash ids in each queue."""
        raise NotImplementedError

    def in_flight(self, *, ids: bool = False) -> InFlight:
        """Return what each process has now. Asking other processes may take a few seconds.

        ``ids``: also return the crash ids that are in flight or delayed, at most MOST_PENDING.
        """
        raise NotImplementedError

    def note_pause(self, reason: str) -> None:
        """Note why this process takes no crashes now, for the status of the queue; an empty reason ends the pause.

        Called often. Raises nothing.
        """

    def pending(self, crash_ids: Collection[str]) -> set[str] | None:
        """Return the crash ids, among these, that wait, are delayed, or are in flight in any process.

        Return None if the queue cannot tell: a broker cannot be asked for a crash id.
        """
        return None

    def set_aside(self, state: SetAsideState) -> Iterator[SetAsideCrash]:
        """Yield the parked or the rejected crashes, oldest first."""
        raise NotImplementedError

    def requeue(self, crash: SetAsideCrash) -> bool:
        """Put a crash that was set aside back into the queue it came from, as if it were new.

        Return False if it is not there any more.
        """
        raise NotImplementedError

    def reject_parked(self, crash: SetAsideCrash) -> bool:
        """Give a parked crash up: it becomes a rejected one, of which only the newest are kept.

        Return False if it is not there any more. Raises CrashQueueError if the queue cannot do this.
        """
        raise CrashQueueError(f"{type(self).__name__} cannot reject a parked crash: purge the parked ones")

    def purge(self, name: QueueName | SetAsideState) -> int:
        """Forget the crash ids that wait or are delayed in a queue, or that were set aside; return their number.

        Crashes in work stay, in any process; crashes that are submitted meanwhile may go or stay. After an error some
        may be gone.
        """
        raise NotImplementedError

    def tell_outcomes(self, outcomes: Outcomes) -> None:
        """Tell all other processors on these queues how crashes ended in this one. Raises nothing; it may get lost."""

    def take_outcomes(self) -> list[Outcomes]:
        """Return what the others have told since the last call; the first call returns nothing. Raises nothing."""
        return []

    def setup(self) -> None:
        """Create what the queue needs. Safe to run again."""

    def unavailable(self) -> str:
        """Return why ``new_crashes`` can deliver nothing now, whatever waits; empty if it can.

        Called often: it returns what is known, and waits for nothing.
        """
        return ""

    def lost(self) -> str:
        """Return why this process can never use the queue again, and what to do; empty if it can.

        Called as often as ``unavailable``. The processor then ends.
        """
        return ""

    def check(self) -> None:
        """Raise CrashQueueError, which says what to do, if the queue cannot be used now."""
        self.depths()

    @classmethod
    def without_creating(cls, config: DotDict) -> CrashQueueBase:
        """Return the queue, but do not create a file that it needs until something is written."""
        return cls(config)

    @classmethod
    def examine(cls, config: DotDict) -> str:
        """Return what will be created once the queue is needed; change nothing.

        Raises CrashQueueError or ConfigurationError if the queue cannot be used now. A queue that creates something
        when it is opened does not do so here.
        """
        with closing(cls(config)) as queue:
            queue.check()
        return ""

    def close(self) -> None:
        """Give back the crashes in flight and release connections."""
