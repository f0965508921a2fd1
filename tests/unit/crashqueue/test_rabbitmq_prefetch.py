"""Which messages a processor has: by a clock and a session of the test's own, without a broker."""

from __future__ import annotations

import pytest

from socorro_processor.crashqueue.base import QueueName
from socorro_processor.crashqueue.fair_order import DEFAULT_WEIGHTS, FairOrder, parse_weights
from socorro_processor.crashqueue.rabbitmq.messages import Message
from socorro_processor.crashqueue.rabbitmq.prefetch import Prefetch


class Hand:
    """What one processor has, and the time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.prefetch = Prefetch(FairOrder(parse_weights(DEFAULT_WEIGHTS)), clock=lambda: self.now)
        self.session = 0
        self.connect()

    def connect(self, *with_work: QueueName) -> None:
        self.session += 1
        self.prefetch.begin_session(self.session, set(with_work))

    def add(self, crash_id: str, queue: QueueName = "normal") -> Message:
        message = Message(
            crash_id.encode(), queue, attempts=0, retries=0, deliveries=0, session=self.session, tag=0, suspect=False
        )
        self.prefetch.add(message)
        return message


@pytest.fixture
def hand() -> Hand:
    return Hand()


def test_a_message_is_taken_once_in_the_order_of_arrival(hand):
    messages = [hand.add("one"), hand.add("two")]
    assert [hand.prefetch.take() for _ in range(3)] == [*messages, None]


def test_an_end_is_told_once(hand):
    message = hand.add("one")
    hand.prefetch.take()
    assert hand.prefetch.begin_settling(message)
    assert not hand.prefetch.begin_settling(message)


def test_a_twin_waits_while_the_end_of_the_first_is_being_told(hand):
    message, twin = hand.add("one"), hand.add("one")
    hand.prefetch.take()
    hand.prefetch.begin_settling(message)
    assert hand.prefetch.take() is None
    hand.prefetch.settled(message)
    assert hand.prefetch.take() is twin


@pytest.mark.parametrize("before", [True, False])
def test_of_twins_of_one_in_work_the_one_whose_queue_is_served_first_waits(hand, before):
    hand.add("one")
    if not before:
        hand.prefetch.take()
    normal = [hand.add("one", "normal"), hand.add("one", "normal")]
    priority = hand.add("one", "priority")
    if before:
        assert hand.prefetch.superfluous() == []
        assert hand.prefetch.take() is priority
        assert len(hand.prefetch.superfluous()) == 2
    else:
        assert sorted(map(id, hand.prefetch.superfluous())) == sorted(map(id, normal))
        assert hand.prefetch.superfluous() == []


def test_what_is_in_work_when_its_connection_is_lost_keeps_its_id_busy_until_its_end(hand):
    message = hand.add("one")
    waiting = hand.add("two")
    hand.prefetch.take()
    hand.prefetch.end_session()
    hand.connect()
    assert not hand.prefetch.is_mine(message)
    again = hand.add("one")
    assert hand.prefetch.take() is None
    assert not hand.prefetch.begin_settling(message)
    assert hand.prefetch.take() is again
    assert not hand.prefetch.is_mine(waiting)


def test_what_is_kept_for_a_while_is_taken_again_after_it(hand):
    message = hand.add("one")
    hand.prefetch.take()
    hand.prefetch.begin_settling(message)
    hand.prefetch.wait_again(message, 5.0)
    assert (hand.prefetch.waiting("normal"), hand.prefetch.delayed("normal")) == (0, 1)
    assert hand.prefetch.take() is None
    hand.now += 5.0
    assert hand.prefetch.take() is message
    assert hand.prefetch.begin_settling(message)


def test_what_would_be_kept_of_a_lost_connection_is_dropped(hand):
    message = hand.add("one")
    hand.prefetch.take()
    hand.prefetch.begin_settling(message)
    hand.prefetch.end_session()
    hand.connect()
    hand.prefetch.wait_again(message, 5.0)
    hand.now += 5.0
    assert hand.prefetch.take() is None
    assert not hand.prefetch.works


def test_the_first_of_each_queue_that_has_work_is_waited_for_but_not_for_long(hand):
    hand.connect("normal", "priority")
    hand.add("one", "normal")
    assert hand.prefetch.take() is None
    priority = hand.add("two", "priority")
    assert hand.prefetch.take() is priority
    hand.connect("normal", "reprocessing")
    hand.add("three", "normal")
    assert hand.prefetch.take() is None
    hand.now += 0.3
    assert hand.prefetch.take() is not None


def test_those_that_wait_for_too_long_are_taken_away(hand):
    old = hand.add("old")
    hand.now += 200.0
    hand.add("new")
    hand.now += 101.0
    assert hand.prefetch.take_away_old() == [old]
    assert hand.prefetch.take_away_old() == []
    assert hand.prefetch.take() is not old


def test_waiting_ends_at_once_where_something_has_changed_before(hand):
    seen = hand.prefetch.changes
    hand.add("one")
    hand.prefetch.wait(seen, 60.0)
    assert hand.prefetch.take() is not None
