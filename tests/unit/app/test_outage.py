"""A store is away for an hour: task manager, handler, breaker and queue together, on a clock of ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from socorro_processor.app.breaker import ENOUGH_TRIED, NEW_ONE_EVERY, PAUSES, Breaker
from socorro_processor.app.delivery_handler import DeliveryHandler
from socorro_processor.app.steps import Steps
from socorro_processor.app.task_manager import TaskManager
from socorro_processor.app.temporary_directory import ProcessDirectory
from socorro_processor.app.unsaved import LIFETIME, UnsavedCrashes
from socorro_processor.app.watchdog import Watchdog
from socorro_processor.configuration import class_name, defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.crashstorage.memory import InMemoryCrashStorage
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.errors import CrashStorageError, PermanentStorageError, TransientStorageError
from socorro_processor.health import Health
from socorro_processor.pipeline.processor_pipeline import ProcessorPipeline

CRASHES = 300
HOUR = 3600.0
STEP = 0.25
"""Seconds that pass between two looks of the task manager; a crash takes none."""


class Store(InMemoryCrashStorage):
    """Counts its saves; away while there is an error."""

    def __init__(self, config):
        super().__init__(config)
        self.error: Callable[[str], CrashStorageError | None] = lambda crash_id: None
        self.saves: Counter[str] = Counter()

    def save_raw_and_processed(self, raw_crash, dumps, processed_crash, crash_id):
        if error := self.error(crash_id):
            raise error
        self.saves[crash_id] += 1


class CountingPipeline(ProcessorPipeline):
    def __init__(self):
        super().__init__(defaults(ProcessorPipeline))
        self.runs: Counter[str] = Counter()

    def process_crash(self, crash_id, *arguments, **keywords):
        self.runs[crash_id] += 1
        return super().process_crash(crash_id, *arguments, **keywords)


class Processor:
    """Runs as long as it is told to, by its own clock."""

    def __init__(self, directory: Path) -> None:
        self.now = 1000.0
        self.health = Health()
        self.health.resolved("start")
        self.queue = SQLiteCrashQueue(
            defaults(SQLiteCrashQueue, path=str(directory / "queue"), idle_delay=0.0), clock=self.clock
        )
        self.source = InMemoryCrashStorage(defaults(InMemoryCrashStorage))
        names = ", ".join([class_name(Store)] * 2)
        self.destination = PolyCrashStorage(defaults(PolyCrashStorage, storage_classes=names))
        self.there, self.away = (store for store in self.destination._stores.values() if isinstance(store, Store))
        self.pipeline = CountingPipeline()
        self.directory = ProcessDirectory(str(directory / "temporary"))
        steps = Steps(self.source, self.pipeline, self.destination, self.directory, UnsavedCrashes(self.clock))
        breaker = Breaker(self.health, self.clock)
        handler = DeliveryHandler(self.queue, steps, breaker, Watchdog(900.0), maximum_attempts=5)
        self.new_manager = lambda tick: TaskManager(
            defaults(TaskManager, idle_delay=0.0), self.queue, handler, breaker, tick
        )

    def clock(self) -> float:
        return self.now

    def submit(self) -> str:
        crash_id = new_crash_id()
        self.source.save_raw_crash({"ProductName": "Lightbox"}, {}, crash_id)
        self.queue.submit(crash_id)
        return crash_id

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        end = self.now + seconds

        def tick() -> None:
            self.now += STEP
            if self.now >= end or until():
                manager.stop()

        manager = self.new_manager(tick)
        manager.run()

    def saved(self) -> int:
        return len(self.away.saves)

    def close(self) -> None:
        self.queue.close()
        self.directory.close()


@pytest.fixture
def processor(tmp_path: Path) -> Iterator[Processor]:
    processor = Processor(tmp_path)
    yield processor
    processor.close()


def away(crash_id: str) -> CrashStorageError:
    return TransientStorageError("the service is away")


def outage(processor: Processor, crashes: int = CRASHES) -> list[str]:
    """An hour of it."""
    crash_ids = [processor.submit() for _ in range(crashes)]
    processor.away.error = away
    processor.run(HOUR)
    return crash_ids


def test_while_a_store_is_away_crashes_stay_in_their_queue(processor):
    outage(processor)
    depth = processor.queue.depths().queues["normal"]
    trials = HOUR / PAUSES[-1]
    assert depth.waiting > CRASHES - ENOUGH_TRIED - 2 * trials / NEW_ONE_EVERY
    assert depth.waiting + depth.delayed == CRASHES
    assert "the service is away" in processor.health.problems()["processing"]


def test_while_a_store_is_away_crashes_are_not_processed_again_and_again(processor):
    outage(processor)
    assert max(processor.pipeline.runs.values()) <= HOUR / LIFETIME + 1


def test_within_10_seconds_of_its_return_a_first_crash_is_saved_and_nothing_is_parked(processor):
    crash_ids = outage(processor)
    assert processor.saved() == 0
    processor.away.error = lambda crash_id: None
    processor.run(10.0, until=lambda: processor.saved() > 0)
    assert processor.saved() > 0
    processor.run(120.0, until=lambda: processor.saved() == CRASHES)
    assert set(processor.away.saves) == set(crash_ids)
    depths = processor.queue.depths()
    assert (depths.parked, depths.rejected) == (0, 0)
    assert processor.health.problems() == {}


def test_only_the_store_that_was_away_is_written_again(processor):
    outage(processor)
    processor.away.error = lambda crash_id: None
    kept = [crash_id for crash_id, runs in processor.pipeline.runs.items() if runs == 1]
    processor.run(120.0, until=lambda: processor.saved() == CRASHES)
    # One that was made anew, for its earlier result was too old, goes to all stores again.
    for crash_id, runs in processor.pipeline.runs.items():
        assert processor.there.saves[crash_id] == runs
        assert processor.away.saves[crash_id] == 1
    assert kept


def test_where_all_that_is_left_is_delayed_a_first_crash_is_saved_within_10_seconds_too(processor):
    outage(processor, crashes=3)
    assert processor.queue.depths().queues["normal"].delayed == 3
    processor.away.error = lambda crash_id: None
    processor.run(10.0, until=lambda: processor.saved() > 0)
    assert processor.saved() > 0


def test_crashes_that_always_time_out_do_not_hold_up_those_that_do_not(processor):
    guilty = {processor.submit() for _ in range(2 * ENOUGH_TRIED)}
    processor.away.error = lambda crash_id: away(crash_id) if crash_id in guilty else None
    processor.run(HOUR / 4)
    assert processor.saved() == 0
    processor.submit()
    processor.run((NEW_ONE_EVERY + 1) * PAUSES[-1], until=lambda: processor.saved() > 0)
    assert processor.saved() == 1


def test_a_crash_that_a_store_refuses_is_parked_though_another_store_was_away_meanwhile(processor):
    refused = processor.submit()
    processor.there.error = lambda crash_id: PermanentStorageError("too large") if crash_id == refused else None
    outage(processor, crashes=5)
    assert processor.queue.depths().parked == 0
    processor.away.error = lambda crash_id: None
    processor.run(HOUR)
    assert [crash.crash_id for crash in processor.queue.kept("parked")] == [refused]
    assert processor.saved() == 6
