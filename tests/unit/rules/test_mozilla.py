"""Rules that carry Mozilla's annotations over."""

from __future__ import annotations

import pytest

from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.mozilla import (
    EnvironmentRule,
    JavaProcessRule,
    ProductRule,
    TopMostFilesRule,
    UserDataRule,
    Winsock_LSPRule,
)

CRASH_ID = "00000000-0000-4000-8000-000000161123"


def processed(rule, raw: dict[str, object]) -> dict[str, object]:
    crash = Crash(id=CRASH_ID, raw=raw)
    assert rule.act(crash) == (True, True)
    assert crash.notes == []
    return crash.processed


def test_a_product_is_carried_over():
    annotations = {
        "ProductName": "Firefox",
        "Version": "48.0",
        "ProductID": "{ec8030f7}",
        "Distributor": "canonical",
        "Distributor_version": "1.0",
        "ReleaseChannel": "beta",
        "BuildID": "20160726073904",
    }
    assert processed(ProductRule(), annotations) == {
        "product": "Firefox",
        "version": "48.0",
        "productid": "{ec8030f7}",
        "distributor": "canonical",
        "distributor_version": "1.0",
        "release_channel": "beta",
        "ReleaseChannel": "beta",
        "build": "20160726073904",
    }


def test_missing_product_fields_are_empty_and_a_missing_distributor_is_null():
    assert processed(ProductRule(), {}) == {
        "product": "",
        "version": "",
        "productid": "",
        "distributor": None,
        "distributor_version": None,
        "release_channel": "",
        "ReleaseChannel": "",
        "build": "",
    }


def test_a_user_is_carried_over_but_never_identified():
    annotations = {"URL": "https://example.org/", "Comments": "it crashed", "Email": "a@example.org"}

    assert processed(UserDataRule(), annotations) == {
        "url": "https://example.org/",
        "user_comments": "it crashed",
        "email": "a@example.org",
        "user_id": "",
    }
    assert processed(UserDataRule(), {"URL": ""}) == {"url": "", "user_comments": None, "email": None, "user_id": ""}


@pytest.mark.parametrize(("raw", "app_notes"), [({"Notes": "GPU"}, "GPU"), ({}, ""), ({"Notes": None}, "")])
def test_the_products_own_notes_are_carried_over(raw, app_notes):
    assert processed(EnvironmentRule(), raw) == {"app_notes": app_notes}


@pytest.mark.parametrize(("raw", "stack"), [({"JavaStackTrace": "x.Y: z"}, "x.Y: z"), ({"JavaStackTrace": ""}, "")])
def test_the_stack_of_a_java_exception_is_carried_over(raw, stack):
    assert processed(JavaProcessRule(), raw) == {"java_stack_trace": stack}


def test_a_raw_crash_without_a_java_exception_gets_a_null_annotation():
    raw: dict[str, object] = {}

    assert processed(JavaProcessRule(), raw) == {"java_stack_trace": None}
    assert raw == {"JavaStackTrace": None}


@pytest.mark.parametrize(("raw", "programs"), [({"Winsock_LSP": "MSAFD : 2"}, "MSAFD : 2"), ({}, None)])
def test_winsock_hooks_are_carried_over(raw, programs):
    crash = Crash(id=CRASH_ID, raw=raw)

    # No rule set waits for its success, so it returns none.
    assert Winsock_LSPRule().act(crash) == (True, None)
    assert crash.processed == {"Winsock_LSP": programs}


@pytest.mark.parametrize(
    ("rule", "annotation", "field", "absent"),
    [
        (JavaProcessRule(), "JavaStackTrace", "java_stack_trace", None),
        (ProductRule(), "Version", "version", ""),
        (ProductRule(), "Distributor", "distributor", None),
        (UserDataRule(), "Email", "email", None),
        (EnvironmentRule(), "Notes", "app_notes", ""),
    ],
)
@pytest.mark.parametrize("value", [["48.0"], {"a": "b"}])
def test_an_annotation_without_a_text_counts_as_absent_and_is_noted(rule, annotation, field, absent, value):
    crash = Crash(id=CRASH_ID, raw={annotation: value})

    assert rule.act(crash) == (True, True)
    assert crash.processed[field] == absent
    assert crash.notes == [f"{annotation} is not a string, but {type(value).__name__}"]


@pytest.mark.parametrize(
    ("value", "text"), [(48, "48"), (48.5, "48.5"), (20170101000000, "20170101000000"), (True, "true"), (0, "0")]
)
def test_an_annotation_that_is_a_number_or_a_boolean_is_read_as_its_text_and_noted_once(value, text):
    crash = Crash(id=CRASH_ID, raw={"Version": value, "ReleaseChannel": value})

    assert ProductRule().act(crash) == (True, True)
    assert [crash.processed[field] for field in ("version", "release_channel", "ReleaseChannel")] == [text] * 3
    assert crash.notes == [
        f"{name} is not a string, but {type(value).__name__}: it is read as {text!r}"
        for name in ("Version", "ReleaseChannel")
    ]


@pytest.mark.parametrize(
    ("json_dump", "file"),
    [
        ({"crashing_thread": {"frames": [{"file": "a.c"}, {"file": "b.c"}]}}, "a.c"),
        (
            {"crashing_thread": {"frames": [{}, {"file": None}, {"file": ""}, {"file": 5}, None, {"file": "b.c"}]}},
            "b.c",
        ),
        (
            {
                "crash_info": {"crashing_thread": 1},
                "crashing_thread": {"frames": [{}], "total_frames": 2},
                "threads": [{"frames": [{"file": "a.c"}]}, {"frames": [{}, {"file": "b.c"}]}],
            },
            "b.c",
        ),
        ({"crashing_thread": {"frames": [{}]}}, None),
        ({"crashing_thread": {"frames": {"0": {"file": "a.c"}}}}, None),
        ({"crashing_thread": None}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_topmost_file_is_that_of_the_first_frame_that_has_one(json_dump, file):
    crash = Crash(id=CRASH_ID, raw={}, processed={"json_dump": json_dump})

    assert TopMostFilesRule().act(crash) == (True, True)
    assert crash.processed["topmost_filenames"] == file
