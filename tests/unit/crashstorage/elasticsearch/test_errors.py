"""Elasticsearch's reasons are reported with its own words and the names in the mapping, but no value of a crash."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.crashstorage.elasticsearch.errors import (
    DocumentTooLarge,
    translate_elasticsearch_error,
    without_quoted_data,
)

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
def test_words_of_elasticsearch_and_names_of_the_mapping_are_shown(reason, told):
    assert without_quoted_data(reason.replace("{}", "https://example.com/secret' [x] 1234")) == told


@given(
    st.sampled_from([reason for reason, _ in REASONS]),
    st.text("xyz0123456789@äß", min_size=1),
    st.text("[]'\"{}:., \n\0", max_size=9),
    st.text("[]'\"{}:., \n\0", max_size=9),
)
def test_no_value_is_shown_however_it_is_quoted(reason, value, before, after):
    told = without_quoted_data(reason.replace("{}", f"{before}q{value}{after}"))
    assert f"q{value}" not in told


@pytest.mark.parametrize(
    "answer", [None, b"", "text", [], {}, {"error": None}, {"error": []}, {"error": {"type": None}}]
)
def test_an_answer_of_another_form_is_not_the_crashs_fault(answer):
    assert translate_elasticsearch_error(400, answer, "save", [1]).transient


def test_a_word_that_is_not_an_error_type_is_not_shown_as_one():
    error = translate_elasticsearch_error(
        400, {"error": {"type": "https://example.com/secret", "reason": "x"}}, "save", [1]
    )
    assert "secret" not in str(error)


def test_an_endless_chain_of_causes_is_not_followed_for_ever():
    error = {"type": "a_exception", "reason": "failed"}
    error["caused_by"] = error
    assert str(translate_elasticsearch_error(400, {"error": error}, "save", [1])).endswith("400, a_exception: failed")


MB = 1_000_000


def rejected(what, operation, most, others=0):
    """A rejection in Elasticsearch's words; all numbers are bytes."""
    reason = (
        f"rejected execution of {what} operation [coordinating_and_primary_bytes={others}, replica_bytes=0, "
        f"all_bytes={others}, {what}_operation_bytes={operation}, max_{what}_bytes={most}]"
    )
    return {"error": {"type": "es_rejected_execution_exception", "reason": reason}}


def over_the_size_of_an_operation(operation, most):
    reason = (
        f"Request contains an operation of size [{operation}] bytes, which exceeds the maximum allowed limit of "
        f"[{most}] bytes"
    )
    return {"error": {"type": "es_rejected_execution_exception", "reason": reason}}


@pytest.mark.parametrize(
    ("answer", "documents", "share"),
    [
        (rejected("coordinating", 70 * MB, 50 * MB), [70 * MB], 50 / 70),
        (rejected("primary", 70 * MB, 50 * MB), [70 * MB], 50 / 70),
        (rejected("primary", 80 * MB, 50 * MB, others=20 * MB), [20 * MB], 50 / 100),
        # Elasticsearch 9: 4 * 11 MB would have room, if the request itself had not been counted before.
        (rejected("primary", 44 * MB, 50 * MB, others=11 * MB), [11 * MB], 50 / 55),
        (rejected("primary", 36 * MB, 50 * MB, others=19 * MB), [9 * MB, 10 * MB], 50 / 55),
        (over_the_size_of_an_operation(60 * MB, 50 * MB), [60 * MB], 50 / 60),
    ],
)
def test_a_document_without_room_even_alone_is_too_large_and_the_fitting_share_is_reported(answer, documents, share):
    error = translate_elasticsearch_error(429, answer, "save", documents)
    assert isinstance(error, DocumentTooLarge)
    assert error.share == pytest.approx(share, rel=0.001)


@pytest.mark.parametrize(
    ("answer", "documents"),
    [
        (rejected("coordinating", 30 * MB, 50 * MB, others=30 * MB), [30 * MB]),
        # Elasticsearch 8, on another node than the one that was asked: once what came.
        (rejected("primary", 30 * MB, 50 * MB, others=30 * MB), [30 * MB]),
        (rejected("primary", 36 * MB, 50 * MB, others=20 * MB), [9 * MB]),
        (rejected("coordinating", 70 * MB, 50 * MB), []),
    ],
)
def test_a_document_without_room_beside_others_is_tried_again(answer, documents):
    assert translate_elasticsearch_error(429, answer, "save", documents).transient


def test_a_document_that_speaks_of_bytes_is_not_taken_for_a_rejection():
    quoted = "Preview of field's value: 'primary_operation_bytes=9, max_primary_bytes=1'"
    error = translate_elasticsearch_error(
        400, {"error": {"type": "document_parsing_exception", "reason": quoted}}, "save", [1]
    )
    assert not isinstance(error, DocumentTooLarge)
