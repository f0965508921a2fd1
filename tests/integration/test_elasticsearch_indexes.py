"""Weekly indexes: each has the mapping, and the first save makes it; crashes of unlikely dates share one index."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.elasticsearch.bulk import ESBulkCrashStorage
from socorro_processor.crashstorage.elasticsearch.connection import ElasticsearchConnection
from socorro_processor.crashstorage.elasticsearch.crashstorage import ESCrashStorage
from socorro_processor.crashstorage.elasticsearch.indexes import WeeklyIndexes
from socorro_processor.crashstorage.elasticsearch.mapping import PROPERTIES, VERSION
from socorro_processor.errors import CrashIDNotFound, TransientStorageError
from tests.integration.elasticsearch_indexes import TODAY, own_indexes


@pytest.fixture
def indexes():
    with own_indexes() as indexes:
        yield indexes


@pytest.fixture
def store(indexes):
    return indexes.store()


def save(store, crash_id, **raw):
    store.save_raw_and_processed(raw, {}, {"uuid": crash_id}, crash_id)


def on(days):
    return new_crash_id(TODAY + timedelta(days=days))


def template(indexes):
    (found,) = indexes.client.indices.get_index_template(name=indexes.template)["index_templates"]
    return found["index_template"]


def test_setup_makes_the_template_again_and_again(indexes, store):
    for _ in range(3):
        store.setup()
    assert template(indexes)["version"] == VERSION
    assert template(indexes)["index_patterns"] == [f"{indexes.template}-2*", f"{indexes.template}-other"]


def test_setup_puts_right_what_was_changed(indexes, store):
    store.setup()
    indexes.client.indices.put_index_template(name=indexes.template, index_patterns=[f"{indexes.template}-2*"])
    store.setup()
    assert template(indexes)["version"] == VERSION


def test_a_missing_template_is_reported_with_what_to_do(store):
    with pytest.raises(TransientStorageError, match="socorro setup"):
        store.check()
    store.setup()
    store.check()


def test_the_first_save_makes_template_and_index(indexes, store):
    crash_id = on(0)
    save(store, crash_id)
    assert template(indexes)["version"] == VERSION
    (mapping,) = indexes.mappings().values()
    assert mapping["_meta"] == {"socorro_processor": VERSION}
    assert mapping["properties"].keys() == PROPERTIES.keys()


def test_an_older_template_is_renewed_before_the_next_index_is_made(indexes, store):
    store.setup()
    old = {"template": {"mappings": {"properties": {"old": {"type": "long"}}}}, "priority": 200, "version": VERSION - 1}
    indexes.client.indices.put_index_template(
        name=indexes.template, index_patterns=[f"{indexes.template}-2*", f"{indexes.template}-other"], **old
    )
    save(store, on(0))
    assert "old" not in next(iter(indexes.mappings().values()))["properties"]


def test_a_newer_template_is_left_as_it_is(indexes, store):
    store.setup()
    newer = template(indexes) | {"version": VERSION + 1}
    newer = {key: value for key, value in newer.items() if not key.endswith("_millis") and key != "composed_of"}
    indexes.client.indices.put_index_template(name=indexes.template, **newer)
    save(store, on(0))
    assert template(indexes)["version"] == VERSION + 1


def test_if_the_template_was_deleted_the_next_index_still_has_the_mapping(indexes, store):
    save(store, on(0))
    indexes.client.indices.delete_index_template(name=indexes.template)
    save(store, on(-14))
    assert all(mapping["dynamic"] == "false" for mapping in indexes.mappings().values())
    assert len(indexes.mappings()) == 2


def test_nothing_is_saved_in_an_index_without_the_mapping(indexes, store):
    crash_id = on(0)
    index = f"{indexes.template}-{TODAY:%Y%W}"
    indexes.client.indices.create(index=index)
    with pytest.raises(TransientStorageError, match=rf"{index} was made without the template"):
        save(store, crash_id, Annotation="x")
    assert indexes.client.count(index=index)["count"] == 0
    indexes.client.indices.delete(index=index)
    save(store, crash_id, Annotation="x")
    assert indexes.index_of(crash_id) == index


def test_an_index_that_was_deleted_is_made_again_with_the_mapping(indexes, store):
    save(store, on(0))
    index = f"{indexes.template}-{TODAY:%Y%W}"
    indexes.client.indices.delete(index=index)
    crash_id = on(0)
    save(store, crash_id, Annotation="x")
    assert indexes.index_of(crash_id) == index
    assert indexes.mappings()[index]["dynamic"] == "false"


@pytest.mark.parametrize("store_class", [ESCrashStorage, ESBulkCrashStorage])
def test_eight_stores_make_template_and_index_at_once(indexes, store_class):
    stores = [indexes.store(store_class) for _ in range(8)]
    crash_ids = [on(0) for _ in stores]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(save, stores, crash_ids))
    assert indexes.ids({"match_all": {}}) == set(crash_ids)


@pytest.mark.parametrize("days", [-399, -14, -7, 0, 1])
def test_a_crash_of_another_week_is_in_that_weeks_index(indexes, store, days):
    crash_id = on(days)
    save(store, crash_id)
    assert indexes.index_of(crash_id) == f"{indexes.template}-{TODAY + timedelta(days=days):%Y%W}"
    store.remove(crash_id)


@pytest.mark.parametrize("days", [-402, -5000, 4, 20_000])
@pytest.mark.parametrize("store_class", [ESCrashStorage, ESBulkCrashStorage])
def test_crashes_of_unlikely_dates_share_one_index(indexes, store_class, days):
    store = indexes.store(store_class)
    crash_id = on(days)
    save(store, crash_id)
    assert indexes.index_of(crash_id) == indexes.other
    assert set(indexes.mappings()) == {indexes.other}
    assert indexes.mappings()[indexes.other]["dynamic"] == "false"
    store.remove(crash_id)
    with pytest.raises(CrashIDNotFound):
        store.remove(crash_id)


def test_how_old_a_crash_may_be_can_be_configured(indexes):
    crash_id = on(-11)
    save(indexes.store(oldest_crash_days=10), crash_id)
    assert indexes.index_of(crash_id) == indexes.other


def test_a_crash_that_grew_too_old_is_replaced_and_removed_where_it_is(indexes):
    young, old = indexes.store(), indexes.store(oldest_crash_days=10)
    crash_id, removed = on(-11), on(-11)
    save(young, crash_id)
    save(young, removed)
    save(old, crash_id)
    assert indexes.index_of(crash_id) == indexes.other
    old.remove(removed)
    assert indexes.ids({"term": {"crash_id": removed}}) == set()


def test_a_template_does_not_apply_to_an_index_whose_name_only_begins_alike(indexes, store):
    store.setup()
    with own_indexes() as others:
        others.template = f"{indexes.template}-stage"
        others.pattern = f"{others.template}-%Y%W"
        others.store().setup()
        assert template(others)["version"] == VERSION


def test_an_index_of_any_pattern_is_matched_by_its_template(indexes):
    for pattern in ("t-{}%y-%m", "t-{}-%G-%V", "t-{}-%Yx", "t-{}"):
        pattern = pattern.format(indexes.template)
        config = indexes.store(**{"resource.elasticsearch.elasticsearch_index": pattern}).config
        connection = ElasticsearchConnection(config)
        weekly = WeeklyIndexes(config, connection)
        names = [weekly.index_of(on(0)), weekly.other]
        try:
            for name in names:
                weekly.make(name)
        finally:
            for name in names:
                connection.client.options(ignore_status=404).indices.delete(index=name)
            connection.client.options(ignore_status=404).indices.delete_index_template(name=weekly.template)
            connection.close()


def test_the_number_of_shards_can_be_configured(indexes):
    save(indexes.store(**{"resource.elasticsearch.elasticsearch_shards_per_index": 3}), on(0))
    found = indexes.client.indices.get_settings(index=f"{indexes.template}-*")
    assert [each["settings"]["index"]["number_of_shards"] for each in found.values()] == ["3"]


@pytest.mark.parametrize("store_class", [ESCrashStorage, ESBulkCrashStorage])
def test_crashes_without_a_document_in_any_of_their_indexes_are_missing(indexes, store_class):
    store, old = indexes.store(store_class), indexes.store(oldest_crash_days=10)
    here, before, unlikely, grown_old = crash_ids = [on(0), on(-7), on(-5000), on(-11)]
    for crash_id in (here, before, unlikely):
        save(store, crash_id)
    save(old, grown_old)
    unknown, in_no_index = on(0), on(-21)
    # At once, before any search would find them.
    assert store.missing_processed([*crash_ids, unknown, in_no_index]) == {unknown, in_no_index}
    store.remove(here)
    assert store.missing_processed(crash_ids) == {here}
    assert store.missing_processed([]) == set()


def test_in_a_cluster_that_is_not_ours_no_crash_is_called_missing(store):
    with pytest.raises(TransientStorageError, match="socorro setup"):
        store.missing_processed([on(0)])


OWN = '[{"name": "albums", "type": "integer", "annotations": ["AlbumCount"], "access": "public"}]'


FORMER = {
    "dynamic": False,
    "_meta": {"socorro_processor": 2},
    "properties": {
        "crash_id": PROPERTIES["crash_id"],
        "processed_crash": {"dynamic": False, "properties": {"reason": {"type": "keyword"}}},
        "raw_crash": PROPERTIES["raw_crash"],
    },
}


def test_new_fields_reach_an_index_that_is_there_already(indexes, store):
    crash_id = on(0)
    index = store.indexes.index_of(crash_id)
    indexes.client.indices.create(index=index, mappings=FORMER)
    indexes.store(**{"resource.fields.own_fields": OWN}).save_raw_and_processed(
        {}, {}, {"uuid": crash_id, "processing": {"algorithm": 2026}, "process_type": "gpu", "albums": 3}, crash_id
    )
    assert indexes.ids({"term": {"processed_crash.process_type": "gpu"}}) == {crash_id}
    assert indexes.ids({"range": {"processed_crash.albums": {"gt": 2}}}) == {crash_id}
    mapped = indexes.mappings()[index]["properties"]["processed_crash"]["properties"]
    assert "remote_type" not in mapped
    assert mapped["reason"] == {"type": "keyword"}


def test_setup_gives_new_fields_to_all_indexes(indexes, store):
    old = store.indexes.index_of(on(-70))
    for index in (old, store.indexes.other):
        indexes.client.indices.create(index=index, mappings=FORMER)
    store.setup()
    for index in (old, store.indexes.other):
        properties = indexes.mappings()[index]["properties"]["processed_crash"]["properties"]
        assert properties.keys() == PROPERTIES["processed_crash"]["properties"].keys()


def test_crashes_are_saved_in_an_index_that_takes_no_more_fields(indexes, store, caplog):
    crash_id = on(0)
    index = store.indexes.index_of(crash_id)
    settings = {"index": {"mapping.total_fields.limit": 5}}
    indexes.client.indices.create(index=index, mappings=FORMER, settings=settings)
    save(store, crash_id)
    assert indexes.index_of(crash_id) == index
    assert f"index {index} lacks fields, which are not searched: " in caplog.text
    assert "Limit of total fields [5] has been exceeded" in caplog.text


def test_processors_with_different_own_fields_keep_one_template_of_all(indexes):
    first, second = (
        indexes.store(**{"resource.fields.own_fields": own}) for own in (OWN, OWN.replace("albums", "tracks"))
    )
    for each in (first, second, first, second):
        each.indexes.forget()
        save(each, on(0))
    fields = template(indexes)["template"]["mappings"]["properties"]["processed_crash"]["properties"]
    assert (fields["albums"], fields["tracks"]) == ({"type": "long"}, {"type": "long"})
    assert fields.keys() - {"albums", "tracks"} == PROPERTIES["processed_crash"]["properties"].keys()
