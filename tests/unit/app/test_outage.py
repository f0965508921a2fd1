"""A store is away for an hour: task manager, handler, breaker and queue together, on a fake clock."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from socorro_processor.app.crash_steps import CrashSteps
from socorro_processor.app.delivery_handler import DeliveryHandler
from socorro_processor.app.outage_breaker import ENOUGH_TRIED, NEW_ONE_EVERY, PAUSES, OutageBreaker
from socorro_processor.app.task_manager import TaskManager
from socorro_processor.app.temporary_directory import ProcessDirectory
from socorro_processor.app.unsaved import UnsavedCrashes
from socorro_processor.app.watchdog import Watchdog
from socorro_processor.configuration import class_name, defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.crashstorage.memory import InMemoryCrashStorage
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.errors import CrashStorageError, PartlyAwayError, PermanentStorageError, TransientStorageError
from socorro_processor.monitoring.health import Health
from socorro_processor.pipeline.processor_pipeline import ProcessorPipeline

pytestmark = pytest.mark.long

CRASHES = 300
HOUR = 3600.0
STEP = 0.25
"""Seconds between two looks of the task manager; a crash takes no time."""


class Store(InMemoryCrashStorage):
    """Counts its saves; raises while it has an error."""

    def __init__(self, config):
        super().__init__(config)
        self.error: Callable[[str], CrashStorageError | None] = lambda crash_id: None
        self.saves: Counter[str] = Counter()

    def save_raw_and_processed(self, raw_crash, dumps, processed_crash, crash_id):
        if error := self.error(crash_id):
            raise error
        self.saves[crash_id] += 1

    def check(self):
        """Raise if the store is away for every crash."""
        if error := self.error(""):
            raise error


class CountingPipeline(ProcessorPipeline):
    def __init__(self, walks: Counter[str]) -> None:
        super().__init__(defaults(ProcessorPipeline))
        self.walks = walks

    def process_crash(self, crash_id, *arguments, **keywords):
        self.walks[crash_id] += 1
        return super().process_crash(crash_id, *arguments, **keywords)


class Processor:
    """A processor of an installation, with a task manager, handler, breaker, and connection to the queue of its own."""

    def __init__(self, installation: Installation) -> None:
        clock = installation.clock
        self.health = Health()
        self.health.resolve("start")
        self.queue = SQLiteCrashQueue(
            defaults(SQLiteCrashQueue, path=str(installation.directory / "queue"), idle_delay=0.0), clock=clock
        )
        self.pipeline = CountingPipeline(installation.walks)
        self.temporary = ProcessDirectory(str(installation.directory / "temporary"))
        steps = CrashSteps(
            installation.source, self.pipeline, installation.destination, self.temporary, UnsavedCrashes()
        )
        breaker = OutageBreaker(self.health, clock)
        handler = DeliveryHandler(
            self.queue, steps, breaker, Watchdog(900.0), maximum_attempts=5, clock=clock, wall_clock=clock
        )
        self.new_manager = lambda tick: TaskManager(
            defaults(TaskManager, idle_delay=0.0), self.queue, handler, breaker, tick
        )

    def close(self) -> None:
        self.queue.close()
        self.temporary.close()


class Installation:
    """Processors that take turns, on one clock."""

    def __init__(self, directory: Path, processors: int, step: float = STEP) -> None:
        self.directory = directory
        self.step = step
        self.now = 1000.0
        self.walks: Counter[str] = Counter()
        self.source = InMemoryCrashStorage(defaults(InMemoryCrashStorage))
        names = ", ".join([class_name(Store)] * 2)
        self.destination = PolyCrashStorage(defaults(PolyCrashStorage, storage_classes=names))
        self.there, self.away = (store for store in self.destination.stores.values() if isinstance(store, Store))
        self.processors = [Processor(self) for _ in range(processors)]
        self.queue = self.processors[0].queue

    def clock(self) -> float:
        return self.now

    def submit(self) -> str:
        crash_id = new_crash_id()
        self.source.save_raw_crash({"ProductName": "Lightbox"}, {}, crash_id)
        self.queue.submit(crash_id)
        return crash_id

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        end = self.now + seconds
        turns = [threading.Semaphore(0) for _ in self.processors]

        def run(number: int) -> None:
            following = turns[(number + 1) % len(turns)]

            def tick() -> None:
                if number == 0:
                    self.now += self.step
                if self.now >= end or until():
                    manager.stop()
                else:
                    following.release()
                    turns[number].acquire()

            turns[number].acquire()
            manager = self.processors[number].new_manager(tick)
            manager.run()
            following.release()

        threads = [threading.Thread(target=run, args=(number,)) for number in range(len(turns))]
        for thread in threads:
            thread.start()
        turns[0].release()
        for thread in threads:
            thread.join()

    def saved(self) -> int:
        return len(self.away.saves)

    def problems(self) -> dict[str, str]:
        return {part: why for each in self.processors for part, why in each.health.problems().items()}

    def close(self) -> None:
        for processor in self.processors:
            processor.close()


@pytest.fixture
def processor(tmp_path: Path) -> Iterator[Installation]:
    """An installation of one processor."""
    installation = Installation(tmp_path, processors=1)
    yield installation
    installation.close()


@pytest.fixture
def eight(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path, processors=8, step=1.0)
    yield installation
    installation.close()


def away(crash_id: str) -> CrashStorageError:
    return TransientStorageError("the service is away")


def outage(processor: Installation, crashes: int = CRASHES) -> list[str]:
    """Submit crashes, let an hour pass while the store is away, and return their ids."""
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
    assert "the service is away" in processor.problems()["processing"]


def test_while_a_store_is_away_crashes_are_not_processed_again_and_again(processor):
    outage(processor)
    assert max(processor.walks.values()) == 1


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
    assert processor.problems() == {}


def test_only_the_store_that_was_away_is_written_again(processor):
    outage(processor)
    processor.away.error = lambda crash_id: None
    processor.run(120.0, until=lambda: processor.saved() == CRASHES)
    assert set(processor.there.saves.values()) == set(processor.away.saves.values()) == {1}
    assert set(processor.walks.values()) == {1}


def test_with_eight_processors_a_store_that_is_away_for_an_hour_costs_each_crash_one_walk_more_at_most(eight):
    crash_ids = outage(eight)
    assert max(eight.walks.values()) == 1
    eight.away.error = lambda crash_id: None
    eight.run(120.0, until=lambda: eight.saved() == CRASHES)
    assert set(eight.away.saves) == set(crash_ids)
    assert max(eight.walks.values()) <= 2
    assert eight.queue.depths().parked == 0


def test_with_eight_processors_a_crash_that_alone_always_times_out_is_parked(eight):
    guilty = eight.submit()
    eight.away.error = lambda crash_id: away(crash_id) if crash_id == guilty else None
    for _ in range(60):
        for _ in range(24):
            eight.submit()
        eight.run(10.0)
    assert [crash.crash_id for crash in eight.queue.set_aside("parked")] == [guilty]
    assert eight.saved() == 60 * 24
    assert eight.walks[guilty] <= len(eight.processors) + 1


def test_with_eight_processors_a_crash_whose_part_of_a_store_is_away_waits_until_it_is_back(eight):
    """As if another program had made the index of its week."""
    waiting = eight.submit()
    eight.away.error = lambda crash_id: PartlyAwayError("no such index") if crash_id == waiting else None
    for _ in range(30):
        for _ in range(24):
            eight.submit()
        eight.run(10.0)
    assert eight.queue.depths().parked == 0
    eight.away.error = lambda crash_id: None
    eight.run(120.0, until=lambda: waiting in eight.away.saves)
    assert waiting in eight.away.saves


def test_with_eight_processors_and_a_broken_deploy_none_is_parked(eight):
    """Each of them sees fewer than ten of the crashes that fail."""
    eight.there.error = lambda crash_id: PermanentStorageError("a bug of ours")
    for _ in range(20):
        eight.submit()
    eight.run(HOUR / 2)
    assert eight.queue.depths().parked == 0
    assert "different crashes in a row failed" in eight.problems()["processing"]
    eight.there.error = lambda crash_id: None
    eight.run(120.0, until=lambda: len(eight.there.saves) == 20)
    assert len(eight.there.saves) == 20


def test_with_eight_processors_what_is_not_found_is_rejected_after_four_looks(eight):
    crash_ids = [new_crash_id() for _ in range(40)]
    for crash_id in crash_ids:
        eight.queue.submit(crash_id)
    looks: Counter[str] = Counter()
    get = eight.source.get_raw_crash

    def counted(crash_id, note):
        looks[crash_id] += 1
        return get(crash_id, note)

    eight.source.get_raw_crash = counted
    eight.run(120.0)
    assert looks == dict.fromkeys(crash_ids, 4)
    assert eight.queue.depths().rejected == 40


def test_if_only_delayed_crashes_are_left_the_first_is_saved_within_10_seconds_too(processor):
    outage(processor, crashes=3)
    assert processor.queue.depths().queues["normal"].delayed == 3
    processor.away.error = lambda crash_id: None
    processor.run(10.0, until=lambda: processor.saved() > 0)
    assert processor.saved() > 0


def test_crashes_that_always_time_out_do_not_hold_up_others(processor):
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
    assert [crash.crash_id for crash in processor.queue.set_aside("parked")] == [refused]
    assert processor.saved() == 6
