"""Indexes and template vanish while a store works, as if an empty cluster had replaced this one at its address."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.elasticsearch.indexes import KNOWN_FOR
from socorro_processor.crashstorage.elasticsearch.mapping import PROPERTIES, VERSION, mappings_of
from socorro_processor.errors import CrashStorageError, PartlyAwayError, TransientStorageError
from tests.integration.elasticsearch_indexes import TODAY, URLS, own_indexes
from tests.integration.test_elasticsearch_failures import failing

STORES = 4
TIMES = 5


@pytest.fixture
def indexes():
    with own_indexes() as indexes:
        yield indexes


@pytest.fixture
def store(indexes, store_class):
    return indexes.store(store_class)


@pytest.fixture
def index(indexes):
    """The index of this week."""
    return f"{indexes.template}-{TODAY:%Y%W}"


def save(store, crash_id=None):
    crash_id = crash_id or new_crash_id()
    store.save_raw_and_processed({"Annotation": "x"}, {}, {"uuid": crash_id}, crash_id)
    return crash_id


def made_by_the_template(indexes):
    return all(
        each["_meta"] == {"socorro_processor": VERSION} and each["dynamic"] == "false"
        for each in indexes.mappings().values()
    )


def template_version(indexes):
    found = indexes.client.options(ignore_status=404).indices.get_index_template(name=indexes.template).body
    return found["index_templates"][0]["index_template"]["version"] if "index_templates" in found else None


def test_the_next_crash_is_saved_in_an_index_that_the_template_made(indexes, store, index):
    save(store)
    indexes.replace()
    crash_id = save(store)
    assert indexes.index_of(crash_id) == index
    assert made_by_the_template(indexes)
    assert template_version(indexes) == VERSION


def test_an_index_that_the_next_save_will_make_again_does_not_prevent_the_save(indexes, store, index):
    """A crash that failed before is tried again only once its stores are usable."""
    save(store)
    indexes.replace()
    with pytest.raises(TransientStorageError, match="no index template"):
        store.check()
    store.limited_to(["destination"]).check_before_retry()
    save(store)
    store.check()


def test_if_no_index_can_be_made_the_crash_waits(indexes, front, store_class):
    store = indexes.store(store_class, **{URLS: front.url})
    save(store)
    indexes.replace()
    front.answer = lambda request: failing("security_exception", "no", 403) if "_index_template" in request else None
    with pytest.raises(TransientStorageError, match="security_exception"):
        save(store)
    assert indexes.mappings() == {}
    front.answer = lambda request: None
    save(store)
    assert made_by_the_template(indexes)


def test_while_several_processors_save_no_index_is_made_without_the_template(indexes, store_class):
    stores = [indexes.store(store_class) for _ in range(STORES)]

    def save_or_say_why(store):
        try:
            return save(store)
        except CrashStorageError as error:
            return error

    with ThreadPoolExecutor(STORES * 2) as pool:
        for _ in range(TIMES):
            saved = [pool.submit(save_or_say_why, store) for store in stores * 10]
            indexes.replace()
            errors = [each.result() for each in saved if isinstance(each.result(), CrashStorageError)]
            assert all(error.transient for error in errors)
            assert "made without the template" not in " ".join(map(str, errors))
            assert made_by_the_template(indexes)
    crash_ids = {save(store) for store in stores}
    assert indexes.ids({"terms": {"crash_id": list(crash_ids)}}) == crash_ids
    assert made_by_the_template(indexes)


def test_an_index_has_the_mapping_even_if_the_template_is_deleted_meanwhile(indexes, front, store_class):
    def template_goes(request):
        if request == f"PUT /{indexes.template}-{TODAY:%Y%W}":
            indexes.client.options(ignore_status=404).indices.delete_index_template(name=indexes.template)

    front.answer = template_goes
    crash_id = save(indexes.store(store_class, **{URLS: front.url}))
    assert indexes.ids({"term": {"crash_id": crash_id}}) == {crash_id}
    assert template_version(indexes) is None
    assert made_by_the_template(indexes)


def test_template_and_index_are_looked_at_once_a_minute(indexes, front, store_class):
    now = 0.0
    store = indexes.store(store_class, **{URLS: front.url})
    store.indexes.clock = lambda: now
    save(store)
    indexes.client.indices.delete_index_template(name=indexes.template)
    now = KNOWN_FOR - 1
    front.requests.clear()
    save(store)
    assert len(front.requests) == 2
    now = KNOWN_FOR + 1
    save(store)
    assert template_version(indexes) == VERSION


@pytest.mark.parametrize(
    "answer",
    [
        failing("index_not_found_exception", status=404),
        failing("illegal_argument_exception"),
        failing("document_parsing_exception"),
        failing("es_rejected_execution_exception", status=429),
    ],
)
def test_after_a_failed_save_nothing_is_known(indexes, front, store_class, answer):
    store = indexes.store(store_class, **{URLS: front.url})
    save(store)
    indexes.client.indices.delete_index_template(name=indexes.template)
    front.answer = lambda request: answer if "_doc" in request or "_bulk" in request else None
    with pytest.raises(CrashStorageError):
        save(store)
    front.answer = lambda request: None
    save(store)
    assert template_version(indexes) == VERSION


def test_an_index_that_another_program_made_says_what_to_do_until_that_is_done(indexes, store_class, index, caplog):
    save(indexes.store(store_class))
    indexes.replace()
    indexes.client.index(index=index, id="x", document={"field": 1})
    for _ in range(2):
        store = indexes.store(store_class)
        store.setup()
        assert f"index {index} was made without the template" in caplog.text
        caplog.clear()
        with pytest.raises(TransientStorageError, match=r"delete it.*verify-processed --reprocess"):
            save(store)
        with pytest.raises(TransientStorageError, match=r"delete it.*verify-processed --reprocess"):
            store.check()
        assert indexes.client.count(index=index)["count"] <= 1
    indexes.client.indices.delete(index=index)
    save(store)
    store.check()
    assert made_by_the_template(indexes)


def test_no_crash_is_blamed_for_the_mapping_of_an_index_that_another_program_made(indexes, store, index):
    save(store)
    indexes.replace()
    mappings = {"properties": {"processed_crash": {"type": "long"}}}
    indexes.client.indices.create(index=index, mappings=mappings, aliases={f"{index}.write": {}})
    with pytest.raises(PartlyAwayError, match=f"index {index} was made without the template"):
        save(store)
    store.limited_to(["destination"]).check_before_retry()


def test_an_index_that_an_older_version_made_is_written_to(indexes, store, index):
    indexes.client.indices.create(index=index, mappings=mappings_of(PROPERTIES))
    crash_id = save(store)
    assert indexes.index_of(crash_id) == index


def test_setup_prepares_the_indexes_of_older_versions(indexes, front, store_class, index):
    """The processor's user may lack the privilege."""
    before = f"{indexes.template}-{TODAY - timedelta(days=70):%Y%W}"
    for name in (index, before, indexes.other):
        indexes.client.indices.create(index=name, mappings=mappings_of(PROPERTIES))
    forbidden = failing("security_exception", "action [indices:admin/aliases] is unauthorized", 403)
    front.answer = lambda request: forbidden if "/_alias/" in request else None
    store = indexes.store(store_class, **{URLS: front.url})
    with pytest.raises(TransientStorageError, match=r"(?s)socorro setup.*manage.*unauthorized"):
        save(store)
    indexes.store(store_class).setup()
    save(store)
    for days in (70, 5000):
        save(store, new_crash_id(TODAY - timedelta(days=days)))
    assert set(indexes.mappings()) == {index, before, indexes.other}


@pytest.mark.parametrize("part", ["part", "2part"])
def test_an_alias_in_the_place_of_an_index_needs_a_write_index(indexes, store, index, part):
    store.setup()
    parts = [f"{indexes.template}-{part}{number}" for number in (1, 2)]
    for part in parts:
        indexes.client.indices.create(index=part, mappings=mappings_of(PROPERTIES), aliases={index: {}})
    with pytest.raises(PartlyAwayError, match=rf"{parts[0]}, {parts[1]}\) must be its write index"):
        save(store)
    indexes.client.indices.put_alias(index=parts[1], name=index, is_write_index=True)
    assert indexes.index_of(save(store)) == parts[1]
