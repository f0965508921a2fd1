from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.crashqueue.base import QUEUES, QueueName
from socorro_processor.crashqueue.fair_order import (
    DEFAULT_WEIGHTS,
    MAXIMUM_JUMPS,
    UNTRIED_IN_A_ROW,
    FairOrder,
    RetryOrder,
    parse_weights,
)

EMPTY: dict[QueueName, int] = dict.fromkeys(QUEUES, 0)
FULL: dict[QueueName, int] = dict.fromkeys(QUEUES, 2)

depths = st.fixed_dictionaries({queue: st.integers(0, 2) for queue in QUEUES})
weightings = st.fixed_dictionaries({queue: st.integers(1, 12) for queue in QUEUES})


def default_order() -> FairOrder:
    return FairOrder(parse_weights(DEFAULT_WEIGHTS))


def shares(taken: list[QueueName | None]) -> dict[QueueName, int]:
    return {queue: taken.count(queue) for queue in QUEUES}


@given(history=st.lists(depths), takes=st.integers(10, 60))
def test_every_ten_taken_while_all_have_work_are_six_three_and_one_whatever_was_before(history, takes):
    order = default_order()
    for waiting in history:
        order.take(waiting)
    taken = [order.take(FULL) for _ in range(takes)]
    for start in range(takes - 9):
        window = shares(taken[start : start + 10])
        assert all(abs(window[queue] - due) <= 1 for queue, due in parse_weights(DEFAULT_WEIGHTS).items()), window


@given(weights=weightings, history=st.lists(depths))
def test_any_weights_are_kept_over_a_window_of_their_sum(weights, history):
    order = FairOrder(weights)
    for waiting in history:
        order.take(waiting)
    taken = [order.take(FULL) for _ in range(sum(weights.values()))]
    assert all(abs(shares(taken)[queue] - weights[queue]) <= 1 for queue in QUEUES)


@given(st.lists(depths))
def test_the_next_queue_always_has_work_unless_none_has(history):
    order = default_order()
    for waiting in history:
        queue = order.take(waiting)
        assert waiting[queue] if queue else waiting == EMPTY


@given(history=st.lists(depths), idle=st.sampled_from(QUEUES))
def test_a_queue_with_nothing_leaves_its_share_to_the_others_in_proportion(history, idle):
    order = default_order()
    for waiting in history:
        order.take(waiting)
    weights = parse_weights(DEFAULT_WEIGHTS)
    del weights[idle]
    taken = [order.take(FULL | {idle: 0}) for _ in range(sum(weights.values()))]
    assert all(abs(taken.count(queue) - weights[queue]) <= 1 for queue in weights)


@given(history=st.lists(depths), quiet=st.integers(1, 50), idle=st.sampled_from(["normal", "reprocessing"]))
def test_a_queue_that_was_empty_for_long_gets_no_more_than_its_share_when_it_is_back(history, quiet, idle):
    order = default_order()
    for waiting in history + [FULL | {idle: 0}] * quiet:
        order.take(waiting)
    assert [order.take(FULL) for _ in range(10)].count(idle) <= parse_weights(DEFAULT_WEIGHTS)[idle] + 1


@given(alone=st.sampled_from(QUEUES), lonely=st.integers(1, 50))
def test_a_queue_that_had_everything_to_itself_does_not_pay_for_it_later(alone, lonely):
    order = default_order()
    for _ in range(lonely):
        assert order.take(EMPTY | {alone: 2}) == alone
    assert [order.take(FULL) for _ in range(10)].count(alone) >= parse_weights(DEFAULT_WEIGHTS)[alone] - 1


@given(history=st.lists(depths), others=depths)
def test_a_priority_crash_that_arrives_after_its_queue_was_seen_empty_is_next(history, others):
    order = default_order()
    for waiting in history:
        order.take(waiting)
    order.take(FULL | {"priority": 0})
    assert order.take(others | {"priority": 1}) == "priority"


def test_a_priority_crash_that_arrives_after_the_last_one_was_taken_is_next():
    order = default_order()
    assert [order.take(FULL | {"priority": 1}) for _ in range(3)] == ["priority"] * 3


def test_single_priority_crashes_without_end_do_not_starve_the_others():
    order = default_order()
    taken = Counter(order.take(FULL | {"priority": 1}) for _ in range(10 * (MAXIMUM_JUMPS + 1)))
    assert taken == {"priority": 90, "normal": 7, "reprocessing": 3}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "'' is not a queue; there are priority, normal, reprocessing"),
        ("priority=6, normal=3", "reprocessing missing; expected e.g."),
        ("priority=6, normal=3, reprocesing=1", "'reprocesing' is not a queue"),
        ("priority=6, normal=3, reprocessing=1, normal=2", "normal is given twice"),
        ("priority=6, normal=0, reprocessing=1", "normal needs a whole number from 1 to 999999, not '0'"),
        ("priority=6, normal, reprocessing=1", "normal needs a whole number from 1 to 999999, not ''"),
        ("priority=6, normal=0.5, reprocessing=1", "not '0.5'"),
        ("priority=6, normal=-3, reprocessing=1", "not '-3'"),
    ],
)
def test_nonsensical_weights_are_refused_with_what_was_expected(text, complaint):
    with pytest.raises(ValueError, match=r"^weights ") as refusal:
        parse_weights(text)
    assert complaint in str(refusal.value)


def test_weights_may_come_in_any_order_and_spacing():
    assert parse_weights("reprocessing = 2,normal=5 , priority=9") == {"priority": 9, "normal": 5, "reprocessing": 2}


@given(st.lists(st.tuples(st.sampled_from(QUEUES), st.booleans(), st.booleans()), max_size=200))
def test_one_in_four_crashes_of_a_queue_with_both_kinds_was_tried_before(history):
    order = RetryOrder()
    both: dict[QueueName, list[bool]] = {queue: [] for queue in QUEUES}
    for queue, untried_wait, retried_wait in history:
        if not (untried_wait or retried_wait):
            continue
        retried = not untried_wait or (retried_wait and order.is_retry_next(queue))
        order.note_taken(queue, retried=retried)
        if untried_wait and retried_wait:
            both[queue].append(retried)
        else:
            both[queue].clear()
        assert any(both[queue][-UNTRIED_IN_A_ROW - 1 :]) or len(both[queue]) <= UNTRIED_IN_A_ROW
        # And no untried one waits for two retries.
        assert both[queue][-2:] != [True, True]
