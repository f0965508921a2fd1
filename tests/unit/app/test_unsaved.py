"""Processed crashes are kept for a retry, up to a size."""

import pytest

from socorro_processor.app.unsaved import UnsavedCrashes

RAW = {"ProductName": "Lightbox"}


@pytest.fixture
def crashes():
    return UnsavedCrashes(maximum_size=1000)


def test_what_is_kept_is_given_back(crashes):
    crashes.keep("a", RAW, {"signature": "main"}, "r1")
    assert crashes.get("a", "r1") == (RAW, {"signature": "main"}, "")
    assert crashes.get("b", "r1") is None


def test_why_an_earlier_result_is_to_be_saved_is_kept_with_it(crashes):
    crashes.keep("a", RAW, {"signature": "main"}, "r1", "the new one is worse")
    assert crashes.get("a", "r1") == (RAW, {"signature": "main"}, "the new one is worse")


def test_another_result_of_the_crash_is_not(crashes):
    crashes.keep("a", RAW, {"signature": "main"}, "r1")
    assert crashes.get("a", "r2") is None
    crashes.keep("a", RAW, {"signature": "other"}, "r2")
    assert crashes.get("a", "r1") is None
    assert crashes.get("a", "r2") == (RAW, {"signature": "other"}, "")


def test_what_the_caller_does_with_it_does_not_change_what_is_kept(crashes):
    crashes.keep("a", RAW, {"signature": "main"}, "r1")
    crashes.get("a", "r1")[1]["signature"] = "changed"
    assert crashes.get("a", "r1")[1] == {"signature": "main"}


def test_over_the_size_the_oldest_go(crashes):
    for name in "abc":
        crashes.keep(name, {}, {"signature": "x" * 400}, "r")
    assert [crashes.get(name, "r") is not None for name in "abc"] == [False, True, True]


def test_one_that_is_larger_than_all_may_be_is_not_kept_and_drives_out_none(crashes):
    crashes.keep("b", {}, {"signature": "x"}, "r")
    crashes.keep("a", {}, {"signature": "x" * 2000}, "r")
    assert crashes.get("a", "r") is None
    assert crashes.get("b", "r")


def test_what_is_forgotten_is_gone(crashes):
    crashes.keep("a", {}, {}, "r")
    crashes.forget("a")
    crashes.forget("never kept")
    assert crashes.get("a", "r") is None
