"""Crashes stay in their queue while something that all of them need is away."""

import pytest

from socorro_processor.app.outage_breaker import (
    ENOUGH_TRIED,
    NEW_ONE_EVERY,
    PAUSES,
    TRIAL_TIME,
    TRIALS_WITHOUT_RESULT,
    OutageBreaker,
)
from socorro_processor.monitoring.health import Health


@pytest.fixture
def health():
    health = Health()
    health.resolve("start")
    return health


@pytest.fixture
def breaker(health, clock):
    return OutageBreaker(health, clock)


def test_while_the_breaker_is_closed_every_crash_may_begin(breaker):
    assert all(breaker.may_begin() for _ in range(5))


def test_after_a_failure_no_crash_may_begin_for_a_pause_and_then_one_at_a_time(breaker, clock):
    breaker.failed("a crash", "the store is away")
    assert not breaker.may_begin()
    clock.now += PAUSES[0]
    assert breaker.may_begin()
    assert not breaker.may_begin()


def test_pauses_grow_with_each_failed_trial_up_to_the_longest(breaker, clock):
    waited = []
    for _ in range(len(PAUSES) + 2):
        breaker.failed("a crash", "the store is away")
        begun = clock.now
        while not breaker.may_begin():
            clock.now += 0.5
        breaker.tries("a crash")
        waited.append(clock.now - begun)
    assert waited == [*PAUSES, PAUSES[-1], PAUSES[-1]]


def test_crashes_that_fail_together_make_one_pause_not_several(breaker, clock):
    for _ in range(4):
        breaker.failed("a crash", "the store is away")
    clock.now += PAUSES[0]
    assert breaker.may_begin()


def test_a_trial_that_succeeds_closes_the_breaker(breaker, clock, health):
    breaker.failed("a crash", "the store is away")
    clock.now += PAUSES[0]
    breaker.may_begin()
    breaker.succeeded()
    assert breaker.may_begin()
    assert breaker.may_begin()
    assert health.problems() == {}


def test_a_trial_without_a_result_lets_another_crash_try(breaker, clock):
    breaker.failed("a crash", "the store is away")
    clock.now += PAUSES[0]
    breaker.may_begin()
    breaker.tries("another crash")
    breaker.ended_without_result("another crash")
    assert breaker.may_begin()


def test_a_crash_that_is_not_the_trial_does_not_end_it(breaker, clock):
    breaker.failed("a crash", "the store is away")
    clock.now += PAUSES[0]
    breaker.may_begin()
    breaker.tries("a trial")
    breaker.ended_without_result("one from before")
    assert not breaker.may_begin()


def test_a_trial_without_a_crash_lets_another_crash_try(breaker, clock):
    breaker.failed("a crash", "the store is away")
    clock.now += PAUSES[0]
    breaker.may_begin()
    breaker.tries_none()
    assert breaker.may_begin()


def trials_without_a_word(breaker, clock, count):
    breaker.failed("a crash", "the store is away")
    clock.now += PAUSES[0]
    for number in range(count):
        assert breaker.may_begin()
        breaker.tries(f"junk {number}")
        breaker.ended_without_result(f"junk {number}")


def test_if_trials_have_no_result_and_all_parts_are_healthy_crashes_begin(breaker, clock, health):
    trials_without_a_word(breaker, clock, TRIALS_WITHOUT_RESULT)
    clock.now += PAUSES[-1]
    breaker.parts_are_usable(since=clock.now)
    assert [breaker.may_begin() for _ in range(3)] == [True, True, True]
    assert not breaker.is_open
    assert health.problems() == {}
    breaker.failed("another", "the store is away")
    assert not breaker.may_begin()
    clock.now += PAUSES[0]
    assert not breaker.may_begin()
    clock.now += PAUSES[1] - PAUSES[0]
    assert breaker.may_begin()
    assert not breaker.may_begin()


def test_a_check_that_began_before_the_last_failure_does_not_count(breaker, clock, health):
    trials_without_a_word(breaker, clock, TRIALS_WITHOUT_RESULT)
    breaker.parts_are_usable(since=clock.now)
    assert health.problems().keys() == {"processing"}
    assert breaker.may_begin()
    assert not breaker.may_begin()


def test_if_nothing_waits_a_past_fault_is_not_named_but_the_next_crash_is_a_trial(breaker, clock, health):
    breaker.failed("a crash", "the store is away")
    clock.now += PAUSES[0] + PAUSES[-1]
    breaker.parts_are_usable(since=clock.now)
    assert health.problems() == {}
    assert breaker.may_begin()
    assert not breaker.may_begin()


def test_a_check_during_a_trial_does_not_count(breaker, clock, health):
    breaker.failed("a crash", "the store is away")
    clock.now += PAUSES[0] + PAUSES[-1]
    breaker.may_begin()
    breaker.tries("a trial")
    breaker.parts_are_usable(since=clock.now)
    assert health.problems().keys() == {"processing"}


def test_a_trial_that_never_ends_is_given_up(breaker, clock):
    breaker.failed("a crash", "the store is away")
    clock.now += PAUSES[0]
    assert breaker.may_begin()
    clock.now += TRIAL_TIME - 1
    assert not breaker.may_begin()
    clock.now += 1
    assert breaker.may_begin()


def test_while_the_breaker_is_open_the_processor_is_not_ready_and_says_why(breaker, health):
    breaker.failed("a crash", "the store is away")
    assert health.problems() == {"processing": "the store is away"}


def test_the_reason_is_that_of_the_latest_failure_until_a_crash_is_saved(breaker):
    assert breaker.reason == ""
    breaker.failed("a crash", "the store is away")
    breaker.failed("another", "the store is full")
    assert breaker.reason == "the store is full"
    breaker.succeeded()
    assert breaker.reason == ""


def failed_trials(breaker, clock, count, different):
    """Return for each trial whether its crash had failed already."""
    left = []
    for number in range(count):
        breaker.failed(f"crash {number % different}", "the store is away")
        clock.now += PAUSES[-1]
        left.append(breaker.leaves_new_crashes)
        assert breaker.may_begin()
        breaker.tries(f"crash {(number + 1) % different}")
    return left


def test_once_enough_different_crashes_have_failed_new_ones_are_tried_only_now_and_then(breaker, clock):
    left = failed_trials(breaker, clock, 3 * NEW_ONE_EVERY, different=3 * NEW_ONE_EVERY)
    assert left == [
        number >= ENOUGH_TRIED and number % NEW_ONE_EVERY != 0 for number in range(1, 3 * NEW_ONE_EVERY + 1)
    ]


def test_while_few_different_crashes_have_failed_new_ones_are_tried(breaker, clock):
    assert not any(failed_trials(breaker, clock, 5 * ENOUGH_TRIED, different=ENOUGH_TRIED - 1))


def test_after_a_success_new_crashes_are_tried_again(breaker, clock):
    failed_trials(breaker, clock, ENOUGH_TRIED, different=ENOUGH_TRIED)
    assert breaker.leaves_new_crashes
    breaker.succeeded()
    assert not breaker.leaves_new_crashes
