"""What may be told of Elasticsearch's reasons: its own words and the names in our mapping, no value of a crash."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.crashstorage.elasticsearch.refusals import failure, told_of

REASONS = [
    (
        "[1:44] failed to parse field [processed_crash.uptime] of type [long] in document with id '9'. Preview of "
        "field's value: '{}'",
        "failed to parse field [processed_crash.uptime] of type [long] in document with id ... Preview of "
        "field's value: ...",
    ),
    (
        "[1:36] object mapping for [processed_crash.processing] tried to parse field [processing] as object, but found "
        "a concrete value",
        "object mapping for [processed_crash.processing] tried to parse field [processing] as object, but found "
        "a concrete value",
    ),
    (
        "failed to parse date field [{}] with format [strict_date_optional_time]",
        "failed to parse date field ... with format ...",
    ),
    ('For input string: "{}"', "For input string: ..."),
    ("[1:11] Duplicate field '{}'\n at [Source: (byte[])", "Duplicate field ... at ..."),
    ("Limit of total fields [1000] has been exceeded", "Limit of total fields ... has been exceeded"),
    ("{}", ""),
]


@pytest.mark.parametrize(("reason", "told"), REASONS)
def test_words_of_elasticsearch_and_names_of_the_mapping_are_told(reason, told):
    assert told_of(reason.replace("{}", "https://example.com/secret' [x] 1234")) == told


@given(
    st.sampled_from([reason for reason, _ in REASONS]),
    st.text("xyz0123456789@äß", min_size=1),
    st.text("[]'\"{}:., \n\0", max_size=9),
    st.text("[]'\"{}:., \n\0", max_size=9),
)
def test_no_value_is_told_however_it_is_quoted(reason, value, before, after):
    told = told_of(reason.replace("{}", f"{before}q{value}{after}"))
    assert f"q{value}" not in told


@pytest.mark.parametrize(
    "answer", [None, b"", "text", [], {}, {"error": None}, {"error": []}, {"error": {"type": None}}]
)
def test_an_answer_of_another_form_is_no_crashs_fault(answer):
    assert failure(400, answer, "save", of_a_document=True).transient


def test_what_names_no_kind_of_error_is_not_told_as_one():
    error = failure(400, {"error": {"type": "https://example.com/secret", "reason": "x"}}, "save", of_a_document=True)
    assert "secret" not in str(error)


def test_causes_of_causes_without_an_end_are_not_followed_for_ever():
    error = {"type": "a_exception", "reason": "failed"}
    error["caused_by"] = error
    assert str(failure(400, {"error": error}, "save", of_a_document=True)).endswith("400, a_exception: failed")
