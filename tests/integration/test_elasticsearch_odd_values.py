"""Whatever a crash holds, its document is saved: a value that does not fit the mapping costs its field, with a note."""

from __future__ import annotations

import datetime
import json
import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.elasticsearch.bulk import ESBulkCrashStorage
from socorro_processor.crashstorage.elasticsearch.mapping import PROPERTIES, fields_with_values
from socorro_processor.monitoring.metrics import METRICS

SECRET = "https://example.com/secret"

PROCESSED_FIELDS = {
    path.removeprefix("processed_crash."): field["type"]
    for path, field in fields_with_values(PROPERTIES)
    if path.startswith("processed_crash.") and path != "processed_crash.uuid"
}
OBJECTS = {path.rpartition(".")[0] for path in PROCESSED_FIELDS} - {""}
ODD_VALUES = {
    "text": SECRET,
    "empty text": "",
    "digits": "5",
    "NUL": "a\0b",
    "a lone surrogate": "\ud800",
    "unicode": "\U0001f600 \u202e \ufeff \u2028",
    "a megabyte": "\u20ac" * 350_000,
    "number": 5,
    "zero": 0,
    "negative": -1,
    "fraction": 1.5,
    "over a long": 2**63,
    "over 64 bit": 2**64,
    "under a long": -(2**63) - 1,
    "over a double": 10**400,
    "huge fraction": 1e308,
    "NaN": float("nan"),
    "infinity": float("-inf"),
    "true": True,
    "false": False,
    "null": None,
    "list": [1, "x", None, True],
    "empty list": [],
    "list of lists": [["a", "b"], ["c", None]],
    "deep list": json.loads("[" * 150 + "]" * 150),
    "list of objects": [{"a": SECRET}],
    "object": {"a": SECRET},
    "empty object": {},
    "object with odd names": {"": 1, " ": 2, ".": 3, "a..b": 4, "a.b": 5, "a\0b": 6, "n" * 40_000: 7, "\ud800": 8},
    "object in a list, odd": [{"a\0b": 1, "n" * 40_000: [{"": 1}]}],
    "deep object": json.loads('{"a":' * 150 + "1" + "}" * 150),
    "deep both": json.loads('[{"a":' * 70 + "1" + "}]" * 70),
    "date": "2016-11-23T12:00:00.123456+00:00",
    "year of many digits": "300000-01-01",
    "no date": "2016-13-40",
    "date in another form": "23 Nov 2016",
    "compact date": "20161123T120000Z",
    "datetime": datetime.datetime(2016, 11, 23, tzinfo=datetime.UTC),
    "set": {"a"},
    "bytes": b"a\xff",
    "anything": object(),
}
FITTING = {
    "keyword": "text",
    "text": "text",
    "long": 7,
    "double": 0.5,
    "boolean": True,
    "date": "2016-11-23T12:00:00.123456+00:00",
    "flattened": {"name": "text"},
}


@pytest.fixture(scope="module")
def store(indexes):
    return indexes.store()


@pytest.fixture
def crash():
    return new_crash_id()


def save(store, crash_id, processed=None, raw=None):
    store.save_raw_and_processed(raw or {}, {}, {"uuid": crash_id, **(processed or {})}, crash_id)


def nested(values):
    """Return an object from dotted paths."""
    top = {}
    for path, value in values.items():
        *within, name = path.split(".")
        inner = top
        for part in within:
            inner = inner.setdefault(part, {})
        inner[name] = value
    return top


def at(document, path):
    for part in path.split("."):
        document = document[part]
    return document


def left_out(field):
    return METRICS.snapshot().counter("elasticsearch.left_out", field=field)


def test_a_fitting_value_is_saved_in_every_field_and_none_is_ignored(indexes, store, crash):
    values = {path: FITTING[kind] for path, kind in PROCESSED_FIELDS.items()}
    save(store, crash, nested(values))
    (hit,) = indexes.search({"term": {"crash_id": crash}})
    assert hit["_source"]["processed_crash"] == {"uuid": crash, **nested(values)}
    assert "_ignored" not in hit


@pytest.mark.parametrize("odd", ODD_VALUES)
def test_an_odd_value_in_every_field_at_once_does_not_lose_the_document(indexes, store, crash, odd):
    save(
        store,
        crash,
        {**nested(dict.fromkeys(PROCESSED_FIELDS, ODD_VALUES[odd])), "unmapped": ODD_VALUES[odd]},
        {"Annotation": ODD_VALUES[odd], "": ODD_VALUES[odd], "a.b": ODD_VALUES[odd]},
    )
    assert indexes.document(crash)["processed_crash"]["uuid"] == crash


@pytest.mark.parametrize("odd", ODD_VALUES)
def test_an_odd_value_in_the_place_of_an_object_does_not_lose_the_document(indexes, store, crash, odd):
    save(store, crash, dict.fromkeys(TOP_OBJECTS, ODD_VALUES[odd]))
    assert indexes.document(crash)["processed_crash"]["uuid"] == crash


TOP_OBJECTS = sorted({path.partition(".")[0] for path in OBJECTS})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("uptime", "not a number"),
        ("uptime", {"not": "a number"}),
        ("uptime", 2**63),
        ("uptime", True),
        ("uptime", 1.5),
        ("success", "true"),
        ("success", 1),
        ("date_processed", "2016-13-40"),
        ("date_processed", "yesterday"),
        ("date_processed", 1480000000),
        ("product", {"name": "x"}),
        ("product", [{"name": "x"}]),
        ("signature", {"full": "x"}),
        ("processing", "text"),
        ("processing.attempt", "2"),
        ("processing.durations.rules", float("inf")),
        ("processing.durations.rules", 10**400),
        ("json_dump", [1]),
        ("classifications", "text"),
    ],
)
def test_a_value_of_a_wrong_type_costs_that_field_and_is_noted(indexes, store, crash, caplog, field, value):
    before = left_out(f"processed_crash.{field}")
    with caplog.at_level(logging.WARNING):
        save(store, crash, {"reason": "SIGSEGV", **nested({field: value})})
    document = indexes.document(crash)["processed_crash"]
    assert document["reason"] == "SIGSEGV"
    with pytest.raises(KeyError):
        at(document, field)
    assert left_out(f"processed_crash.{field}") == before + 1
    (line,) = [record.getMessage() for record in caplog.records if crash in record.getMessage()]
    assert f"processed_crash.{field} ({type(value).__name__})" in line


def test_the_note_on_an_unfitting_value_does_not_quote_it(store, crash, caplog):
    with caplog.at_level(logging.DEBUG):
        save(
            store, crash, {"uptime": {"url": SECRET}, SECRET: 1, "product": [{SECRET: SECRET}]}, {f"{SECRET}\0": SECRET}
        )
    assert "processed_crash.* (str)" in caplog.text
    assert "raw_crash.* (str)" in caplog.text
    assert SECRET not in caplog.text


def test_a_name_that_would_be_read_as_a_path_costs_that_field(indexes, store, crash):
    odd = {"product.name": 1, "": 1, " ": 1, ".": 1, "a..b": 1, "upload_file_minidump_x.y": {"success": True}}
    save(store, crash, {**odd, "product": "Lightbox", "json_dump": {"a.b": 1, "status": "OK"}})
    assert indexes.document(crash)["processed_crash"] == {
        "uuid": crash,
        "product": "Lightbox",
        "json_dump": {"status": "OK"},
    }


def test_odd_names_deeper_within_are_kept(indexes, store, crash):
    report = {"": 1, " ": {"a..b": [{"\0": 2}]}, "n" * 70_000: {"": 3}}
    save(store, crash, {"memory_report": report})
    assert indexes.document(crash)["processed_crash"]["memory_report"] == report


def test_a_keyword_over_32766_bytes_is_kept_and_a_shorter_one_is_found(indexes, store, crash):
    values = {"reason": "\u20ac" * 11_000, "product": crash, "cpu_info": "\U0001f600" * 5000}
    save(store, crash, values, {"Long": "x" * 40_000, "Short": crash})
    document = indexes.document(crash)
    assert document["processed_crash"] == {"uuid": crash, **values}
    assert document["raw_crash"] == {"Long": "x" * 40_000, "Short": crash}
    assert indexes.ids({"term": {"raw_crash.Short": crash}}) == {crash}
    assert indexes.ids({"term": {"processed_crash.product": crash}}) == {crash}


@pytest.mark.parametrize("character", ["n", "\u00e9", "\u20ac", "\U0001f600"])
@pytest.mark.parametrize("value", ["\u20ac" * 8191, "\U0001f600" * 4095, "x" * 8191])
def test_the_longest_names_with_the_longest_values_are_kept(indexes, store, crash, character, value):
    longest = 8192 // len(character.encode())
    save(store, crash, raw={character * longest: value, character * (longest + 1): value, "short": value})
    assert set(indexes.document(crash)["raw_crash"]) == {character * longest, "short"}


def test_annotations_are_kept_down_to_the_deepest_level_that_can_be_saved(indexes, store, crash):
    def nest(depth):
        value = "x"
        for _ in range(depth):
            value = {"a": value}
        return value

    save(store, crash, raw={"deep": nest(19), "deeper": nest(20), "list": [[nest(17)]]})
    raw = indexes.document(crash)["raw_crash"]
    assert raw["deep"] == nest(19)
    assert raw["list"] == [[nest(17)]]
    assert raw["deeper"] != nest(20)


def test_nul_surrogates_and_every_other_character_are_saved_and_found(indexes, store, crash):
    text = f"{crash} a\0b\x01\x7f\u2028\u202e\ufeff\U0001f600 \ud83d"
    mended = text.replace("\ud83d", "\ufffd")
    save(store, crash, {"signature": text, "reason": text, "unmapped": text}, {"Annotation": text, "\U0001f600": "x"})
    document = indexes.document(crash)
    assert document["processed_crash"] == {"uuid": crash, "signature": mended, "reason": mended, "unmapped": mended}
    assert document["raw_crash"] == {"Annotation": mended, "\U0001f600": "x"}
    for field in ("processed_crash.signature.full", "processed_crash.reason", "raw_crash.Annotation"):
        assert indexes.ids({"term": {field: mended}}) == {crash}


def test_a_date_that_only_python_can_read_costs_no_document(indexes, store, crash):
    save(store, crash, {"date_processed": "2016-11-23T120000,5", "product": "Lightbox"})
    (hit,) = indexes.search({"term": {"crash_id": crash}})
    assert hit["_ignored"] == ["processed_crash.date_processed"]


def test_100000_names_of_annotations_over_time_do_not_grow_the_mapping(indexes):
    store = indexes.store(ESBulkCrashStorage)
    save(store, new_crash_id(), raw={"first": "x"})
    before = indexes.mappings()
    crashes = [new_crash_id() for _ in range(50)]
    for number, crash_id in enumerate(crashes):
        names = range(number * 2000, (number + 1) * 2000)
        save(store, crash_id, {f"field{number}": 1}, {f"Annotation{name}": f"value{name}" for name in names})
    assert indexes.mappings() == before
    assert indexes.ids({"term": {"raw_crash.Annotation99999": "value99999"}}) == {crashes[-1]}
    assert indexes.ids({"exists": {"field": "raw_crash.Annotation0"}}) == {crashes[0]}


def test_100000_names_in_one_crash_are_saved(indexes, store, crash):
    save(store, crash, raw={f"Name{number}": str(number) for number in range(100_000)})
    assert len(indexes.document(crash)["raw_crash"]) == 100_000


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes().map(lambda at: at.isoformat()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    values=st.dictionaries(st.sampled_from(sorted(PROCESSED_FIELDS)), anything, max_size=6),
    objects=st.dictionaries(st.sampled_from(TOP_OBJECTS), anything, max_size=1),
    others=st.dictionaries(st.text(), anything, max_size=3),
    raw=st.dictionaries(st.text(), anything, max_size=4),
)
def test_any_crash_at_all_is_saved(store, values, objects, others, raw):
    crash_id = new_crash_id()
    save(store, crash_id, {**others, **nested(values), **objects}, raw)
    assert store.remove(crash_id) is None
