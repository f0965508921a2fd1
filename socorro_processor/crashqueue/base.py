"""The interface of every crash queue: crash ids in, deliveries out, and nothing lost between."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from socorro_processor.configuration import DotDict, Namespace, RequiredConfig
from socorro_processor.crashqueue.history import NOTHING, History
from socorro_processor.crashqueue.outcomes import Outcomes

QueueName = Literal["normal", "priority", "reprocessing"]
QUEUES: tuple[QueueName, ...] = ("priority", "normal", "reprocessing")
SetAsideState = Literal["parked", "rejected"]
SET_ASIDE_STATES: tuple[SetAsideState, ...] = ("parked", "rejected")
PendingState = Literal["in work", "taken", "prefetched", "delayed"]
"""In work; taken by a process that has no thread free for it; given to a process ahead of need; in its delay."""

SUBMITTED_AHEAD = 100
"""Crash ids that ``submit_all`` has on their way at once, if the backend can."""

MOST_PENDING = 10_000
"""The largest number of crash ids that ``in_flight`` lists."""

LONGEST_PENDING_ID = 100
"""Characters of a crash id that ``in_flight`` lists, which has 36; a body in its place may be any text."""

LONGEST_DELAY = 60.0
"""Seconds until a crash is tried again, at most."""

LONGEST_REASON = 1_000
LONGEST_REJECTED_BODY = 1_000


@dataclass(frozen=True)
class Delivery:
    """One crash, handed to this process until it says what became of it."""

    crash_id: str
    """As it was submitted: any text."""
    queue: QueueName
    attempt: int = 1
    """1 the first time. Only attempts that the crash itself failed, or that killed the processor, count."""
    retries: int = 0
    """The number of times that it was tried again for any reason: the next delay grows with it."""
    suspect: bool = False
    """It may have killed processors: nothing else may be in flight with it."""
    history: History = NOTHING
    tag: object = None
    """The backend's own."""


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
    """The kind of work, as in its ``History``: it is that again once it is put back."""

    def cut(self) -> SetAsideCrash:
        """Return it with at most 1,000 characters of its reason, and of the body of a rejected one."""
        body, note = self.crash_id, ""
        if self.state == "rejected" and len(body) > LONGEST_REJECTED_BODY:
            note = f" (only the first {LONGEST_REJECTED_BODY} of its {len(body)} characters are kept)"
            body = body[:LONGEST_REJECTED_BODY]
        # A reason may quote a stranger: lone surrogates are no text to a backend.
        reason = self.reason.encode("utf-8", "backslashreplace").decode()
        return replace(self, crash_id=body, reason=reason[: LONGEST_REASON - len(note)] + note)


@dataclass(frozen=True)
class Depth:
    """The numbers of crash ids of one queue that wait, are delayed, and are in flight."""

    waiting: int
    delayed: int
    in_flight: int
    oldest: float | None = field(default=None, compare=False)
    """Seconds since the oldest of them was submitted, 0 where there is none; None where that is not known."""


@dataclass(frozen=True)
class Depths:
    queues: dict[QueueName, Depth]
    parked: int
    rejected: int
    suspect: int = 0
    """Suspects that wait to be processed alone, if the backend has a queue of its own for them."""


@dataclass(frozen=True)
class PendingCrash:
    """A crash id that is in flight or delayed: where it is, since when and why."""

    crash_id: str
    """The beginning of a longer text."""
    queue: QueueName
    state: PendingState
    process: str = ""
    """The process that has it, or has delayed it; empty if that is not known."""
    since: datetime | None = None
    """When this state began; None if that is not known."""
    due: datetime | None = None
    """The end of its delay."""
    reason: str = ""
    """Why it is tried again; empty if it is at its first attempt."""


@dataclass(frozen=True)
class InFlightAt:
    """The numbers of crash ids that one process has."""

    process: str
    """Its host and its pid."""
    in_work: Mapping[QueueName, int]
    prefetched: Mapping[QueueName, int]
    pause: str = ""
    """Why it takes no crash at this time; empty if it takes them."""


@dataclass(frozen=True)
class InFlight:
    """The numbers of crash ids that all processes have, as far as that is known."""

    in_work: Mapping[QueueName, int]
    """In work or taken."""
    prefetched: Mapping[QueueName, int] | None = None
    """None if the backend gives out nothing ahead of need."""
    silent: Mapping[QueueName, int] = field(default_factory=dict)
    """Consumers that did not say what they have: if there are any, the numbers above may be too small."""
    failure: str = ""
    """Why processors could not be asked."""
    processes: tuple[InFlightAt, ...] = ()
    crashes: tuple[PendingCrash, ...] = ()
    """The crashes whose ids are known, if ids were asked for."""


def parse_delays(text: str) -> tuple[float, ...]:
    """Read delays like ``1, 5, 15``: seconds, growing, at most 60. Raises ValueError."""
    try:
        delays = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"retry_delays {text!r}: seconds with commas between are expected, e.g. '1, 5, 15'") from None
    if list(delays) != sorted(delays) or not 0 < delays[0] <= delays[-1] <= LONGEST_DELAY:
        raise ValueError(f"retry_delays {text!r}: each must be at least the one before, over 0 and up to 60 s")
    return delays


def reason_of(text: str, longest: int = LONGEST_REASON) -> str:
    """Return a reason as a backend keeps it: it may quote a stranger, of any length and with lone surrogates."""
    return text[:longest].encode("utf-8", "backslashreplace").decode()


def this_process() -> str:
    """Return the name of this process, for those who look at the queue."""
    return f"{socket.gethostname()}, pid {os.getpid()}"


class CrashQueueBase(RequiredConfig):
    """Three queues of crash ids. A crash leaves its queue only by ``ack``, ``park`` or ``reject``.

    Delivery is at least once: what a process that died had taken is delivered again. Every method
    may be called from any thread, but ``new_crashes`` is for one thread at a time. A backend that
    cannot be reached makes ``submit``, ``probe``, ``depths``, ``in_flight``, ``set_aside``, ``requeue`` and ``purge``
    raise CrashQueueError; ``new_crashes`` goes on until it can be reached again, and what was delivered meanwhile
    comes again.

    ``begin``, ``ack``, ``retry``, ``park``, ``reject`` and ``release`` may raise CrashQueueError too. The
    caller then forgets the delivery: the crash comes again. To end a delivery that is not this process's
    any more (ended before, or given to another process meanwhile) changes nothing.
    """

    required_config = Namespace()

    def __init__(self, config: DotDict) -> None:
        self.config = config

    def new_crashes(self) -> Iterator[Delivery | None]:
        """Yield deliveries for ever, in fair order; None when there is none, so that the caller can do
        other things. The same crash id is never in flight twice at once."""
        raise NotImplementedError

    def begin(self, delivery: Delivery) -> None:
        """Note that the attempt begins now: should this process die of it, it counts.

        Raises CrashQueueError if that cannot be written, or if the crash is not this process's any
        more: it must not be processed then, and comes again.
        """

    def ack(self, delivery: Delivery) -> None:
        """Note that every destination has the crash: it leaves the queue."""
        raise NotImplementedError

    def retry(self, delivery: Delivery, reason: str, *, transient: bool, history: History | None = None) -> None:
        """Deliver it again after a delay that grows with each time, up to the longest step (60 s).

        ``transient``: the crash is not at fault, and this does not count as an attempt. ``history``: what it comes with
        the next time; None: what it came with.
        """
        raise NotImplementedError

    def probe(self) -> None:
        """End the delay of one crash: of those that were retried as ``transient``, the one that is due first.

        It is delivered next, to this process, whose caller wants to know whether what was away is back. If no such
        crash is delayed, or a queue cannot do it, nothing happens: the crash comes when its delay is over.
        """

    def park(self, delivery: Delivery, reason: str) -> None:
        """Set aside a crash that is given up, where an operator sees it and can put it back."""
        raise NotImplementedError

    def reject(self, delivery: Delivery, reason: str) -> None:
        """Set aside what is not a crash. Strangers may fill that: the oldest over the limit go."""
        raise NotImplementedError

    def release(self, delivery: Delivery) -> None:
        """Give it back at once, as if it had not been taken."""
        raise NotImplementedError

    def submit(self, crash_id: str, queue: QueueName = "normal", work: str = "") -> None:
        """Queue a crash; return once it is certain not to be lost. Raises CrashQueueError.

        ``work``: the kind of work, as in its ``History``.
        """
        raise NotImplementedError

    def submit_all(self, crash_ids: Iterable[str], queue: QueueName = "normal", work: str = "") -> Iterator[str]:
        """Queue them; yield each, in their order, once it is certain not to be lost.

        Up to SUBMITTED_AHEAD may be on their way meanwhile. If CrashQueueError is raised, the queue may have
        some of those that were not yielded.
        """
        for crash_id in crash_ids:
            self.submit(crash_id, queue, work)
            yield crash_id

    def depths(self) -> Depths:
        """Return how much there is in each queue, at this time."""
        raise NotImplementedError

    def in_flight(self, *, ids: bool = False) -> InFlight:
        """Return what each process has at this time. Other processes may be asked, which takes up to a few seconds.

        ``ids``: with the crash ids that are in flight or delayed, up to MOST_PENDING of them.
        """
        raise NotImplementedError

    def pauses(self, reason: str) -> None:
        """Note why this process takes no crash at this time; an empty reason: it takes them again.

        Shown to those who look into the queue. Called again and again; raises nothing.
        """

    def pending(self, crash_ids: Collection[str]) -> set[str] | None:
        """Return those of them that wait, are delayed or in flight, in whichever process.

        None if the queue cannot tell: a broker cannot be asked for a crash id.
        """
        return None

    def set_aside(self, state: SetAsideState) -> Iterator[SetAsideCrash]:
        """Yield the crashes that were set aside as parked, or as rejected, oldest first."""
        raise NotImplementedError

    def requeue(self, crash: SetAsideCrash) -> bool:
        """Put a crash that was set aside back into the queue it came from, as if it were new.

        Return False if it is not there any more.
        """
        raise NotImplementedError

    def purge(self, name: QueueName | SetAsideState) -> int:
        """Forget the crash ids that wait in a queue or are delayed, or that were set aside; return how many.

        Those in work stay, in whichever process; what is submitted meanwhile may go or stay. After an error some may
        be gone.
        """
        raise NotImplementedError

    def tell(self, outcomes: Outcomes) -> None:
        """Tell all other processors on these queues how crashes ended at this one. Raises nothing; it may get lost."""

    def told(self) -> list[Outcomes]:
        """Return what the others told since the last call; the first time, nothing from before it. Raises nothing."""
        return []

    def setup(self) -> None:
        """Make what the queue needs. Safe to run again."""

    def unavailable(self) -> str:
        """Return why ``new_crashes`` has nothing to give at this time, whatever waits; empty if it has.

        Asked again and again: it tells what is known, and waits for nothing.
        """
        return ""

    def lost(self) -> str:
        """Return why this process can never use the queue again, and what to do; empty if it can.

        Asked as often as ``unavailable``. The processor then ends.
        """
        return ""

    def check(self) -> None:
        """Raise CrashQueueError, which says what to do, if the queue cannot be used at this time."""
        self.depths()

    @classmethod
    def to_look(cls, config: DotDict) -> CrashQueueBase:
        """Return the queue for looking into it: a file that it needs is not made before something is written."""
        return cls(config)

    @classmethod
    def examine(cls, config: DotDict) -> str:
        """Return what will be made once the queue is needed; change nothing.

        Raises CrashQueueError or ConfigurationError if the queue cannot be used at this time. A queue that makes
        something when it is opened does not do so here.
        """
        with closing(cls(config)) as queue:
            queue.check()
        return ""

    def close(self) -> None:
        """Give back what is in flight and release connections."""
