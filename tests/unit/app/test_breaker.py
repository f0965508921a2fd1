"""Crashes are left in their queue while what they all need is away."""

import pytest

from socorro_processor.app.breaker import PAUSES, TRIAL_TIME, Breaker
from socorro_processor.health import Health


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def health():
    health = Health()
    health.resolved("start")
    return health


@pytest.fixture
def breaker(health, clock):
    return Breaker(health, clock)


def test_closed_every_crash_may_begin(breaker):
    assert all(breaker.may_begin() for _ in range(5))


def test_after_a_failure_none_may_begin_for_a_pause_and_then_one_at_a_time(breaker, clock):
    breaker.failed("the store is away")
    assert not breaker.may_begin()
    clock.now += PAUSES[0]
    assert breaker.may_begin()
    assert not breaker.may_begin()


def test_pauses_grow_with_each_failed_trial_up_to_the_longest(breaker, clock):
    waited = []
    for _ in range(len(PAUSES) + 2):
        breaker.failed("the store is away")
        begun = clock.now
        while not breaker.may_begin():
            clock.now += 0.5
        waited.append(clock.now - begun)
    assert waited == [*PAUSES, PAUSES[-1], PAUSES[-1]]


def test_crashes_that_fail_together_make_one_pause_not_several(breaker, clock):
    for _ in range(4):
        breaker.failed("the store is away")
    clock.now += PAUSES[0]
    assert breaker.may_begin()


def test_a_trial_that_succeeds_closes_it(breaker, clock, health):
    breaker.failed("the store is away")
    clock.now += PAUSES[0]
    breaker.may_begin()
    breaker.succeeded()
    assert breaker.may_begin()
    assert breaker.may_begin()
    assert health.problems() == {}


def test_a_trial_that_says_nothing_lets_another_try(breaker, clock):
    breaker.failed("the store is away")
    clock.now += PAUSES[0]
    breaker.may_begin()
    breaker.unknown()
    assert breaker.may_begin()


def test_a_trial_that_never_tells_is_given_up(breaker, clock):
    breaker.failed("the store is away")
    clock.now += PAUSES[0]
    assert breaker.may_begin()
    clock.now += TRIAL_TIME - 1
    assert not breaker.may_begin()
    clock.now += 1
    assert breaker.may_begin()


def test_while_it_is_open_the_processor_is_not_ready_and_says_why(breaker, health):
    breaker.failed("the store is away")
    assert health.problems() == {"processing": "the store is away"}
