"""The messages that a processor has, with a clock and a session of the test, without a broker."""

from __future__ import annotations

import pytest

from socorro_processor.crashqueue.base import QueueName
from socorro_processor.crashqueue.fair_order import DEFAULT_WEIGHTS, FairOrder, parse_weights
from socorro_processor.crashqueue.rabbitmq.messages import Message
from socorro_processor.crashqueue.rabbitmq.prefetch import Held, Prefetch


class Hand:
    """The messages of one processor, and the time."""

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


def test_the_end_of_a_delivery_is_sent_once(hand):
    message = hand.add("one")
    hand.prefetch.take()
    assert hand.prefetch.begin_settling(message)
    assert not hand.prefetch.begin_settling(message)


def test_a_twin_waits_while_the_end_of_the_first_is_being_sent(hand):
    message, twin = hand.add("one"), hand.add("one")
    hand.prefetch.take()
    hand.prefetch.begin_settling(message)
    assert hand.prefetch.take() is None
    hand.prefetch.end_settling(message)
    assert hand.prefetch.take() is twin


@pytest.mark.parametrize("before", [True, False])
def test_only_the_twin_in_the_queue_that_is_served_first_waits_for_the_one_in_work(hand, before):
    hand.add("one")
    if not before:
        hand.prefetch.take()
    normal = [hand.add("one", "normal"), hand.add("one", "normal")]
    priority = hand.add("one", "priority")
    if before:
        assert hand.prefetch.take_superfluous() == []
        assert hand.prefetch.take() is priority
        assert len(hand.prefetch.take_superfluous()) == 2
    else:
        assert sorted(map(id, hand.prefetch.take_superfluous())) == sorted(map(id, normal))
        assert hand.prefetch.take_superfluous() == []


def test_a_message_in_work_keeps_its_id_busy_until_its_end_even_if_its_connection_is_lost(hand):
    message = hand.add("one")
    waiting = hand.add("two")
    hand.prefetch.take()
    hand.prefetch.end_session()
    hand.connect()
    assert not hand.prefetch.can_be_settled(message)
    again = hand.add("one")
    assert hand.prefetch.take() is None
    assert not hand.prefetch.begin_settling(message)
    assert hand.prefetch.take() is again
    assert not hand.prefetch.can_be_settled(waiting)


def test_a_message_that_waits_again_is_taken_again_once_it_is_due(hand):
    message = hand.add("one")
    hand.prefetch.take()
    hand.prefetch.begin_settling(message)
    hand.prefetch.wait_again(message, 5.0)
    assert hand.prefetch.messages() == [Held(message, is_in_work=False, age=0.0, due_in=5.0)]
    assert hand.prefetch.take() is None
    hand.now += 5.0
    assert hand.prefetch.take() is message
    assert hand.prefetch.begin_settling(message)


def test_a_message_of_a_lost_connection_does_not_wait_again(hand):
    message = hand.add("one")
    hand.prefetch.take()
    hand.prefetch.begin_settling(message)
    hand.prefetch.end_session()
    hand.connect()
    hand.prefetch.wait_again(message, 5.0)
    hand.now += 5.0
    assert hand.prefetch.take() is None
    assert not hand.prefetch.has_work


def test_taking_waits_a_moment_for_the_first_message_of_each_queue_that_has_work(hand):
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


def test_messages_that_wait_for_too_long_are_taken_away(hand):
    old = hand.add("old")
    hand.now += 200.0
    hand.add("new")
    hand.now += 101.0
    assert hand.prefetch.take_away_old() == [old]
    assert hand.prefetch.take_away_old() == []
    assert hand.prefetch.take() is not old


def test_waiting_ends_at_once_if_something_has_changed_before(hand):
    seen = hand.prefetch.changes
    hand.add("one")
    hand.prefetch.wait(seen, 60.0)
    assert hand.prefetch.take() is not None
