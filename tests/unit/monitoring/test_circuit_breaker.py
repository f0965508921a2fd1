"""A service that is away is left alone for a while; then one trial shows whether it is back."""

import pytest

from socorro_processor.monitoring.circuit_breaker import CircuitBreaker

PAUSES = (5.0, 15.0, 60.0)


def opened(clock, failures=2, **options):
    breaker = CircuitBreaker(PAUSES, failures=failures, clock=clock, **options)
    for _ in range(failures):
        breaker.note_failure("away")
    return breaker


def test_a_breaker_opens_at_the_last_of_the_failures_in_a_row_and_says_for_how_long(clock):
    breaker = CircuitBreaker(PAUSES, failures=3, clock=clock)
    breaker.note_failure("away")
    breaker.note_success()
    assert [breaker.note_failure("away") for _ in range(3)] == [0, 0, PAUSES[0]]
    assert not breaker.may_try()


def test_one_failure_opens_a_breaker_by_default(clock):
    assert CircuitBreaker(PAUSES, clock=clock).note_failure("away") == PAUSES[0]


def test_after_a_pause_one_may_try_and_a_success_admits_all(clock):
    breaker = opened(clock)
    clock.now += PAUSES[0]
    assert breaker.may_try_now
    assert [breaker.may_try(), breaker.may_try(), breaker.may_try_now] == [True, False, False]
    assert breaker.note_success()
    assert [breaker.may_try(), breaker.may_try()] == [True, True]
    assert not breaker.note_success()


def test_each_failed_trial_makes_the_pause_longer_up_to_the_longest(clock):
    breaker = opened(clock)
    pauses = []
    for _ in range(4):
        clock.now = breaker.paused_until
        assert breaker.may_try()
        pauses.append(breaker.note_failure("away"))
    assert pauses == [*PAUSES[1:], PAUSES[-1], PAUSES[-1]]


@pytest.mark.parametrize("of_trial", [True, False])
def test_a_late_failure_restarts_the_pause_and_does_not_lengthen_it(clock, of_trial):
    breaker = opened(clock)
    clock.now += PAUSES[0] - 1
    assert breaker.note_failure("away", of_trial=of_trial) == 0
    clock.now += PAUSES[0] - 1
    assert not breaker.may_try()
    clock.now += 1
    assert breaker.may_try()


def test_a_failure_from_before_the_trial_does_not_end_it(clock):
    breaker = opened(clock, trial_time=300.0)
    clock.now += PAUSES[0]
    breaker.may_try()
    assert breaker.note_failure("away", of_trial=False) == 0
    assert breaker.is_at_a_trial
    assert breaker.note_failure("away") == PAUSES[1]
    assert not breaker.is_at_a_trial


@pytest.mark.parametrize(("options", "seconds"), [({}, PAUSES[0]), ({"trial_time": 300.0}, 300.0)])
def test_a_trial_that_never_ends_makes_room_for_another(clock, options, seconds):
    breaker = opened(clock, **options)
    clock.now += PAUSES[0]
    breaker.may_try()
    clock.now += seconds - 1
    assert not breaker.may_try()
    clock.now += 1
    assert breaker.may_try()


def test_a_trial_that_ends_without_a_result_makes_room_for_another_at_once(clock):
    breaker = opened(clock)
    clock.now += PAUSES[0]
    breaker.may_try()
    breaker.end_trial()
    assert breaker.may_try()


def test_a_failure_after_all_were_admitted_opens_the_breaker_for_longer(clock):
    breaker = opened(clock)
    breaker.let_all_try()
    assert [breaker.may_try(), breaker.may_try(), breaker.is_open, breaker.reason] == [True, True, False, ""]
    assert breaker.note_failure("away again", of_trial=False) == PAUSES[1]
    assert [breaker.may_try(), breaker.is_open, breaker.reason] == [False, True, "away again"]


def test_the_reason_is_that_of_the_latest_failure_while_it_is_open(clock):
    breaker = CircuitBreaker(PAUSES, failures=2, clock=clock)
    breaker.note_failure("away")
    assert breaker.reason == ""
    breaker.note_failure("out of order")
    assert breaker.reason == "out of order"
    clock.now += PAUSES[0]
    assert breaker.reason == "out of order"
    breaker.note_success()
    assert breaker.reason == ""
