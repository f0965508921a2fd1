"""Processed crashes are kept for a retry, for a while and up to a size."""

import pytest

from socorro_processor.app.unsaved import LIFETIME, UnsavedCrashes
from socorro_processor.errors import TransientStorageError

AWAY = TransientStorageError("away")


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def crashes(clock):
    return UnsavedCrashes(clock, maximum_size=1000)


def test_what_is_kept_is_given_back_with_the_last_error(crashes):
    processed = {"signature": "main"}
    crashes.keep("a", {}, processed, AWAY)
    unsaved = crashes.get("a")
    assert unsaved.processed_crash is processed
    assert unsaved.error is AWAY
    assert crashes.get("b") is None


def test_a_lifetime_begins_with_the_first_failure_and_later_ones_do_not_prolong_it(crashes, clock):
    processed = {"signature": "main"}
    crashes.keep("a", {}, processed, AWAY)
    clock.now += LIFETIME - 1
    crashes.keep("a", {}, processed, AWAY)
    assert crashes.get("a")
    clock.now += 2
    assert crashes.get("a") is None


def test_a_result_made_anew_has_a_lifetime_of_its_own(crashes, clock):
    crashes.keep("a", {}, {"signature": "old"}, AWAY)
    clock.now += LIFETIME
    crashes.keep("a", {}, {"signature": "new"}, AWAY)
    assert crashes.get("a").processed_crash == {"signature": "new"}


def test_over_the_size_the_oldest_go(crashes):
    for name in "abc":
        crashes.keep(name, {}, {"signature": "x" * 400}, AWAY)
    assert [crashes.get(name) is not None for name in "abc"] == [False, True, True]


def test_one_that_is_larger_than_all_may_be_is_not_kept(crashes):
    crashes.keep("a", {}, {"signature": "x" * 2000}, AWAY)
    assert crashes.get("a") is None
    crashes.keep("b", {}, {"signature": "x"}, AWAY)
    assert crashes.get("b")


def test_what_is_forgotten_is_gone(crashes):
    crashes.keep("a", {}, {}, AWAY)
    crashes.forget("a")
    crashes.forget("never kept")
    assert crashes.get("a") is None
