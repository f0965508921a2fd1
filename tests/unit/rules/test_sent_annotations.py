"""Annotations in the form in which rules of 2026 read them."""

from __future__ import annotations

from typing import Any

import pytest

from socorro_processor.rules.sent_annotations import CleanAnnotationsRule, CrashpadAnnotationsRule, first_sent, sent
from tests.unit.rules.fields_of_crashes import CRASH_ID, after, crash


def test_annotations_that_are_null_go_and_texts_lose_nul_characters_and_white_space_at_the_end():
    raw = {"A": None, "B": "a\0b", "C": " c \r\n\0 ", "D": "\0", "E": "", "F": 7, "G": [None, "x "], "H": "h\u3000"}
    assert after(CleanAnnotationsRule(), crash(raw)).raw == {
        "uuid": CRASH_ID,
        "B": "ab",
        "C": " c",
        "D": "",
        "E": "",
        "F": 7,
        "G": [None, "x "],
        "H": "h",
    }


def walked(crashpad: Any) -> dict[str, Any]:
    return {"socorro_stackwalk": {"crashpad": crashpad}}


def test_annotations_that_only_crashpad_wrote_into_the_dump_are_added():
    json_dump = walked(
        {
            "annotations": {"prod": "Crane\0 ", "ver": "4", "plat": " ", "ptype": 7, "empty": "dump", "null": "dump"},
            "client_id": "0b5f3c1e",
            "modules": [{"list_annotations": ["abort() called", 7]}, {"list_annotations": ["gate is stuck"]}, 3, {}],
        }
    )
    raw = {"ver": "5", "empty": " ", "null": None}
    assert after(CrashpadAnnotationsRule(), crash(raw, json_dump)).raw == {
        "uuid": CRASH_ID,
        "prod": "Crane",
        "ver": "5",
        "empty": "dump",
        "null": "dump",
        "guid": "0b5f3c1e",
        "list_annotations": "abort() called\ngate is stuck",
    }


def test_what_the_client_sent_itself_stays():
    json_dump = walked(
        {"client_id": "dump", "modules": [{"list_annotations": ["dump"]}], "annotations": {"guid": "other"}}
    )
    raw = {"guid": "sent", "list_annotations": "sent"}
    assert after(CrashpadAnnotationsRule(), crash(raw, json_dump)).raw == {"uuid": CRASH_ID, **raw}


def test_annotations_of_the_dump_cannot_replace_the_collectors():
    given = crash({}, walked({"annotations": {"uuid": "x", "submitted_timestamp": "2000-01-01", "metadata": "{}"}}))
    assert after(CrashpadAnnotationsRule(), given).raw == {"uuid": CRASH_ID}


@pytest.mark.parametrize(
    "json_dump",
    [None, [], {}, {"socorro_stackwalk": []}, walked(None), walked([1]), walked({"annotations": [], "modules": {}})],
)
def test_json_without_annotations_of_crashpad_adds_nothing(json_dump):
    assert after(CrashpadAnnotationsRule(), crash({}, json_dump)).raw == {"uuid": CRASH_ID}


@pytest.mark.parametrize(
    ("value", "expected"), [(" \0", None), ("", None), (None, None), ("a \0", "a"), (0, 0), ([], [])]
)
def test_an_annotation_without_text_counts_as_absent(value, expected):
    assert sent(crash({"A": value}), "A") == expected


def test_a_value_of_another_type_is_noted_once_and_the_next_counts():
    given = crash({"A": ["jane"], "B": "12"})
    assert [first_sent(given, ("A", "B", "C")) for _ in range(2)] == ["12", "12"]
    assert first_sent(given, ("A",), "integer") is None
    assert given.notes == ["A is left out: it is not a text", "A is left out: it is not a whole number of 64 bits"]
