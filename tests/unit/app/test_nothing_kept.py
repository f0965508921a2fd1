"""A crash that could not be saved leaves nothing in memory but what is kept for its retry, without a garbage
collection: an error that holds its own frames would keep all that these held, megabytes a retry."""

import gc
import json
import socket
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from socorro_processor.app.crash_steps import CrashSteps
from socorro_processor.app.delivery_handler import DeliveryHandler
from socorro_processor.app.earlier_results import EarlierResults
from socorro_processor.app.outage_breaker import OutageBreaker
from socorro_processor.app.temporary_directory import ProcessDirectory
from socorro_processor.app.unsaved import UnsavedCrashes
from socorro_processor.app.watchdog import Watchdog
from socorro_processor.configuration import class_name, defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.crashstorage.base import MAIN_DUMP, CrashStorageBase
from socorro_processor.crashstorage.elasticsearch.bulk import ESBulkCrashStorage
from socorro_processor.crashstorage.elasticsearch.crashstorage import ESCrashStorage
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.crashstorage.memory import InMemoryCrashStorage
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.crashstorage.postgresql.crashstorage import PostgreSQLCrashStorage
from socorro_processor.errors import PermanentStorageError, TransientStorageError
from socorro_processor.monitoring.health import Health
from socorro_processor.pipeline.processor_pipeline import ProcessorPipeline
from socorro_processor.pipeline.rule import Crash, Rule

CRASH_ID = new_crash_id()


class Large(str):
    """Stands for a large part of a crash: a text that a test can watch."""


class LargeRule(Rule):
    """Puts such a text into every crash, and remembers it."""

    made: ClassVar[list["weakref.ref[Large]"]] = []

    def action(self, crash: Crash) -> bool:
        large = Large("a stack")
        LargeRule.made.append(weakref.ref(large))
        crash.processed["signature"] = "main"
        crash.processed["large"] = large
        return True


class AwayStore(InMemoryCrashStorage):
    error: type[Exception] = TransientStorageError

    def save_raw_and_processed(self, raw_crash, dumps, processed_crash, crash_id):
        raise self.error("away")


class RefusingStore(AwayStore):
    error = PermanentStorageError


class BuggyStore(AwayStore):
    error = ZeroDivisionError


class HungryStore(AwayStore):
    error = MemoryError


class FullStore(AwayStore):
    error = OSError


@pytest.fixture
def closed_port() -> Iterator[int]:
    """The number of a port on which nobody listens, now or later."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


@pytest.fixture
def no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    LargeRule.made.clear()
    yield
    gc.enable()


def single(kind: type[CrashStorageBase], port: int, directory: Path) -> CrashStorageBase:
    (directory / "a file").write_text("in the way")
    options = {
        "database_hostname": "127.0.0.1",
        "database_port": port,
        "elasticsearch_urls": f"http://127.0.0.1:{port}",
        "root": str(directory / "a file"),
    }
    config = defaults(kind)
    return kind(defaults(kind, **{name: value for name, value in options.items() if name in config}))


def within_poly(kind: type[CrashStorageBase], port: int, directory: Path) -> CrashStorageBase:
    memory = class_name(InMemoryCrashStorage)
    poly = PolyCrashStorage(defaults(PolyCrashStorage, storage_classes=f"{memory}, {memory}"))
    poly._stores["storage1"] = single(kind, port, directory)
    return poly


def within_two_polys(kind: type[CrashStorageBase], port: int, directory: Path) -> CrashStorageBase:
    memory = class_name(InMemoryCrashStorage)
    poly = PolyCrashStorage(defaults(PolyCrashStorage, storage_classes=memory))
    poly._stores["storage0"] = within_poly(kind, port, directory)
    return poly


STORES = (
    AwayStore,
    RefusingStore,
    BuggyStore,
    HungryStore,
    FullStore,
    FileSystemCrashStorage,
    PostgreSQLCrashStorage,
    ESCrashStorage,
    ESBulkCrashStorage,
)


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("around", [single, within_poly, within_two_polys])
@pytest.mark.parametrize("kind", STORES)
def test_a_crash_that_could_not_be_saved_leaves_nothing_but_what_is_kept_for_its_retry(
    kind, around, closed_port, tmp_path
):
    source = InMemoryCrashStorage(defaults(InMemoryCrashStorage))
    source.save_raw_crash({"ProductName": "Lightbox"}, {MAIN_DUMP: b"12345"}, CRASH_ID)
    rule_sets = json.dumps([["own", "", "", "apply_all_rules", class_name(LargeRule)]])
    pipeline = ProcessorPipeline(defaults(ProcessorPipeline, rule_sets=rule_sets))
    destination = around(kind, closed_port, tmp_path)
    directory = ProcessDirectory(str(tmp_path / "temporary"))
    queue = SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=str(tmp_path / "queue.sqlite"), retry_delays="0.001"))
    steps = CrashSteps(source, pipeline, destination, directory, UnsavedCrashes(0))
    # The store that is away is not asked for an earlier result: the crash gets as far as the save.
    steps._earlier_results = EarlierResults(source, source)
    handler = DeliveryHandler(queue, steps, OutageBreaker(Health()), Watchdog(900), 100)
    queue.submit(CRASH_ID)
    deliveries = (delivery for delivery in queue.new_crashes() if delivery is not None)
    for _ in range(3):
        handler.handle(next(deliveries))
        alive = [large for ref in LargeRule.made if (large := ref()) is not None]
        assert alive == [], [type(each) for each in gc.get_referrers(alive[0])]
    assert LargeRule.made
    queue.close()
    destination.close()
    directory.close()
