"""The question which crashes the store has: answered in time, or not at all."""

from __future__ import annotations

import threading
import time
from datetime import date

import pytest

from socorro_processor.collector.known_crashes import AT_ONCE, PAUSES, KnownCrashes
from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.memory import InMemoryCrashStorage
from socorro_processor.errors import MalformedCrash, TransientStorageError
from socorro_processor.monitoring.circuit_breaker import CircuitBreaker

IDS = [new_crash_id(date(2026, 11, 23)) for _ in range(3)]


class Store(InMemoryCrashStorage):
    """A store that can hang or fail, and counts the questions."""

    def __init__(self) -> None:
        super().__init__(defaults(InMemoryCrashStorage))
        self.error: Exception | None = None
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.asked: list[str] = []

    def get_raw_crash(self, crash_id, note=lambda text: None):
        self.asked.append(crash_id)
        self.may_answer.wait()
        if self.error:
            raise self.error
        return super().get_raw_crash(crash_id, note)


@pytest.fixture
def store():
    store = Store()
    yield store
    store.may_answer.set()


def save(store: Store, crash_id: str, metadata: object) -> None:
    store.save_raw_crash({"uuid": crash_id, "metadata": metadata}, {}, crash_id)


@pytest.mark.parametrize(
    ("metadata", "checksum"),
    [
        ({"dump_checksums": {"upload_file_minidump": "abc", "other": "def"}}, "abc"),
        ({"dump_checksums": {}, "annotations_checksum": "abc"}, "abc"),
        ({"dump_checksums": {}}, ""),
        ({"dump_checksums": {}, "annotations_checksum": 1}, ""),
        ({"dump_checksums": []}, ""),
        ({}, ""),
        ([], ""),
        ("x", ""),
        (None, ""),
    ],
)
def test_stored_crashes_are_known_by_their_checksums_if_they_have_any(store, metadata, checksum):
    save(store, IDS[1], metadata)
    assert KnownCrashes(store).find(IDS) == {IDS[1]: checksum}


def test_nothing_is_asked_for_no_ids(store):
    assert KnownCrashes(store).find([]) == {}
    assert store.asked == []


def test_a_malformed_raw_crash_is_one_of_an_unknown_checksum(store):
    store.error = MalformedCrash("not JSON")
    assert KnownCrashes(store).find(IDS[:1]) == {IDS[0]: ""}


@pytest.mark.parametrize("error", [TransientStorageError("away"), ValueError("a bug")])
def test_a_store_that_fails_is_not_asked_again_for_a_while(store, clock, error, caplog):
    known = KnownCrashes(store, breaker=CircuitBreaker(PAUSES, clock=clock))
    store.error = error
    assert known.find(IDS) is None
    assert known.find(IDS) is None
    assert len(store.asked) == 1
    assert "the store cannot tell which crashes it has" in caplog.text
    store.error = None
    clock.now += PAUSES[0]
    assert known.find(IDS) == {}


def test_a_store_that_hangs_uses_up_a_limited_time_and_a_limited_number_of_threads(store, clock):
    known = KnownCrashes(store, 0.1, breaker=CircuitBreaker((0.0,), clock=clock))
    store.may_answer.clear()
    begun = time.monotonic()
    assert [known.find(IDS) for _ in range(AT_ONCE + 3)] == [None] * (AT_ONCE + 3)
    assert time.monotonic() - begun < 10
    assert len(store.asked) <= AT_ONCE
    store.may_answer.set()
    while (found := known.find(IDS)) is None:
        clock.now += 1
    assert found == {}
