"""The embedded queue against a model of it, over any history of processors, deaths and time."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from socorro_processor.crashqueue.base import QUEUES, CrashQueueBase, Delivery, KeptCrash, KeptState, QueueName
from tests.unit.crashqueue.machine import Machine, Processor

IDS = ["one", "two", "three"]
KEPT: tuple[KeptState, ...] = ("parked", "rejected")
DELAYS = [1.0, 5.0, 15.0, 30.0, 60.0]
LEASE_TIME = 60.0
DEATH_NOTICED = 1.1


@dataclass(eq=False)
class ModelCrash:
    crash_id: str
    queue: QueueName
    attempts: int = 0
    retries: int = 0
    deaths: int = 0
    due: float = 0.0
    owner: Processor | None = None
    delivery: Delivery | None = None
    begun: bool = False
    transient: bool = False

    def give_back(self) -> None:
        self.owner = self.delivery = None
        self.begun = False

    def survive_its_processor(self) -> None:
        self.attempts += self.begun
        self.deaths += self.begun
        self.give_back()


class SQLiteCrashQueueModel(RuleBasedStateMachine):
    """Each rule does something to the real queue and to the model, and compares what they say."""

    deliveries = Bundle("deliveries")

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.machine = Machine(Path(self.directory.name) / "queue.sqlite")
        self.crashes: list[ModelCrash] = []
        self.kept: list[tuple[str, QueueName, str, int]] = []
        self.untried: Counter[tuple[Processor, QueueName]] = Counter()

    @initialize()
    def boot(self) -> None:
        self.processors = [self.machine.start(lease_time=LEASE_TIME) for _ in range(2)]

    def teardown(self) -> None:
        self.machine.close()
        self.directory.cleanup()

    def held(self, delivery: Delivery) -> tuple[ModelCrash, CrashQueueBase] | None:
        """What is in flight by this delivery, and where; None where its processor is no more."""
        for crash in self.crashes:
            if crash.owner and crash.delivery is delivery:
                return crash, crash.owner.queue
        return None

    @rule(crash_id=st.sampled_from(IDS), queue=st.sampled_from(QUEUES))
    def submit(self, crash_id: str, queue: QueueName) -> None:
        self.processors[0].queue.submit(crash_id, queue)
        self.crashes.append(ModelCrash(crash_id, queue))

    @rule(target=deliveries, index=st.integers(0, 1))
    def take(self, index: int) -> Delivery | MultipleResults[Delivery]:
        processor = self.processors[index]
        delivery = processor.take()
        mine = [crash for crash in self.crashes if crash.owner is processor]
        reserved = [crash for crash in mine if crash.delivery is None]
        if delivery is None:
            self.check_that_nothing_could_be_taken(processor, mine, reserved)
            return multiple()
        assert not any(crash.delivery and crash.delivery.alone for crash in mine), "not left alone"
        if reserved:
            (crash,) = reserved
            assert mine == reserved, "delivered although others are in flight"
        else:
            crash = self.head(processor, delivery.queue)
            self.count(processor, crash)
        assert replace(delivery, tag=None) == Delivery(
            crash.crash_id, crash.queue, crash.attempts + 1, crash.retries, crash.deaths >= 2
        )
        assert not delivery.alone or mine in ([], [crash])
        crash.owner, crash.delivery = processor, delivery
        return delivery

    @rule(target=deliveries, index=st.integers(0, 1))
    def take_and_begin_all(self, index: int) -> MultipleResults[Delivery]:
        taken: list[Delivery] = []
        while isinstance(delivery := self.take(index), Delivery):
            self.begin(delivery)
            taken.append(delivery)
        return multiple(*taken)

    def check_that_nothing_could_be_taken(
        self, processor: Processor, mine: list[ModelCrash], reserved: list[ModelCrash]
    ) -> None:
        if any(crash.delivery and crash.delivery.alone for crash in mine):
            return
        if reserved:
            assert len(mine) > 1, "the suspect could run"
            return
        suspects = [crash for crash in self.heads(processor) if crash.deaths >= 2]
        if suspects and mine:
            # It has put one of them aside until the others have ended. Which one it is, the file says.
            aside = self.put_aside(processor)
            (crash,) = [crash for crash in suspects if crash.queue == aside]
            crash.owner = processor
            self.count(processor, crash)
            return
        assert not self.ready(), "a crash that could be taken was not"

    def put_aside(self, processor: Processor) -> QueueName:
        depths = processor.queue.depths().queues
        (queue,) = [
            queue
            for queue in QUEUES
            if depths[queue].in_flight > len([crash for crash in self.crashes if crash.owner and crash.queue == queue])
        ]
        return queue

    def ready(self) -> list[ModelCrash]:
        """What may be taken: those not tried yet, then the others, the one that was due first."""
        busy = {crash.crash_id for crash in self.crashes if crash.owner}
        ready = [
            crash
            for crash in self.crashes
            if not crash.owner and crash.due <= self.machine.uptime and crash.crash_id not in busy
        ]
        return sorted(ready, key=lambda crash: (crash.retries > 0, crash.due))

    def head(self, processor: Processor, queue: QueueName) -> ModelCrash:
        """What this processor takes next from this queue, which is not empty."""
        ready = [crash for crash in self.ready() if crash.queue == queue]
        retried = [crash for crash in ready if crash.retries]
        return retried[0] if retried and self.untried[processor, queue] >= 3 else ready[0]

    def heads(self, processor: Processor) -> list[ModelCrash]:
        return [self.head(processor, queue) for queue in {crash.queue for crash in self.ready()}]

    def count(self, processor: Processor, crash: ModelCrash) -> None:
        """How many untried ones of its queue this processor took in a row."""
        place = processor, crash.queue
        self.untried[place] = 0 if crash.retries else self.untried[place] + 1

    @rule(delivery=deliveries)
    def begin(self, delivery: Delivery) -> None:
        if held := self.held(delivery):
            crash, queue = held
            queue.begin(delivery)
            crash.begun = True

    @rule(delivery=consumes(deliveries), ending=st.sampled_from(["ack", "release", "own failure", "transient", *KEPT]))
    def end(self, delivery: Delivery, ending: str) -> None:
        held = self.held(delivery)
        if held is None:
            return
        crash, queue = held
        if ending == "ack":
            queue.ack(delivery)
            self.crashes.remove(crash)
        elif ending == "release":
            queue.release(delivery)
            crash.give_back()
        elif ending in KEPT:
            (queue.park if ending == "parked" else queue.reject)(delivery, "the reason")
            self.kept.append((crash.crash_id, crash.queue, ending, crash.attempts + crash.begun))
            self.crashes.remove(crash)
        else:
            queue.retry(delivery, "the reason", transient=ending == "transient")
            crash.due = self.machine.uptime + DELAYS[min(crash.retries, len(DELAYS) - 1)]
            crash.attempts += ending == "own failure"
            crash.transient = ending == "transient"
            crash.retries += 1
            crash.give_back()

    @rule(index=st.integers(0, 1))
    def hasten(self, index: int) -> None:
        self.processors[index].queue.hasten()
        busy = {crash.crash_id for crash in self.crashes if crash.owner}
        delayed = [
            crash
            for crash in self.crashes
            if not crash.owner and crash.due > self.machine.uptime and crash.transient and crash.crash_id not in busy
        ]
        if delayed:
            min(delayed, key=lambda crash: crash.due).due = self.machine.uptime

    @rule(state=st.sampled_from(KEPT))
    def requeue_the_oldest(self, state: KeptState) -> None:
        crash = next(self.processors[0].queue.kept(state), None)
        if crash:
            assert self.processors[0].queue.requeue(crash)
            self.kept.remove(as_modelled(crash))
            self.crashes.append(ModelCrash(crash.crash_id, crash.queue))

    @rule(seconds=st.sampled_from([0.0, 0.9, 5.0, 20.0, 61.0]))
    def wait_while_all_are_well(self, seconds: float) -> None:
        for _ in range(4):
            self.machine.wait(seconds / 4)
            for processor in self.processors:
                processor.beat()

    @rule(days=st.integers(-400, 400))
    def set_the_clock_on_the_wall(self, days: int) -> None:
        self.machine.set_wall_clock(days)

    @rule(index=st.integers(0, 1))
    def kill(self, index: int) -> None:
        self.replace_processor(index, self.processors[index].die)
        for crash in self.crashes:
            if crash.owner not in (None, *self.processors):
                crash.survive_its_processor()

    @rule(index=st.integers(0, 1))
    def make_suspects(self, index: int) -> None:
        for _ in range(2):
            self.take_and_begin_all(index)
            self.kill(index)

    @rule(index=st.integers(0, 1))
    def close(self, index: int) -> None:
        self.replace_processor(index, self.processors[index].queue.close)
        for crash in self.crashes:
            if crash.owner not in (None, *self.processors):
                crash.give_back()

    def replace_processor(self, index: int, end: Callable[[], None]) -> None:
        end()
        self.processors[index] = self.machine.start(lease_time=LEASE_TIME)
        self.machine.wait(DEATH_NOTICED)

    @rule()
    def reboot(self) -> None:
        self.machine.reboot()
        self.boot()
        for crash in self.crashes:
            crash.due = 0.0
            if crash.owner:
                crash.survive_its_processor()

    @invariant()
    def nothing_is_lost(self) -> None:
        depths = self.processors[0].queue.depths()
        for queue, depth in depths.queues.items():
            expected = [crash for crash in self.crashes if crash.queue == queue]
            assert depth.waiting + depth.delayed + depth.in_flight == len(expected)
        assert sorted(self.kept) == sorted(
            as_modelled(crash) for state in KEPT for crash in self.processors[0].queue.kept(state)
        )

    @invariant()
    def no_id_is_in_flight_twice(self) -> None:
        busy = [crash.crash_id for crash in self.crashes if crash.owner]
        assert len(busy) == len(set(busy))


def as_modelled(crash: KeptCrash) -> tuple[str, QueueName, str, int]:
    return crash.crash_id, crash.queue, crash.state, crash.attempts


TestSQLiteCrashQueue = SQLiteCrashQueueModel.TestCase
TestSQLiteCrashQueue.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
