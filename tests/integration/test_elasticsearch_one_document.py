"""A crash is one document, even if its id now belongs to another index than when it was saved before."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.elasticsearch.bulk import ESBulkCrashStorage
from socorro_processor.errors import CrashIDNotFound, TransientStorageError
from tests.integration.elasticsearch_indexes import TODAY, URLS, on_day, own_indexes
from tests.integration.test_elasticsearch_failures import failing

THREADS = 4


@pytest.fixture
def indexes():
    with own_indexes() as indexes:
        yield indexes


def on(days):
    return new_crash_id(TODAY + timedelta(days=days))


def week_of(indexes, crash_id):
    return datetime.strptime(crash_id[-6:], "%y%m%d").strftime(indexes.pattern)


def save(store, crash_id, **processed):
    store.save_raw_and_processed({}, {}, {"uuid": crash_id, "signature": crash_id, **processed}, crash_id)


def everywhere(indexes, store, crash_id):
    """Return the indexes that have the crash, among all that can be searched."""
    hits = [hit["_index"] for hit in indexes.search({"term": {"crash_id": crash_id}})]
    assert sorted(store.held(crash_id)) == sorted(f"document in {index}" for index in hits)
    assert list(indexes.crash_ids(signature=crash_id)) == [crash_id] * len(hits)
    assert store.missing_processed([crash_id]) == (set() if hits else {crash_id})
    return hits


@pytest.mark.parametrize("later", [8, 10, 11, 300])
def test_a_crash_dated_ahead_is_one_document_once_its_day_has_come(indexes, store_class, later):
    store = indexes.store(store_class)
    crash_id = on(10)
    save(store, crash_id)
    assert everywhere(indexes, store, crash_id) == [indexes.other]
    save(on_day(store, later), crash_id, product="later")
    assert everywhere(indexes, store, crash_id) == [week_of(indexes, crash_id)]
    assert indexes.document(crash_id)["processed_crash"]["product"] == "later"
    store.remove(crash_id)
    assert everywhere(indexes, store, crash_id) == []
    with pytest.raises(CrashIDNotFound):
        store.remove(crash_id)


@pytest.mark.parametrize("days", [0, -5, -50])
def test_a_crash_is_one_document_whatever_oldest_crash_days_becomes(indexes, store_class, days):
    crash_id = on(days)
    for number, oldest in enumerate((400, -days - 1, 60, -days - 1, -days, 400)):
        store = indexes.store(store_class, oldest_crash_days=oldest)
        save(store, crash_id, product=str(number))
        due = indexes.other if oldest < -days else week_of(indexes, crash_id)
        assert everywhere(indexes, store, crash_id) == [due]
        assert indexes.document(crash_id)["processed_crash"]["product"] == str(number)


def test_two_processors_of_different_configurations_take_turns(indexes, store_class):
    young, old = indexes.store(store_class), indexes.store(store_class, oldest_crash_days=10)
    crash_id = on(-11)
    for store, due in ((young, week_of(indexes, crash_id)), (old, indexes.other)) * 3:
        save(store, crash_id)
        assert everywhere(indexes, store, crash_id) == [due]


def test_a_save_that_ended_between_the_two_steps_is_done_by_the_next_one(indexes, front, store_class):
    crash_id = on(-11)
    save(indexes.store(store_class, oldest_crash_days=10), crash_id)
    store = indexes.store(store_class, **{URLS: front.url})
    for step in ("_mget", "DELETE"):
        front.answer = lambda request, step=step: failing("unavailable", status=503) if step in request else None
        with pytest.raises(TransientStorageError):
            save(store, crash_id)
    front.answer = lambda request: None
    save(store, crash_id)
    assert everywhere(indexes, store, crash_id) == [week_of(indexes, crash_id)]


def test_two_processors_that_remove_each_others_document_lose_none(indexes, front, store_class):
    young = indexes.store(store_class, **{URLS: front.url})
    old = indexes.store(store_class, oldest_crash_days=10)
    crash_id = on(-11)
    save(old, crash_id)

    def the_other_saves_too(request):
        if "DELETE" in request:
            front.answer = lambda request: None
            save(old, crash_id)

    front.answer = the_other_saves_too
    with pytest.raises(TransientStorageError, match="at the same time"):
        save(young, crash_id)
    save(young, crash_id)
    assert everywhere(indexes, young, crash_id) == [week_of(indexes, crash_id)]


PATTERN = "resource.elasticsearch.elasticsearch_index"


def of_days(indexes, store_class, **options):
    """A store with an index for each day, where there was one for each week."""
    return indexes.store(store_class, **{PATTERN: f"{indexes.template}-%Y%m%d", **options})


@pytest.mark.parametrize("days", [0, -5000])
def test_a_crash_is_one_document_after_the_pattern_of_indexes_has_changed(indexes, store_class, days):
    crash_id = on(days)
    save(indexes.store(store_class), crash_id, product="former")
    store = of_days(indexes, store_class)
    assert store.missing_processed([crash_id]) == set()
    save(store, crash_id, product="new")
    (index,) = everywhere(indexes, store, crash_id)
    assert index == (indexes.other if days else f"{indexes.template}-{TODAY:%Y%m%d}")
    assert indexes.document(crash_id)["processed_crash"]["product"] == "new"
    save(indexes.store(store_class), crash_id)
    assert everywhere(indexes, indexes.store(store_class), crash_id) == [
        indexes.other if days else week_of(indexes, crash_id)
    ]


def test_a_crash_is_removed_from_an_index_of_a_former_pattern(indexes, store_class):
    crash_id = on(0)
    save(indexes.store(store_class), crash_id)
    store = of_days(indexes, store_class)
    store.remove(crash_id)
    assert everywhere(indexes, store, crash_id) == []


def test_an_index_of_somebody_else_whose_name_is_alike_is_left_alone(indexes, store_class):
    crash_id, theirs = on(0), f"{indexes.template}-2theirs"
    indexes.client.index(index=theirs, id=crash_id, document={"their": "own"}, refresh=True)
    store = of_days(indexes, store_class)
    save(store, crash_id)
    with pytest.raises(CrashIDNotFound):
        store.remove(on(0))
    store.remove(crash_id)
    assert indexes.client.exists(index=theirs, id=crash_id)


def test_an_index_of_a_former_pattern_that_is_closed_keeps_no_crash_waiting(indexes, store_class):
    crash_id = on(0)
    save(indexes.store(store_class), crash_id)
    indexes.client.indices.close(index=week_of(indexes, crash_id))
    save(of_days(indexes, store_class), crash_id)
    assert indexes.client.exists(index=f"{indexes.template}-{TODAY:%Y%m%d}", id=crash_id)
    indexes.client.indices.open(index=week_of(indexes, crash_id))


def test_an_index_that_is_closed_keeps_no_crash_of_another_one_waiting(indexes, store_class):
    store = indexes.store(store_class)
    save(store, on(-5000))
    indexes.client.indices.close(index=indexes.other)
    crash_id = on(0)
    save(store, crash_id)
    assert indexes.client.exists(index=week_of(indexes, crash_id), id=crash_id)
    indexes.client.indices.open(index=indexes.other)


def test_a_save_costs_one_look_at_the_other_index(indexes, front, store_class):
    store = indexes.store(store_class, **{URLS: front.url})
    save(store, on(0))
    front.requests.clear()
    save(store, on(0))
    assert [request.partition("?")[0].rsplit("/")[-1] for request in front.requests[1:]] == ["_mget"]


def test_crashes_that_are_saved_in_bulk_are_looked_for_in_bulk(indexes, front):
    store = indexes.store(ESBulkCrashStorage, **{URLS: front.url, "flush_interval": 60.0})
    moved, begin = [on(-11) for _ in range(THREADS)], threading.Barrier(THREADS)
    old = indexes.store(oldest_crash_days=10)
    for crash_id in moved[:2]:
        save(old, crash_id)

    def save_together(crash_id):
        begin.wait()
        save(store, crash_id)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(save_together, [on(0) for _ in range(THREADS)]))  # now the store knows all threads
        front.requests.clear()
        list(pool.map(save_together, moved))
    assert len([request for request in front.requests if "_bulk" in request]) == 1
    # After the removal of two, each is looked for once more.
    assert len([request for request in front.requests if "_mget" in request]) == 3
    for crash_id in moved:
        assert everywhere(indexes, store, crash_id) == [week_of(indexes, crash_id)]
