"""The embedded queue against a model that knows all crashes in flight, and the next one to deliver."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from socorro_processor.crashqueue.base import QUEUES, Delivery, QueueName
from socorro_processor.testing.queue_model import (
    DEATH_NOTICED,
    DELIVERIES_UNTIL_SUSPECT,
    SET_ASIDE,
    CrashQueueModel,
    ModelCrash,
    as_modelled,
)
from socorro_processor.testing.queues import Processor
from tests.unit.crashqueue.machine import Machine

pytestmark = pytest.mark.long

LEASE_TIME = 60.0


class SQLiteCrashQueueModel(CrashQueueModel):
    delays = (1.0, 5.0, 15.0, 30.0, 60.0)
    backend: Machine

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.first: dict[Processor, ModelCrash | None] = {}
        """The crashes that each processor has probed, and takes next."""
        self.untried: Counter[tuple[Processor, QueueName]] = Counter()

    def new_backend(self) -> Machine:
        return Machine(Path(self.directory.name) / "queue.sqlite")

    def new_processor(self) -> Processor:
        return self.backend.start(lease_time=LEASE_TIME)

    def teardown(self) -> None:
        super().teardown()
        self.directory.cleanup()

    def crash_of(self, processor: Processor, delivery: Delivery) -> ModelCrash:
        reserved = [crash for crash in self.at(processor) if crash.delivery is None]
        if reserved:
            (crash,) = reserved
        else:
            (crash,) = [crash for crash in self.heads(processor) if crash.queue == delivery.queue]
            self.first.pop(processor, None)
            self.count(processor, crash)
        assert (crash.crash_id, crash.queue, crash.attempts + 1, crash.retries, is_suspect(crash)) == (
            delivery.crash_id,
            delivery.queue,
            delivery.attempt,
            delivery.retries,
            delivery.suspect,
        )
        return crash

    def nothing_came(self, processor: Processor) -> None:
        mine = self.at(processor)
        if any(crash.delivery and crash.delivery.suspect for crash in mine):
            return
        if any(crash.delivery is None for crash in mine):
            assert len(mine) > 1, "the suspect could run"
            return
        suspects = [crash for crash in self.heads(processor) if is_suspect(crash)]
        self.first.pop(processor, None)
        if suspects and mine:
            # It has set one of them aside until the others have ended. The file says which.
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
        """Return the crashes that may be taken: first those not tried yet, then the others, the first due first."""
        now = self.backend.now()
        busy = {crash.crash_id for crash in self.crashes if crash.owner}
        ready = [crash for crash in self.crashes if not crash.owner and crash.due <= now and crash.crash_id not in busy]
        return sorted(ready, key=lambda crash: (crash.retries > 0, crash.due))

    def head(self, processor: Processor, queue: QueueName) -> ModelCrash:
        """Return the crash that this processor takes next from this queue, which is not empty."""
        ready = [crash for crash in self.ready() if crash.queue == queue]
        retried = [crash for crash in ready if crash.retries]
        return retried[0] if retried and self.untried[processor, queue] >= 3 else ready[0]

    def heads(self, processor: Processor) -> list[ModelCrash]:
        """Return the crashes that this processor may take next, one of each queue: a probed one, then in fair order."""
        if (first := self.first.get(processor)) in self.ready():
            return [first]
        return [self.head(processor, queue) for queue in {crash.queue for crash in self.ready()}]

    def count(self, processor: Processor, crash: ModelCrash) -> None:
        """The number of untried crashes of its queue that this processor took in a row."""
        place = processor, crash.queue
        self.untried[place] = 0 if crash.retries else self.untried[place] + 1

    def probed(self, processor: Processor) -> None:
        now = self.backend.now()
        busy = {crash.crash_id for crash in self.crashes if crash.owner}
        delayed = [
            crash
            for crash in self.crashes
            if not crash.owner and crash.due > now and crash.transient and crash.crash_id not in busy
        ]
        self.first[processor] = first = min(delayed, key=lambda crash: crash.due, default=None)
        if first:
            first.due = now

    def death_is_noticed(self) -> None:
        self.backend.wait(DEATH_NOTICED)

    @rule(seconds=st.sampled_from([0.0, 0.9, 5.0, 20.0, 61.0]))
    def wait_while_all_are_well(self, seconds: float) -> None:
        for _ in range(4):
            self.backend.wait(seconds / 4)
            for processor in self.processors:
                processor.beat()

    @rule(days=st.integers(-400, 400))
    def set_the_clock_on_the_wall(self, days: int) -> None:
        self.backend.set_wall_clock(days)

    @rule()
    def reboot(self) -> None:
        self.backend.reboot()
        self.processors = [self.new_processor() for _ in range(2)]
        for crash in self.crashes:
            crash.due = 0.0
            if crash.owner:
                crash.survive_a_death(crash.begun)

    @invariant()
    def every_crash_is_where_the_model_has_it(self) -> None:
        depths = self.processors[0].queue.depths()
        for queue, depth in depths.queues.items():
            expected = [crash for crash in self.crashes if crash.queue == queue]
            assert depth.waiting + depth.delayed + depth.in_flight == len(expected)
        assert sorted(self.set_aside) == sorted(
            as_modelled(crash) for state in SET_ASIDE for crash in self.processors[0].queue.set_aside(state)
        )

    @invariant()
    def no_id_is_in_flight_twice(self) -> None:
        busy = [crash.crash_id for crash in self.crashes if crash.owner]
        assert len(busy) == len(set(busy))


def is_suspect(crash: ModelCrash) -> bool:
    return crash.unended_least >= DELIVERIES_UNTIL_SUSPECT


TestSQLiteCrashQueue = SQLiteCrashQueueModel.TestCase
TestSQLiteCrashQueue.settings = settings(
    max_examples=100, stateful_step_count=40, suppress_health_check=list(HealthCheck)
)
