"""Removal with only stores and a queue, without a command."""

from contextlib import closing

import pytest

from socorro_processor.app.processor_app import ProcessorApp
from socorro_processor.configuration import Configuration, Source, defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.errors import CrashQueueError
from socorro_processor.monitoring.audit import AuditLog
from socorro_processor.removal import (
    CrashToRemove,
    Removal,
    StoreResult,
    find_in_queue,
    may_be_in_work,
    wait_while_in_work,
)

CRASH, OTHER = (new_crash_id() for _ in range(2))


@pytest.fixture
def store(tmp_path):
    with closing(FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(tmp_path / "crashes")))) as store:
        store.setup()
        store.save_processed({"uuid": CRASH})
        yield store


@pytest.fixture
def queue(tmp_path):
    config = defaults(SQLiteCrashQueue, path=str(tmp_path / "queue.sqlite"), idle_delay=0.0)
    with closing(SQLiteCrashQueue(config)) as queue:
        yield queue


def take(queue):
    delivery = next(delivery for delivery in queue.new_crashes() if delivery)
    queue.begin(delivery)
    return delivery


def test_without_an_audit_log_it_only_looks_and_with_one_it_removes(store, tmp_path):
    assert Removal({"source": store}, None).run(CRASH).stores == {"source": StoreResult("held", ["processed crash"])}
    options = Source({"logging.audit_file": str(tmp_path / "audit")})
    config = Configuration(ProcessorApp.get_required_config(), [options]).values.logging
    with closing(AuditLog(config)) as audit:
        removal = Removal({"source": store}, audit)
        assert removal.run(CRASH).stores == {"source": StoreResult("removed", ["processed crash"])}
        assert removal.run(CRASH, again=True) == CrashToRemove(CRASH, {"source": StoreResult("nothing")}, again=True)
    assert f"{CRASH} removed" in (tmp_path / "audit").read_text()


def test_the_places_of_ids_in_the_queue_are_noted(queue):
    for crash_id in (CRASH, OTHER):
        queue.submit(crash_id)
    parked = take(queue)
    queue.park(parked, "too large")
    crashes = {crash_id: CrashToRemove(crash_id) for crash_id in (CRASH, OTHER)}
    find_in_queue(queue, [*crashes.values()])
    assert crashes.pop(parked.crash_id).queue == ["parked"]
    assert [crash.queue for crash in crashes.values()] == [["pending"]]


def test_only_a_crash_in_flight_may_be_in_work(queue):
    queue.submit(CRASH)
    assert may_be_in_work(queue, [CRASH, OTHER]) == []
    take(queue)
    assert may_be_in_work(queue, [CRASH, OTHER]) == [CRASH]


def test_a_queue_that_cannot_be_asked_may_have_all_of_them_in_work(queue, monkeypatch):
    def away(crash_ids):
        raise CrashQueueError("away")

    monkeypatch.setattr(queue, "pending", away)
    for asked in (queue, None):
        assert may_be_in_work(asked, [CRASH, OTHER]) == [CRASH, OTHER]


def test_the_wait_ends_when_the_crash_has_left_the_queue(queue):
    queue.submit(CRASH)
    delivery = take(queue)
    waited: list[float] = []

    def progress(seconds: float) -> None:
        waited.append(seconds)
        queue.ack(delivery)

    wait_while_in_work(queue, [CRASH], 3600.0, progress)
    assert len(waited) == 1
