"""Processed crashes are kept for a retry, up to a size."""

import pytest

from socorro_processor.app.unsaved import UnsavedCrashes

RAW = {"ProductName": "Lightbox"}


@pytest.fixture
def crashes():
    return UnsavedCrashes(maximum_size=1000)


def test_a_kept_result_is_returned(crashes):
    crashes.keep("a", RAW, {"signature": "main"}, "r1")
    assert crashes.get("a", "r1") == (RAW, {"signature": "main"}, "")
    assert crashes.get("b", "r1") is None


def test_the_reason_to_save_an_earlier_result_is_kept_with_it(crashes):
    crashes.keep("a", RAW, {"signature": "main"}, "r1", "the new one is worse")
    assert crashes.get("a", "r1") == (RAW, {"signature": "main"}, "the new one is worse")


def test_another_result_of_the_crash_is_not_returned(crashes):
    crashes.keep("a", RAW, {"signature": "main"}, "r1")
    assert crashes.get("a", "r2") is None
    crashes.keep("a", RAW, {"signature": "other"}, "r2")
    assert crashes.get("a", "r1") is None
    assert crashes.get("a", "r2") == (RAW, {"signature": "other"}, "")


def test_a_caller_cannot_change_a_kept_result(crashes):
    crashes.keep("a", RAW, {"signature": "main"}, "r1")
    crashes.get("a", "r1")[1]["signature"] = "changed"
    assert crashes.get("a", "r1")[1] == {"signature": "main"}


def test_above_the_maximum_size_the_oldest_are_dropped(crashes):
    for name in "abc":
        crashes.keep(name, {}, {"signature": "x" * 400}, "r")
    assert [crashes.get(name, "r") is not None for name in "abc"] == [False, True, True]


def test_a_result_above_the_maximum_size_is_not_kept_and_displaces_none(crashes):
    crashes.keep("b", {}, {"signature": "x"}, "r")
    crashes.keep("a", {}, {"signature": "x" * 2000}, "r")
    assert crashes.get("a", "r") is None
    assert crashes.get("b", "r")


def test_a_forgotten_result_is_gone(crashes):
    crashes.keep("a", {}, {}, "r")
    crashes.forget("a")
    crashes.forget("never kept")
    assert crashes.get("a", "r") is None
