"""Crashes that were saved in Elasticsearch are found there, with the parts that everyone may search."""

from __future__ import annotations

import copy
import json
from datetime import date

import pytest

from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.elasticsearch.bulk import (
    ESBulkCrashStorage,
    ESBulkCrashStorageRedactedJsonDump,
    ESBulkCrashStorageRedactedSave,
)
from socorro_processor.crashstorage.elasticsearch.crashstorage import (
    ESCrashStorage,
    ESCrashStorageRedactedJsonDump,
    ESCrashStorageRedactedSave,
)
from socorro_processor.errors import CrashIDNotFound, InvalidCrashID, PermanentStorageError
from socorro_processor.fields import FIELDS
from socorro_processor.monitoring.metrics import METRICS

STORES = [
    ESCrashStorage,
    ESCrashStorageRedactedSave,
    ESCrashStorageRedactedJsonDump,
    ESBulkCrashStorage,
    ESBulkCrashStorageRedactedSave,
    ESBulkCrashStorageRedactedJsonDump,
]
FULL = [ESCrashStorage, ESBulkCrashStorage]
RAW = {"ProductName": "Lightbox", "Version": "1.0", "uuid": "x"}


@pytest.fixture(scope="module")
def store(indexes):
    return indexes.store()


@pytest.fixture
def crash():
    return new_crash_id()


def processed(crash_id, **fields):
    return {"uuid": crash_id, "crash_id": crash_id, "signature": "main", "product": "Lightbox", **fields}


def save(store, crash_id, raw=None, **fields):
    store.save_raw_and_processed(RAW if raw is None else raw, {}, processed(crash_id, **fields), crash_id)


@pytest.mark.parametrize("store_class", STORES)
def test_a_crash_is_one_document_under_its_id_in_the_index_of_its_week(indexes, crash, store_class):
    save(indexes.store(store_class), crash)
    (hit,) = indexes.search({"term": {"crash_id": crash}})
    assert hit["_id"] == crash
    day = date(2000 + int(crash[-6:-4]), int(crash[-4:-2]), int(crash[-2:]))
    assert hit["_index"] == f"{indexes.template}-{day:%Y%W}"
    assert hit["_source"] == {"crash_id": crash, "processed_crash": processed(crash), "raw_crash": RAW}


def test_a_signature_is_found_as_a_whole_and_by_its_words(indexes, store, crash):
    signature = f"OOM | large | mozilla::gfx::f{crash[:8]}(int const&)"
    save(store, crash, signature=signature)
    assert indexes.ids({"term": {"processed_crash.signature.full": signature}}) == {crash}
    assert indexes.ids({"match": {"processed_crash.signature": f"f{crash[:8]}"}}) == {crash}
    assert indexes.ids({"term": {"processed_crash.signature.full": signature.lower()}}) == set()


def test_crashes_are_counted_by_product(indexes, store):
    build = new_crash_id()
    for product in ("Firefox", "Thunderbird", "Firefox"):
        save(store, new_crash_id(), product=product, build=build)
    indexes.refresh()
    answer = indexes.client.search(
        index=f"{indexes.template}-*",
        size=0,
        query={"term": {"processed_crash.build": build}},
        aggs={"products": {"terms": {"field": "processed_crash.product"}}},
    )
    buckets = answer["aggregations"]["products"]["buckets"]
    assert {bucket["key"]: bucket["doc_count"] for bucket in buckets} == {"Firefox": 2, "Thunderbird": 1}


def test_numbers_and_dates_are_found_by_range(indexes, store, crash):
    save(store, crash, uptime=7, date_processed="2016-11-23T12:00:00.123456+00:00", processing={"attempt": 3})
    query = {
        "bool": {
            "filter": [
                {"term": {"crash_id": crash}},
                {"range": {"processed_crash.uptime": {"gt": 6, "lt": 8}}},
                {"range": {"processed_crash.date_processed": {"gte": "2016-11-23", "lt": "2016-11-24"}}},
                {"range": {"processed_crash.processing.attempt": {"gte": 3}}},
            ]
        }
    }
    assert indexes.ids(query) == {crash}


def test_a_crash_is_found_by_the_symbols_that_it_missed(indexes, store, crash):
    rows = [["xul.pdb", f"{crash[:8]}1", "xul.dll", None], ["shcore.pdb", "2", None, None]]
    save(store, crash, processing={"missing_symbols": rows})
    field = "processed_crash.processing.missing_symbols"
    query = {"bool": {"filter": [{"term": {field: "xul.pdb"}}, {"term": {field: f"{crash[:8]}1"}}]}}
    assert indexes.ids(query) == {crash}


def test_a_crash_is_found_by_any_annotation(indexes, store, crash):
    save(store, crash, raw={"Brand-new annotation": crash, "Nested": {"inner": "x"}})
    assert indexes.ids({"term": {"raw_crash.Brand-new annotation": crash}}) == {crash}
    assert indexes.ids({"bool": {"filter": [{"term": {"crash_id": crash}}, {"term": {"raw_crash.Nested.inner": "x"}}]}})


def test_a_crash_is_found_by_its_classification(indexes, store, crash):
    save(store, crash, classifications={"support": {"classification": crash}})
    assert indexes.ids({"term": {"processed_crash.classifications.support.classification": crash}}) == {crash}


@pytest.mark.parametrize("store_class", STORES)
def test_a_reprocessed_crash_replaces_its_document(indexes, crash, store_class):
    store = indexes.store(store_class)
    save(store, crash, signature="old", reason="gone")
    save(store, crash, signature="new")
    assert indexes.document(crash)["processed_crash"] == processed(crash, signature="new")


JSON_DUMP = {
    "status": "OK",
    "largest_free_vm_block": "0x1000",
    "tiny_block_size": "0x2000",
    "write_combine_size": "0x3000",
    "sensitive": {"exploitability": "high"},
    "threads": [{"frames": []}],
}
PRIVATE = {
    "url": "https://example.com",
    "email": "a@example.com",
    "user_id": "1",
    "exploitability": "high",
    "memory_info": {"x": 1},
    "user_comments": "call me at 555-0100",
    "memory_report": {"reports": [{"path": "window(https://example.com)"}]},
    "java_stack_trace": "java.lang.Exception: a@example.com",
    "json_dump": JSON_DUMP,
    "upload_file_minidump_flash1": {"json_dump": JSON_DUMP, "success": True},
    "upload_file_minidump_flash2": {"json_dump": JSON_DUMP, "success": True},
    "upload_file_minidump_browser": {"json_dump": JSON_DUMP, "success": True},
    "upload_file_minidump_content": {"json_dump": JSON_DUMP, "success": True},
}
PUBLIC = {name: {"success": True} for name in PRIVATE if name.startswith("upload")}


@pytest.mark.parametrize(
    ("store_class", "kept"),
    [
        (ESCrashStorage, PRIVATE),
        (ESBulkCrashStorage, PRIVATE),
        (ESCrashStorageRedactedSave, PUBLIC),
        (ESBulkCrashStorageRedactedSave, PUBLIC),
        *(
            (
                store_class,
                {
                    **PUBLIC,
                    "json_dump": {
                        "largest_free_vm_block": "0x1000",
                        "tiny_block_size": "0x2000",
                        "write_combine_size": "0x3000",
                    },
                },
            )
            for store_class in (ESCrashStorageRedactedJsonDump, ESBulkCrashStorageRedactedJsonDump)
        ),
    ],
)
def test_each_store_keeps_the_part_of_a_processed_crash_that_it_promises(indexes, crash, store_class, kept):
    save(indexes.store(store_class), crash, **PRIVATE)
    assert indexes.document(crash)["processed_crash"] == processed(crash, **kept)


@pytest.mark.parametrize("store_class", STORES)
def test_annotations_that_are_not_for_everyone_are_not_saved(indexes, crash, store_class):
    of_users = ("URL", "Email", "Comments", "PluginContentURL", "PluginUserComment", "email", "comments")
    private = dict.fromkeys((*of_users, "JavaStackTrace", "JavaException", "exception_info"), "secret")
    save(indexes.store(store_class), crash, raw=RAW | private)
    assert indexes.document(crash)["raw_crash"] == RAW


def test_which_keys_are_not_for_everyone_can_be_configured(indexes, crash):
    store = indexes.store(
        ESCrashStorageRedactedJsonDump,
        raw_forbidden_keys="Version",
        forbidden_keys="product",
        json_dump_whitelist_keys="status",
    )
    save(store, crash, raw=RAW | {"URL": "u"}, url="u", json_dump=JSON_DUMP)
    document = indexes.document(crash)
    assert document["raw_crash"] == {"ProductName": "Lightbox", "uuid": "x", "URL": "u"}
    assert document["processed_crash"] == {
        "uuid": crash,
        "crash_id": crash,
        "signature": "main",
        "url": "u",
        "json_dump": {"status": "OK"},
    }


@pytest.mark.parametrize("store_class", STORES)
def test_no_store_changes_its_arguments(indexes, crash, store_class):
    given = (
        RAW | {"URL": "u", "a\0": "x", "odd": "\ud800", "nested": {"a\0": [{"b\0": 1}]}},
        processed(crash, **PRIVATE, uptime={"not": "a number"}, processing={"attempt": "x", "durations": []}),
    )
    before = copy.deepcopy(given)
    indexes.store(store_class).save_raw_and_processed(given[0], {}, given[1], crash)
    assert given == before


def test_a_removed_crash_is_gone_and_can_be_saved_again(indexes, store, crash):
    for _ in range(2):
        save(store, crash)
        assert indexes.ids({"term": {"crash_id": crash}}) == {crash}
        assert store.held(crash) == [f"document in {indexes.index_of(crash)}"]
        store.remove(crash)
        assert store.held(crash) == []
        assert indexes.ids({"term": {"crash_id": crash}}) == set()


def test_a_crash_that_is_not_there_is_not_found_when_it_is_removed(store, crash):
    with pytest.raises(CrashIDNotFound, match=crash):
        store.remove(crash)


def test_a_crash_of_a_week_without_an_index_is_not_found_and_makes_none(indexes, store):
    crash = new_crash_id(date(2016, 2, 29))
    with pytest.raises(CrashIDNotFound):
        store.remove(crash)
    assert f"{indexes.template}-201609" not in indexes.mappings()


@pytest.mark.parametrize("crash_id", ["", "../x", "a\0b", "0bba61c5-dfc3-43e7-dead-8afd20161132", "_search"])
def test_an_invalid_crash_id_is_refused(store, crash_id):
    with pytest.raises(InvalidCrashID):
        save(store, crash_id)
    for use in (store.remove, store.held):
        with pytest.raises(InvalidCrashID):
            use(crash_id)


@pytest.mark.parametrize("store_class", STORES)
def test_each_store_keeps_its_part_of_a_json_dump_with_3000_modules(indexes, crash, store_class):
    modules = [{"filename": f"lib{n}.so", "debug_file": f"lib{n}.so", "debug_id": f"{n:033X}"} for n in range(3000)]
    missing = [[module["debug_file"], module["debug_id"], module["filename"], None] for module in modules]
    json_dump = {**JSON_DUMP, "modules": modules}
    save(indexes.store(store_class), crash, json_dump=json_dump, processing={"missing_symbols": missing})
    saved = indexes.document(crash)["processed_crash"]
    assert saved.get("json_dump", {}).get("modules") == (modules if store_class in FULL else None)
    field = "processed_crash.processing.missing_symbols"
    query = {"bool": {"filter": [{"term": {"crash_id": crash}}, {"term": {field: f"{2999:033X}"}}]}}
    assert indexes.ids(query) == {crash}


@pytest.mark.parametrize("store_class", STORES)
def test_a_processed_crash_of_20_megabytes_is_saved(indexes, crash, store_class):
    frames = [{"frame": n, "function": "f" * 980} for n in range(20_000)]
    json_dump = {"status": "OK", "threads": [{"frames": frames}]}
    save(indexes.store(store_class), crash, json_dump=json_dump)
    saved = indexes.document(crash)["processed_crash"]
    assert saved["signature"] == "main"
    assert (saved.get("json_dump") == json_dump) is (store_class in FULL)


def test_20_megabytes_outside_the_json_dump_are_saved_too(indexes, crash):
    save(indexes.store(ESCrashStorageRedactedJsonDump), crash, own={"reports": ["x" * 1000] * 20_000})
    assert len(indexes.document(crash)["processed_crash"]["own"]["reports"]) == 20_000


def test_the_server_has_room_for_three_crashes_of_20_megabytes_at_once(indexes):
    """Concurrent tests save crashes of that size."""
    assert indexes.largest_document() >= 3 * 20_000_000


@pytest.mark.parametrize("store_class", FULL)
def test_a_crash_that_is_too_large_is_at_fault(indexes, crash, store_class):
    store = indexes.store(store_class, maximum_document_size=1000)
    with pytest.raises(PermanentStorageError, match=r"more than 1000 \(maximum_document_size\)"):
        save(store, crash, java_stack_trace="x" * 1000)
    assert indexes.ids({"term": {"crash_id": crash}}) == set()


def test_a_crash_that_the_server_finds_too_large_is_at_fault(indexes, crash):
    store = indexes.store(maximum_document_size=200_000_000)
    with pytest.raises(PermanentStorageError, match="413"):
        save(store, crash, java_stack_trace="x" * 105_000_000)


@pytest.mark.parametrize("store_class", [ESCrashStorage, ESBulkCrashStorage])
@pytest.mark.parametrize("times", [1.02, 1.1, 1.2])
def test_a_crash_that_the_cluster_never_has_room_for_is_cut(indexes, crash, store_class, caplog, times):
    """``times`` is relative to the largest document that has room if nothing else is being indexed."""
    store = indexes.store(store_class, maximum_document_size=99_000_000)
    before = METRICS.snapshot()
    save(store, crash, own={"reports": "x" * int(times * indexes.largest_document()), "few": [1]})
    saved = indexes.document(crash)["processed_crash"]
    assert saved["signature"] == "main"
    assert saved["own"] == {"few": [1]}
    assert f"crash {crash} is cut for Elasticsearch: " in caplog.text
    assert (
        "fields left out of Elasticsearch because the cluster has no room for them (1): processed_crash.own"
        in caplog.text
    )
    counted = METRICS.snapshot().counter("elasticsearch.left_out", field="processed_crash.*")
    assert counted - before.counter("elasticsearch.left_out", field="processed_crash.*") == 1


def test_a_raw_or_a_processed_crash_alone_is_not_saved(indexes, store, crash):
    store.save_raw_crash(RAW, {}, crash)
    store.save_processed(processed(crash))
    assert indexes.ids({"term": {"crash_id": crash}}) == set()


@pytest.mark.parametrize("read", ["get_raw_crash", "get_raw_dumps", "get_processed", "get_unredacted_processed"])
def test_no_crash_is_read_back_because_it_is_incomplete(store, crash, read):
    save(store, crash)
    assert not store.can(read)


PROTECTED = [field for field in FIELDS if field.is_protected and not field.is_part]


@pytest.mark.parametrize("store_class", STORES)
def test_no_store_has_anything_protected_of_a_crash_of_today(indexes, crash, store_class):
    protected = dict.fromkeys((field.name for field in PROTECTED), "mark of a user")
    walk = protected | {"json_dump": {"handles": "mark of a user", "status": "OK"}}
    raw = dict.fromkeys((name for field in PROTECTED for name in field.annotations), "mark of a user")
    options = {"json_dump_whitelist_keys": "handles, status"} if "JsonDump" in store_class.__name__ else {}
    save(
        indexes.store(store_class, **options),
        crash,
        RAW | raw | {"Unknown": "mark of a user"},
        processing={"algorithm": 2026},
        additional_minidumps=["plugin"],
        java_stack_trace="at a.b",
        **walk,
        plugin=walk,
    )
    document = indexes.document(crash)
    assert "mark of a user" not in json.dumps(document)
    assert document["raw_crash"] == RAW
    assert document["processed_crash"]["java_stack_trace"] == "at a.b"
