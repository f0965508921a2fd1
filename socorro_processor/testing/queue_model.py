"""A model of the delivery protocol, which runs beside a real queue over any history of processors and their deaths.

Each rule changes the real queue and the model, and compares them. The order of several crashes is left open; each must
be delivered, with the right number of attempts.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from socorro_processor.crashqueue.base import QUEUES, Delivery, QueueName, SetAsideCrash, SetAsideState
from socorro_processor.testing.queues import Processor, QueueBackend

IDS = ["one", "two", "three"]
SET_ASIDE: tuple[SetAsideState, ...] = ("parked", "rejected")
DEATH_NOTICED = 1.1
"""Seconds."""
LONGEST_DELAY = 60.0
"""Seconds."""
DELIVERIES_UNTIL_SUSPECT = 2
"""Deliveries that have not ended."""

SetAsideAsModelled = tuple[str, QueueName, str, int]
Looks = tuple[str, QueueName, int, int]
"""crash id, queue, attempts, retries"""


@dataclass(eq=False)
class ModelCrash:
    """One submission of a crash id."""

    crash_id: str
    queue: QueueName
    attempts: int = 0
    retries: int = 0
    submitted: int = 0
    unended_least: int = 0
    unended_most: int = 0
    """Bounds of the deliveries that have not ended: only a processor knows what it has prefetched."""
    suspect: bool = False
    """True if it was delivered alone before."""
    due: float = 0.0
    transient: bool = False
    owner: Processor | None = None
    delivery: Delivery | None = None
    taken: int = 0
    begun: bool = False
    superfluous: bool = False
    """True if its twin was begun after this was submitted, and has ended: this one is no longer needed."""

    def looks(self) -> Looks:
        return self.crash_id, self.queue, self.attempts, self.retries

    def give_back(self) -> None:
        self.owner = self.delivery = None
        self.begun = False

    def unended(self, *, surely: bool) -> None:
        self.unended_least += surely
        self.unended_most += 1

    def survive_a_death(self, counts: bool) -> None:
        """Record the death of its processor, which is an attempt if ``counts``."""
        self.attempts += counts
        if counts:
            self.unended(surely=True)
        self.give_back()


class CrashQueueModel(RuleBasedStateMachine):
    """Two processes over one queue. A subclass names the backend, and its properties beyond the contract.

    Draws do not depend on the queue, which differs from run to run on a real server: so there are no bundles.
    """

    delays: ClassVar[tuple[float, ...]]
    counts_every_delivery: ClassVar[bool] = False
    """True if a delivery that had not begun, or was given back, also counts towards being a suspect."""
    leaves_out_twins: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.crashes: list[ModelCrash] = []
        self.set_aside: list[SetAsideAsModelled] = []
        self.may_come_early = 0
        self.probes = False
        self.moved: set[Looks] = set()
        """Crashes that a processor may have been moving to the suspects when it ended: they may be there twice."""
        self.clock = itertools.count(1)

    def new_backend(self) -> QueueBackend:
        raise NotImplementedError

    def new_processor(self) -> Processor:
        return self.backend.start()

    @initialize()
    def start(self) -> None:
        self.backend = self.new_backend()
        self.processors = [self.new_processor() for _ in range(2)]

    def teardown(self) -> None:
        if hasattr(self, "processors"):
            try:
                self.check_that_nothing_is_lost()
            finally:
                self.backend.close()

    def check_that_nothing_is_lost(self) -> None:
        """Check that all remaining crashes come once both processors have ended."""
        for index in range(len(self.processors)):
            self.close(index)
        self.backend.wait(LONGEST_DELAY)
        while crash := self.next_at(0):
            self.end_one(crash, "ack")
        lost = [crash for crash in self.crashes if not crash.superfluous]
        assert lost == []
        assert sorted(self.set_aside) == sorted(
            as_modelled(crash) for state in SET_ASIDE for crash in self.processors[0].queue.set_aside(state)
        )

    def at(self, processor: Processor) -> list[ModelCrash]:
        """Return the crashes that this processor has taken or reserved."""
        return [crash for crash in self.crashes if crash.owner is processor]

    @rule(crash_id=st.sampled_from(IDS), queue=st.sampled_from(QUEUES))
    def submit(self, crash_id: str, queue: QueueName) -> None:
        self.processors[0].queue.submit(crash_id, queue)
        self.crashes.append(ModelCrash(crash_id, queue, submitted=next(self.clock)))

    @rule(index=st.integers(0, 1))
    def take(self, index: int) -> None:
        self.next_at(index)

    @rule(index=st.integers(0, 1))
    def take_and_begin_all(self, index: int) -> None:
        while crash := self.next_at(index):
            self.begin_one(crash)

    def next_at(self, index: int) -> ModelCrash | None:
        processor = self.processors[index]
        delivery = processor.take()
        if delivery is None:
            self.nothing_came(processor)
            return None
        mine = self.at(processor)
        assert not any(crash.delivery and crash.delivery.suspect for crash in mine), "not left alone"
        assert delivery.crash_id not in [crash.crash_id for crash in mine if crash.delivery], "twice at once"
        crash = self.crash_of(processor, delivery)
        assert mine in ([], [crash]) or not delivery.suspect, "delivered although others are in flight"
        crash.owner, crash.delivery, crash.taken = processor, delivery, next(self.clock)
        crash.suspect = delivery.suspect
        return crash

    def nothing_came(self, processor: Processor) -> None:
        """Called if nothing was delivered: other processors may have all that waits."""

    def crash_of(self, processor: Processor, delivery: Delivery) -> ModelCrash:
        """Return the delivered crash: any that looks like it."""
        now = self.backend.now()
        alike = [
            crash
            for crash in self.crashes
            if not crash.owner
            and crash.looks() == looks_of(delivery)
            and (crash.due <= now or (crash.transient and self.may_come_early))
            and self.may_be_suspect(crash, delivery.suspect)
        ]
        if not alike:
            moved = delivery.suspect and looks_of(delivery) in self.moved
            assert moved, f"{delivery} must not come now"
            self.crashes.append(copy := ModelCrash(*looks_of(delivery), suspect=True, superfluous=True))
            return copy
        crash = min(alike, key=lambda crash: crash.due)
        self.may_come_early -= crash.due > now
        # Any of them may have been delivered.
        least = min(crash.unended_least for crash in alike)
        most = max(crash.unended_most for crash in alike)
        for each in alike:
            each.unended_least, each.unended_most = least, most
        return crash

    @staticmethod
    def may_be_suspect(crash: ModelCrash, suspect: bool) -> bool:
        if suspect:
            return crash.suspect or crash.unended_most >= DELIVERIES_UNTIL_SUSPECT
        return not crash.suspect and crash.unended_least < DELIVERIES_UNTIL_SUSPECT

    @rule(which=st.integers(0, 5))
    def begin(self, which: int) -> None:
        for crash in self.in_flight()[which : which + 1]:
            self.begin_one(crash)

    @rule(which=st.integers(0, 5), ending=st.sampled_from(["ack", "release", "own failure", "transient", *SET_ASIDE]))
    def end(self, which: int, ending: str) -> None:
        for crash in self.in_flight()[which : which + 1]:
            self.end_one(crash, ending)

    def in_flight(self) -> list[ModelCrash]:
        return [crash for crash in self.crashes if crash.delivery]

    def begin_one(self, crash: ModelCrash) -> None:
        assert crash.owner
        assert crash.delivery
        crash.owner.queue.begin(crash.delivery)
        crash.begun = True

    def end_one(self, crash: ModelCrash, ending: str) -> None:
        assert crash.owner
        assert crash.delivery
        queue, delivery = crash.owner.queue, crash.delivery
        if ending == "ack":
            queue.ack(delivery)
            self.remove(crash)
        elif ending == "release":
            queue.release(delivery)
            if self.counts_every_delivery and not delivery.suspect:
                self.unended(crash, surely=True)
            crash.give_back()
        elif ending in SET_ASIDE:
            (queue.park if ending == "parked" else queue.reject)(delivery, "the reason")
            self.set_aside.append((crash.crash_id, crash.queue, ending, crash.attempts + crash.begun))
            self.remove(crash)
        else:
            now = self.backend.now()
            queue.retry(delivery, "the reason", transient=ending == "transient")
            crash.due = now + self.delays[min(crash.retries, len(self.delays) - 1)]
            crash.attempts += ending == "own failure"
            crash.transient = ending == "transient"
            crash.retries += 1
            if self.counts_every_delivery:
                crash.unended_least = crash.unended_most = 0
            crash.give_back()

    def remove(self, crash: ModelCrash) -> None:
        self.crashes.remove(crash)
        for other in self.crashes:
            if self.leaves_out_twins and other.crash_id == crash.crash_id and other.submitted < crash.taken:
                other.superfluous = True

    @rule(index=st.integers(0, 1))
    def probe(self, index: int) -> None:
        self.processors[index].queue.probe()
        self.probed(self.processors[index])

    def probed(self, processor: Processor) -> None:
        self.may_come_early += 1
        self.probes = True

    @rule(state=st.sampled_from(SET_ASIDE))
    def requeue_the_oldest(self, state: SetAsideState) -> None:
        crash = next(self.processors[0].queue.set_aside(state), None)
        if crash:
            assert self.processors[0].queue.requeue(crash)
            self.set_aside.remove(as_modelled(crash))
            self.crashes.append(ModelCrash(crash.crash_id, crash.queue, submitted=next(self.clock)))

    @rule(index=st.integers(0, 1))
    def kill(self, index: int) -> None:
        dead = self.processors[index]
        self.replace_processor(index, dead.die)
        self.count_deliveries(dead)
        for crash in self.at(dead):
            crash.survive_a_death(crash.suspect if self.counts_every_delivery else crash.begun)

    def unended(self, crash: ModelCrash, *, surely: bool) -> None:
        crash.unended(surely=surely)
        if crash.transient and self.probes:
            # It may be delayed again, and then deliveries are not counted.
            crash.unended_least = 0

    def count_deliveries(self, ended: Processor) -> None:
        """Count a delivery for every waiting crash, which the ended processor may have prefetched."""
        for crash in self.crashes if self.counts_every_delivery else ():
            if crash.unended_most >= DELIVERIES_UNTIL_SUSPECT and not crash.owner:
                self.moved.add(crash.looks())
            if not crash.suspect:
                self.unended(crash, surely=crash.owner is ended)

    @rule(index=st.integers(0, 1))
    def make_suspects(self, index: int) -> None:
        for _ in range(DELIVERIES_UNTIL_SUSPECT):
            self.take_and_begin_all(index)
            self.kill(index)

    @rule(index=st.integers(0, 1))
    def close(self, index: int) -> None:
        closed = self.processors[index]
        self.replace_processor(index, closed.queue.close)
        self.count_deliveries(closed)
        for crash in self.at(closed):
            crash.give_back()

    def replace_processor(self, index: int, end: Callable[[], None]) -> None:
        end()
        self.processors[index] = self.new_processor()
        self.death_is_noticed()

    def death_is_noticed(self) -> None:
        """Wait until a death is noticed, if that takes a while."""


def looks_of(delivery: Delivery) -> Looks:
    return delivery.crash_id, delivery.queue, delivery.attempt - 1, delivery.retries


def as_modelled(crash: SetAsideCrash) -> SetAsideAsModelled:
    return crash.crash_id, crash.queue, crash.state, crash.attempts
