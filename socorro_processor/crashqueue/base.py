"""What every crash queue does: crash ids in, deliveries out, and nothing lost between."""

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
KeptState = Literal["parked", "rejected"]
KEPT_STATES: tuple[KeptState, ...] = ("parked", "rejected")
PendingState = Literal["in work", "taken", "prefetched", "delayed"]
"""In work; taken by a process, which has no thread free for it; given to a process ahead of need; in its delay."""

SUBMITTED_AHEAD = 100
"""Crash ids that ``submit_all`` has on their way at once, where the backend can."""

MOST_PENDING = 10_000
"""Crash ids that ``in_flight`` lists at most."""

LONGEST_PENDING_ID = 100
"""Characters of a crash id that ``in_flight`` lists, which has 36; a body in its place may be any text."""

LONGEST_REASON = 1_000
LONGEST_REJECTED_BODY = 1_000


@dataclass(frozen=True)
class Delivery:
    """One crash, handed to this process until it says what became of it."""

    crash_id: str
    """As it was submitted: it may be no crash id at all."""
    queue: QueueName
    attempt: int = 1
    """1 the first time. Only attempts that the crash itself failed, or that killed the processor, count."""
    retries: int = 0
    """How often it was tried again for whatever reason: the delay before the next time grows with it."""
    alone: bool = False
    """Nothing else may be in flight with it: it may have killed its processor before."""
    history: History = NOTHING
    tag: object = None
    """The backend's own."""


@dataclass(frozen=True)
class KeptCrash:
    """A crash id that was parked or rejected, where an operator can see it and put it back."""

    crash_id: str
    state: KeptState
    reason: str
    time: datetime
    attempts: int
    queue: QueueName
    work: str = ""
    """The kind of work, as in its ``History``: it is that again once it is put back."""

    def cut(self) -> KeptCrash:
        """What is kept of it: a reason, and the body of a rejected one, up to 1,000 characters of them."""
        body, note = self.crash_id, ""
        if self.state == "rejected" and len(body) > LONGEST_REJECTED_BODY:
            note = f" (only the first {LONGEST_REJECTED_BODY} of its {len(body)} characters are kept)"
            body = body[:LONGEST_REJECTED_BODY]
        # A reason may quote a stranger: lone surrogates are no text to a backend.
        reason = self.reason.encode("utf-8", "backslashreplace").decode()
        return replace(self, crash_id=body, reason=reason[: LONGEST_REASON - len(note)] + note)


@dataclass(frozen=True)
class Depth:
    """How many crash ids of one queue wait, wait for their next attempt, and are being processed."""

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
    """Those that wait to be processed alone, where a backend has a queue of its own for them."""


@dataclass(frozen=True)
class PendingCrash:
    """A crash id that is in flight or delayed: where it is, since when and why."""

    crash_id: str
    """Of a longer text, the beginning."""
    queue: QueueName
    state: PendingState
    process: str = ""
    """Who has it, or has delayed it; empty where that is not known."""
    since: datetime | None = None
    """When this state began, where that is known."""
    due: datetime | None = None
    """Of one in a delay, its end."""
    reason: str = ""
    """Why its latest attempt was none that ended it; empty where it was not tried again."""


@dataclass(frozen=True)
class InFlightAt:
    """How many crash ids one process has."""

    process: str
    """Its host and its pid."""
    in_work: Mapping[QueueName, int]
    prefetched: Mapping[QueueName, int]
    pause: str = ""
    """Why it takes no crash at this time; empty where it takes them."""


@dataclass(frozen=True)
class InFlight:
    """How many crash ids processes have, over all processes, as far as that is known."""

    in_work: Mapping[QueueName, int]
    """In work or taken."""
    prefetched: Mapping[QueueName, int] | None = None
    """None where a backend gives out nothing ahead of need."""
    silent: Mapping[QueueName, int] = field(default_factory=dict)
    """Consumers that did not say what they have: where there are any, the numbers above may be too small."""
    failure: str = ""
    """Why processors could not be asked."""
    processes: tuple[InFlightAt, ...] = ()
    crashes: tuple[PendingCrash, ...] = ()
    """Where they were asked for, those whose ids are known."""


def reason_of(text: str, longest: int = LONGEST_REASON) -> str:
    """Return a reason as a backend keeps it: it may quote a stranger, of any length and with lone surrogates."""
    return text[:longest].encode("utf-8", "backslashreplace").decode()


def this_process() -> str:
    """The name of this process, for those who look at the queue."""
    return f"{socket.gethostname()}, pid {os.getpid()}"


class CrashQueueBase(RequiredConfig):
    """Three queues of crash ids. A crash leaves its queue only by ``ack``, ``park`` or ``reject``.

    Delivery is at least once: what a process that died had taken is delivered again. Every method
    may be called from any thread, but ``new_crashes`` is for one thread at a time. A backend that
    cannot be reached makes ``submit``, ``hasten``, ``depths``, ``in_flight``, ``kept``, ``requeue`` and ``purge``
    raise CrashQueueError; ``new_crashes`` goes on by itself until it can be reached again, and what was delivered
    meanwhile comes again.

    ``begin``, ``ack``, ``retry``, ``park``, ``reject`` and ``release`` may raise CrashQueueError too. The
    caller then forgets the delivery: the crash comes again. Ending a delivery that is this process's
    no more (ended before, or given to another process meanwhile) changes nothing.
    """

    required_config = Namespace()

    def __init__(self, config: DotDict) -> None:
        self.config = config

    def new_crashes(self) -> Iterator[Delivery | None]:
        """Deliveries for ever, in fair order; None when there is none, so that the caller can look
        after other things. The same crash id is never in flight twice at once."""
        raise NotImplementedError

    def begin(self, delivery: Delivery) -> None:
        """The attempt begins now: should this process die of it, it counts.

        Raises CrashQueueError where that cannot be written, or where the crash is this process's
        no more: it is then not to be processed, and comes again.
        """

    def ack(self, delivery: Delivery) -> None:
        """Every destination has the crash."""
        raise NotImplementedError

    def retry(self, delivery: Delivery, reason: str, *, transient: bool, history: History | None = None) -> None:
        """Deliver it again after a delay that grows with each time, up to the longest step (60 s).

        ``transient``: the crash is not at fault, and this does not count as an attempt. ``history``: what it comes with
        the next time; None: what it came with.
        """
        raise NotImplementedError

    def hasten(self) -> None:
        """End the delay of one crash: of those that were retried as ``transient``, the one that is due first.

        It is delivered next, to this process. For a caller that wants to know whether what was away is back. Where
        no such crash is delayed, or where a queue cannot do it, nothing happens: the crash comes when its delay
        is over.
        """

    def park(self, delivery: Delivery, reason: str) -> None:
        """Give up on the crash, but keep it where an operator sees it and can put it back."""
        raise NotImplementedError

    def reject(self, delivery: Delivery, reason: str) -> None:
        """It is no crash. Kept too, but strangers may fill that: the oldest over the limit go."""
        raise NotImplementedError

    def release(self, delivery: Delivery) -> None:
        """Give it back at once, as if it had not been taken."""
        raise NotImplementedError

    def submit(self, crash_id: str, queue: QueueName = "normal", work: str = "") -> None:
        """Queue a crash; returns once it is certain to be kept. Raises CrashQueueError.

        ``work``: the kind of work, as in its ``History``.
        """
        raise NotImplementedError

    def submit_all(self, crash_ids: Iterable[str], queue: QueueName = "normal", work: str = "") -> Iterator[str]:
        """Queue them; gives back each, in their order, once it is certain to be kept.

        Up to SUBMITTED_AHEAD may be on their way meanwhile. Where CrashQueueError is raised, the queue may have
        some of those that were not given back.
        """
        for crash_id in crash_ids:
            self.submit(crash_id, queue, work)
            yield crash_id

    def depths(self) -> Depths:
        """How much there is in each queue, at this time."""
        raise NotImplementedError

    def in_flight(self, *, ids: bool = False) -> InFlight:
        """What each process has at this time. Other processes may be asked, which takes up to a few seconds.

        ``ids``: with the crash ids that are in flight or delayed, up to MOST_PENDING of them.
        """
        raise NotImplementedError

    def pauses(self, reason: str) -> None:
        """This process takes no crash at this time, for this reason, or, where it is empty, takes them again.

        For those who look. Called again and again; raises nothing.
        """

    def pending(self, crash_ids: Collection[str]) -> set[str] | None:
        """Those of them that wait, are delayed or in flight here, in whichever process.

        None where a queue cannot tell: a broker cannot be asked for a crash id.
        """
        return None

    def kept(self, state: KeptState) -> Iterator[KeptCrash]:
        """The parked or the rejected ones, oldest first."""
        raise NotImplementedError

    def requeue(self, crash: KeptCrash) -> bool:
        """Put a parked or rejected crash back into the queue it came from, as if it were new.

        False where it is not kept any more.
        """
        raise NotImplementedError

    def purge(self, name: QueueName | KeptState) -> int:
        """Forget the crash ids that wait in a queue, or for their next attempt, or that are kept in a state; how many.

        Those in work stay, in whichever process, and what is submitted meanwhile may go or stay. After an error some
        may be gone.
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
        """Why ``new_crashes`` has nothing to give at this time, whatever waits; empty where it has.

        Asked again and again, also while it is so: it tells what is known, and waits for nothing.
        """
        return ""

    def lost(self) -> str:
        """Why this process can never use the queue again, and what to do; empty where it can.

        Asked as often as ``unavailable``. Whoever runs a processor ends it.
        """
        return ""

    def check(self) -> None:
        """Raise CrashQueueError where the queue cannot be used at this time, saying what to do."""
        self.depths()

    @classmethod
    def to_look(cls, config: DotDict) -> CrashQueueBase:
        """The queue, for whoever looks into it: a file that it needs is not made before something is written."""
        return cls(config)

    @classmethod
    def examine(cls, config: DotDict) -> str:
        """Look at the queue for whoever sets it up, and change nothing: what is going to be made once it is needed.

        Raises CrashQueueError or ConfigurationError where the queue cannot be used at this time. A queue that makes
        something when it is opened does not do so here.
        """
        with closing(cls(config)) as queue:
            queue.check()
        return ""

    def close(self) -> None:
        """Give back what is in flight and release connections."""
