"""Annotations and parts of the stackwalker's JSON become fields as the table says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.fields import FIELDS
from socorro_processor.rules.fields import FieldsRule, is_copied
from tests.unit.rules.fields_of_crashes import after, crash

COPIED = [field for field in FIELDS if is_copied(field)]
TEXTS = [field for field in COPIED if field.type == "string" and field.annotations and field.name != "process_type"]
NUMBERS = [field for field in COPIED if field.type in ("integer", "number", "boolean")]


@pytest.fixture(scope="module")
def rule() -> FieldsRule:
    return FieldsRule()


@pytest.mark.parametrize("field", TEXTS, ids=lambda field: field.name)
def test_each_annotation_of_a_text_counts_if_those_before_it_are_empty(field, rule):
    for place, name in enumerate(field.annotations):
        raw = dict.fromkeys(field.annotations[:place], " \0\n") | {name: "8335888 \0"}
        expected = "0x7f3210" if field.name == "phc_base_address" else "8335888"
        assert after(rule, crash(raw)).processed[field.name] == expected


@pytest.mark.parametrize("field", COPIED, ids=lambda field: field.name)
@pytest.mark.parametrize("value", [None, "", " ", "\0"], ids=["null", "empty", "white space", "NUL"])
def test_an_annotation_that_says_nothing_leaves_the_default_or_no_field(value, field, rule):
    processed = after(rule, crash(dict.fromkeys(field.annotations, value))).processed
    assert processed.get(field.name) == field.default
    assert (field.name in processed) == (field.default is not None)


@pytest.mark.parametrize("field", [field for field in NUMBERS if field.annotations], ids=lambda field: field.name)
def test_a_value_of_another_type_is_noted_and_left_out(field, rule):
    found = after(rule, crash({field.annotations[0]: "perhaps jane@example.com"}))
    assert field.name not in found.processed
    (note,) = found.notes
    assert field.annotations[0] in note
    assert "jane" not in note


@pytest.mark.parametrize("value", [{"a": "jane"}, ["jane"]])
def test_a_text_that_is_an_object_or_a_list_is_noted_and_left_out(value, rule):
    found = after(rule, crash({"Notes": value}))
    assert "app_notes" not in found.processed
    assert found.notes == ["Notes is left out: it is not a text"]


def test_a_text_that_is_a_number_is_its_text_with_a_note(rule):
    found = after(rule, crash({"ProductID": 52}))
    assert found.processed["productid"] == "52"
    assert found.notes == ["ProductID is not a string, but int: it is read as its text"]


def test_after_a_value_of_another_type_the_next_annotation_counts(rule):
    found = after(rule, crash({"OOMAllocationSize": "lots", "oom-size": "33554432"}))
    assert found.processed["oom_allocation_size"] == 33554432
    assert found.notes == ["OOMAllocationSize is left out: it is not a whole number of 64 bits"]


def test_numbers_and_booleans_of_clients_that_send_json_are_taken_as_they_are(rule):
    raw = {"TotalPhysicalMemory": 17179869184, "SafeMode": True, "UptimeTS": 12, "StartupCrash": 0}
    found = after(rule, crash(raw))
    names = ("total_physical_memory", "safe_mode", "uptime_ts", "startup_crash")
    assert [found.processed[name] for name in names] == [17179869184, True, 12.0, False]
    assert found.notes == []


def test_the_dump_comes_before_annotations_if_it_says_anything(rule):
    table = FieldsRule(
        defaults(
            FieldsRule, own_fields=json.dumps([{"name": "album", "annotations": ["Album"], "json_dump": "x.album"}])
        )
    )
    given = {"Album": "sent"}
    assert after(table, crash(given, {"x": {"album": "walked "}})).processed["album"] == "walked"
    assert after(table, crash(given, {"x": {"album": " "}})).processed["album"] == "sent"
    assert after(table, crash(given, {"x": []})).processed["album"] == "sent"
    other_type = after(table, crash(given, {"x": {"album": {}}}))
    assert other_type.processed["album"] == "sent"
    assert other_type.notes == ["json_dump.x.album is left out: it is not a text"]


def test_an_operators_own_fields_are_copied_by_their_types():
    rows = [
        {"name": "albums", "type": "integer", "annotations": ["Albums", "albums"], "default": 0},
        {"name": "album_list", "type": "array", "annotations": ["AlbumList"]},
        {"name": "taken_at", "type": "date", "annotations": ["TakenAt"]},
        {"name": "second_frame", "json_dump": "threads.0.frames.1.function"},
    ]
    rule = FieldsRule(defaults(FieldsRule, own_fields=json.dumps(rows)))
    json_dump = {"threads": [{"frames": [{"function": "a"}, {"function": "b"}]}]}
    raw = {"albums": "3", "AlbumList": '["a"]', "TakenAt": "2016-07-01T10:00:00Z"}
    processed = after(rule, crash(raw, json_dump)).processed
    assert {row["name"]: processed[row["name"]] for row in rows} == {
        "albums": 3,
        "album_list": ["a"],
        "taken_at": "2016-07-01T10:00:00+00:00",
        "second_frame": "b",
    }
    assert after(rule, crash()).processed["albums"] == 0


def test_facts_about_the_crashing_thread_may_be_only_in_the_list_of_threads(rule):
    threads = [{"last_error_value": "ERROR_SUCCESS"}, {"last_error_value": "ERROR_COMMITMENT_LIMIT"}]
    json_dump: dict[str, Any] = {"crash_info": {"crashing_thread": 1}, "threads": threads}
    assert after(rule, crash({}, json_dump)).processed["last_error_value"] == "ERROR_COMMITMENT_LIMIT"
    json_dump["crashing_thread"] = {"last_error_value": "ERROR_NOT_ENOUGH_MEMORY"}
    assert after(rule, crash({}, json_dump)).processed["last_error_value"] == "ERROR_NOT_ENOUGH_MEMORY"
    assert "last_error_value" not in after(rule, crash({}, {"threads": threads})).processed
    beyond = {"crash_info": {"crashing_thread": 7}, "threads": threads}
    assert "last_error_value" not in after(rule, crash({}, beyond)).processed


def test_parts_of_other_fields_and_computed_fields_are_not_copied():
    assert [field.name for field in COPIED if field.computed or "." in field.name] == []
    assert {"product", "os_name", "crashing_thread", "moz_crash_reason"}.isdisjoint(field.name for field in COPIED)
