"""Saves of several threads share one bulk request, and each thread learns the outcome of its own crash."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.elasticsearch.bulk import ESBulkCrashStorage
from socorro_processor.errors import CrashStorageError, PartlyAwayError, PermanentStorageError, TransientStorageError
from tests.integration.elasticsearch_indexes import URLS, own_indexes
from tests.integration.elasticsearch_relay import Answer

INTERVAL = 1.0
LONG = 60.0
"""Seconds that no test waits for."""


class Threads:
    """The threads of a processor; all have saved a crash here before, so the store knows them."""

    def __init__(self, number, store):
        self._number = number
        self._store = store
        self._begin = threading.Barrier(number)
        self._pool = ThreadPoolExecutor(number)

    def __enter__(self):
        self.save([{}] * self._number)
        return self

    def __exit__(self, *exception):
        self._pool.shutdown()

    def save(self, crashes, crash_ids=None):
        """Save each in a thread of its own, all at once; return the crash id of each, or its error."""

        def save(processed, crash_id):
            self._begin.wait()
            try:
                self._store.save_raw_and_processed({}, {}, {"uuid": crash_id, **processed}, crash_id)
            except CrashStorageError as error:
                return error
            return crash_id

        return list(self._pool.map(save, crashes, crash_ids or [new_crash_id() for _ in crashes]))


def bulk_requests(front):
    return [request for request in front.requests if "_bulk" in request]


def store_at(indexes, front, **values):
    return indexes.store(ESBulkCrashStorage, **{URLS: front.url, "flush_interval": INTERVAL, **values})


def test_crashes_that_all_threads_save_at_once_are_one_request(indexes, front):
    with Threads(8, store_at(indexes, front)) as threads:
        front.requests.clear()
        saved = threads.save([{}] * 8)
    assert len(bulk_requests(front)) == 1
    assert indexes.ids({"terms": {"crash_id": saved}}) == set(saved)


def test_no_request_has_more_crashes_than_configured(indexes, front):
    with Threads(8, store_at(indexes, front, items_per_bulk_load=2)) as threads:
        front.requests.clear()
        saved = threads.save([{}] * 8)
    assert len(bulk_requests(front)) == 4
    assert indexes.ids({"terms": {"crash_id": saved}}) == set(saved)


def test_a_single_thread_does_not_wait(indexes, front):
    store = store_at(indexes, front, flush_interval=LONG)
    crash_id = new_crash_id()
    started = time.monotonic()
    store.save_raw_and_processed({}, {}, {"uuid": crash_id}, crash_id)
    assert time.monotonic() - started < LONG / 2
    assert indexes.ids({"term": {"crash_id": crash_id}}) == {crash_id}


def test_while_another_thread_is_busy_a_crash_waits_for_the_interval(indexes, front):
    store = store_at(indexes, front, flush_interval=0.3)
    crash_id = new_crash_id()
    with Threads(2, store):
        started = time.monotonic()
        store.save_raw_and_processed({}, {}, {"uuid": crash_id}, crash_id)
        assert 0.3 <= time.monotonic() - started < LONG / 2
    assert indexes.ids({"term": {"crash_id": crash_id}}) == {crash_id}


def test_when_a_save_returns_the_crash_is_there(indexes, front):
    store = indexes.store(ESBulkCrashStorage, **{URLS: front.url})
    index = store.indexes.index_of(new_crash_id())

    def saved_and_there(crash_id):
        store.save_raw_and_processed({}, {}, {"uuid": crash_id}, crash_id)
        return bool(indexes.client.exists(index=index, id=crash_id))

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(saved_and_there, [new_crash_id() for _ in range(200)]))


@pytest.fixture
def unchecked(monkeypatch):
    """The document goes to the server unchecked, as if a check had been forgotten."""
    monkeypatch.setattr(
        "socorro_processor.crashstorage.elasticsearch.crashstorage.fit_to_mapping", lambda crash, *others: dict(crash)
    )


@pytest.mark.usefixtures("unchecked")
def test_a_crash_that_is_refused_fails_alone(indexes, front):
    with Threads(4, store_at(indexes, front)) as threads:
        front.requests.clear()
        first, refused, third, broken = threads.save([{}, {"uptime": {}}, {}, {"": 1}])
    assert len(bulk_requests(front)) == 1
    assert isinstance(refused, PermanentStorageError)
    assert "processed_crash.uptime" in str(refused)
    assert isinstance(broken, PermanentStorageError)
    assert indexes.ids({"terms": {"crash_id": [first, third]}}) == {first, third}


def test_each_crash_learns_that_an_index_is_read_only(indexes, front):
    with own_indexes() as others:
        store = store_at(others, front)
        with Threads(2, store) as threads:
            today = f"{others.template}-*"
            others.client.indices.put_settings(index=today, settings={"index.blocks.write": True})
            failed = threads.save([{}, {}])
            assert [type(error) for error in failed] == [PartlyAwayError] * 2
            assert all("cluster_block_exception" in str(error) for error in failed)
            others.client.indices.put_settings(index=today, settings={"index.blocks.write": None})
            saved = threads.save([{}, {}])
        assert others.ids({"terms": {"crash_id": saved}}) == set(saved)


def test_if_a_request_fails_all_its_crashes_fail(indexes, front):
    with Threads(4, store_at(indexes, front)) as threads:
        front.answer = lambda request: (
            Answer(503, b'{"error": {"type": "unavailable"}}') if "_bulk" in request else None
        )
        failed = threads.save([{}] * 4)
    assert [type(error) for error in failed] == [TransientStorageError] * 4
    assert len({id(error) for error in failed}) == 4


def test_crashes_that_are_too_large_together_are_saved_one_by_one(indexes, front):
    with Threads(3, store_at(indexes, front)) as threads:
        answers = iter([Answer(413, b"", is_elasticsearch=False)])
        front.answer = lambda request: next(answers, None) if "_bulk" in request else None
        front.requests.clear()
        saved = threads.save([{}] * 3)
    assert len(bulk_requests(front)) == 1 + 3
    assert indexes.ids({"terms": {"crash_id": saved}}) == set(saved)


def test_large_crashes_are_not_sent_together(indexes, front):
    with Threads(3, store_at(indexes, front)) as threads:
        front.requests.clear()
        saved = threads.save([{"java_stack_trace": "x" * 11_000_000}] * 3)
    assert len(bulk_requests(front)) == 3
    assert indexes.ids({"terms": {"crash_id": saved}}) == set(saved)


def test_one_crash_twice_in_a_request_is_one_document(indexes, front):
    crash_id = new_crash_id()
    with Threads(2, store_at(indexes, front)) as threads:
        front.requests.clear()
        assert threads.save([{}] * 2, [crash_id] * 2) == [crash_id] * 2
    assert len(bulk_requests(front)) == 1
    assert len(indexes.search({"term": {"crash_id": crash_id}})) == 1
