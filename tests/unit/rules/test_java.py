"""Java stacks and exceptions: complete for those who may see data of users, without messages for everyone."""

from __future__ import annotations

import json

import pytest

from socorro_processor.rules.java import JavaStackRule
from tests.unit.rules.fields_of_crashes import after, crash

FRAME = "\tat org.harbor.Crane.lift(Crane.java:212)"


def test_the_messages_of_a_stack_are_not_for_everyone():
    text = f"a.B: jane\n{FRAME}\nCaused by: c.D: jane\n\t... 2 more\n"
    found = after(JavaStackRule(), crash({"JavaStackTrace": text}))
    assert found.processed["java_stack_trace"] == f"a.B\n{FRAME}\nCaused by: c.D\n\t... 2 more"
    assert found.processed["java_stack_trace_raw"] == text.rstrip()
    assert found.notes == []


def test_nothing_is_shown_of_a_text_that_is_not_a_java_stack():
    text = "the gate of jane is stuck"
    found = after(JavaStackRule(), crash({"JavaStackTrace": text}))
    assert found.processed["java_stack_trace"] == "malformed"
    assert found.processed["java_stack_trace_raw"] == text
    assert len(found.notes) == 1
    assert "jane" not in found.notes[0]


def test_the_stack_of_a_chromium_client_counts_where_mozillas_is_empty():
    raw = {"JavaStackTrace": " \n", "exception_info": f"a.B: jane\n{FRAME}"}
    processed = after(JavaStackRule(), crash(raw)).processed
    assert processed["java_stack_trace"] == f"a.B\n{FRAME}"
    assert processed["java_stack_trace_raw"] == f"a.B: jane\n{FRAME}"


@pytest.mark.parametrize("raw", [{}, {"JavaStackTrace": None}, {"JavaStackTrace": " "}, {"JavaException": ""}])
def test_without_a_stack_there_are_no_fields(raw):
    found = after(JavaStackRule(), crash(raw))
    assert (found.processed, found.notes) == ({}, [])


def test_a_stack_that_is_not_a_text_is_noted_and_left_out():
    found = after(JavaStackRule(), crash({"JavaStackTrace": {"a": "jane"}}))
    assert found.processed == {}
    assert found.notes == ["JavaStackTrace is left out: it is not a text"]


EXCEPTION = {
    "exception": {
        "values": [
            {
                "type": "IOException",
                "value": "jane",
                "stacktrace": {"value": "jane", "frames": [{"function": "open", "lineno": 3, "value": "jane"}]},
            }
        ]
    }
}
PUBLIC = {
    "exception": {
        "values": [{"type": "IOException", "stacktrace": {"frames": [{"function": "open", "lineno": 3}]}}],
    }
}


@pytest.mark.parametrize("value", [EXCEPTION, json.dumps(EXCEPTION)])
def test_a_structured_exception_loses_its_values_for_everyone(value):
    processed = after(JavaStackRule(), crash({"JavaException": value})).processed
    assert processed["java_exception"] == PUBLIC
    assert processed["java_exception_raw"] == EXCEPTION


@pytest.mark.parametrize("value", ["[]", "not JSON", "7", ["a"]])
def test_an_exception_that_is_not_an_object_is_noted_and_left_out(value):
    found = after(JavaStackRule(), crash({"JavaException": value}))
    assert found.processed == {}
    assert len(found.notes) == 1
    assert "JavaException" in found.notes[0]


@pytest.mark.parametrize(
    "value", [{}, {"exception": "jane"}, {"exception": {"values": []}}, {"exception": {"values": ["jane"]}}]
)
def test_an_object_that_is_not_an_exception_is_not_for_everyone(value):
    found = after(JavaStackRule(), crash({"JavaException": value}))
    assert found.processed == {"java_exception_raw": value}
    assert len(found.notes) == 1
    assert "jane" not in found.notes[0]
