"""Searches find crashes in Elasticsearch, on a real server."""

from __future__ import annotations

from datetime import date

import pytest

from socorro_processor.crash_id import new_crash_id


@pytest.fixture(scope="module")
def store(indexes):
    return indexes.store()


def save(store, crash_id, **fields):
    store.save_raw_and_processed({}, {}, {"uuid": crash_id, "signature": "main", **fields}, crash_id)


def test_crash_ids_are_found_by_signature_product_and_day(indexes, store):
    def found(**query):
        return set(indexes.crash_ids(**query))

    signature = new_crash_id()
    first, second, third = (new_crash_id() for _ in range(3))
    save(store, first, signature=signature, product="A", date_processed="2016-11-22T23:59:59+00:00")
    save(store, second, signature=signature, product="A", date_processed="2016-11-23T00:00:00+00:00")
    save(store, third, signature=signature, product="B", date_processed="2016-11-24T00:00:00+00:00")
    indexes.refresh()
    assert found(signature=signature) == {first, second, third}
    assert found(signature=signature, product="A") == {first, second}
    assert found(signature=signature, since=date(2016, 11, 23)) == {second, third}
    assert found(signature=signature, since=date(2016, 11, 23), until=date(2016, 11, 23)) == {second}
    assert found(signature=signature, until=date(2016, 11, 22)) == {first}
    assert found(signature="no such") == set()


def test_crash_ids_are_found_by_the_versions_of_product_and_processor(indexes, store):
    def found(**query):
        return set(indexes.crash_ids(signature=signature, **query))

    signature = new_crash_id()
    first, second, third = (new_crash_id() for _ in range(3))
    save(store, first, signature=signature, version="2.3", processing={"processor_version": "0.1.0"})
    save(store, second, signature=signature, version="2.3.1", processing={"processor_version": "0.1.0"})
    save(store, third, signature=signature, version="2.3", processing={"processor_version": "0.2.0"})
    indexes.refresh()
    assert found(version="2.3") == {first, third}
    assert found(processor_version="0.1.0") == {first, second}
    assert found(version="2.3", processor_version="0.1.0") == {first}


def test_crash_ids_come_page_by_page_each_of_them_once(indexes, store):
    signature = new_crash_id()
    saved = [new_crash_id() for _ in range(7)]
    for crash_id in saved:
        save(store, crash_id, signature=signature)
    indexes.refresh()
    assert sorted(indexes.crash_ids(signature=signature, page=2)) == sorted(saved)


def test_a_search_that_is_given_up_leaves_nothing_open(indexes, store):
    save(store, new_crash_id())
    indexes.refresh()
    found = indexes.crash_ids()
    next(found)
    found.close()
    stats = indexes.client.indices.stats(index=f"{indexes.template}-*", metric="search")
    assert stats["_all"]["total"]["search"]["open_contexts"] == 0


def test_crash_ids_are_found_by_fields_of_the_table(indexes, store):
    signature = new_crash_id()
    first, second = new_crash_id(), new_crash_id()
    today = {"algorithm": 2026}
    save(store, first, signature=signature, processing=today, android_model="Pixel 9", app_notes="out of memory twice")
    save(store, second, signature=signature, processing=today, android_model="Pixel", thread_count=7)
    indexes.refresh()

    def found(*fields):
        return set(indexes.crash_ids(signature=signature, fields=fields))

    assert found(("android_model", "Pixel")) == {second}
    assert found(("app_notes", "memory twice")) == {first}
    assert found(("thread_count", "7"), ("android_model", "Pixel")) == {second}
    assert found(("thread_count", "7"), ("android_model", "Pixel 9")) == set()
