"""What every crash queue does, whatever is behind it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.base import (
    QUEUES,
    SUBMITTED_AHEAD,
    Delivery,
    Depth,
    InFlight,
    QueueName,
    SetAsideCrash,
    this_process,
)
from socorro_processor.crashqueue.history import FORCE, History
from socorro_processor.crashqueue.outcomes import Outcomes, decode_outcomes
from socorro_processor.errors import CrashQueueError
from tests.contract.queue_backends import BACKENDS, KNOW_ALL_IN_FLIGHT, Processor, QueueBackend
from tests.system.daemon import eventually

DEATH_NOTICED = 1.5
LONGEST_DELAY = 60.0
CRASH = new_crash_id()


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[QueueBackend]:
    backend = BACKENDS[request.param](tmp_path)
    yield backend
    backend.close()


@pytest.fixture
def processor(backend: QueueBackend) -> Processor:
    return backend.start()


def taken(processor: Processor) -> Delivery:
    delivery = processor.take()
    assert delivery is not None, "there is a crash, but it was not delivered"
    return delivery


def taken_at_last(processor: Processor) -> Delivery:
    """The next one, where it is not known when a service notices the death of the processor that had it."""
    deadline = time.monotonic() + LONGEST_DELAY
    while (delivery := processor.take()) is None:
        assert time.monotonic() < deadline, "there is a crash, but it was not delivered"
    return delivery


def submitted(processor: Processor, count: int, queue: QueueName = "normal") -> list[str]:
    crash_ids = [new_crash_id() for _ in range(count)]
    for crash_id in crash_ids:
        processor.queue.submit(crash_id, queue)
    return crash_ids


def in_flight(processor: Processor) -> int:
    return sum(depth.in_flight for depth in processor.queue.depths().queues.values())


def test_an_empty_queue_yields_none_again_and_again(processor):
    assert [processor.take() for _ in range(3)] == [None] * 3


@pytest.mark.parametrize("queue", QUEUES)
def test_what_was_submitted_to_a_queue_is_delivered_from_it_as_its_first_attempt(processor, queue):
    processor.queue.submit(CRASH, queue)
    assert replace(taken(processor), tag=None) == Delivery(CRASH, queue, attempt=1, retries=0, suspect=False)


def test_many_that_are_submitted_are_given_back_in_their_order_and_are_there(processor):
    crash_ids = [new_crash_id() for _ in range(2 * SUBMITTED_AHEAD + 1)]
    assert list(processor.queue.submit_all(iter(crash_ids), "priority")) == crash_ids
    assert processor.queue.depths().queues["priority"].waiting == len(crash_ids)
    assert taken(processor).crash_id == crash_ids[0]


def test_what_was_given_back_as_submitted_is_there_also_where_nobody_asks_for_more(processor):
    submission = processor.queue.submit_all(new_crash_id() for _ in range(SUBMITTED_AHEAD))
    next(submission)
    assert processor.queue.depths().queues["normal"].waiting >= 1


def test_a_crash_is_submitted_as_normal_where_no_queue_is_named(processor):
    processor.queue.submit(CRASH)
    assert taken(processor).queue == "normal"


def test_a_queue_that_does_not_exist_is_refused_by_name(processor):
    with pytest.raises(CrashQueueError, match=r"'express' is not a queue; there are priority, normal, reprocessing"):
        processor.queue.submit(CRASH, "express")


def test_crashes_of_one_queue_come_in_the_order_of_submission(processor):
    crash_ids = submitted(processor, 5)
    assert [taken(processor).crash_id for _ in crash_ids] == crash_ids


def test_a_crash_that_was_submitted_by_one_process_is_taken_by_another(backend, processor):
    backend.start().queue.submit(CRASH)
    assert taken(processor).crash_id == CRASH


def test_a_crash_that_is_in_flight_is_not_delivered_to_anybody_else(backend, processor):
    processor.queue.submit(CRASH)
    taken(processor)
    assert processor.take() is None
    assert backend.start().take() is None


def test_ten_crashes_are_six_three_and_one_while_all_queues_have_work(processor):
    for queue in QUEUES:
        submitted(processor, 10, queue)
    queues = [taken(processor).queue for _ in range(10)]
    for queue, share in {"priority": 6, "normal": 3, "reprocessing": 1}.items():
        assert abs(queues.count(queue) - share) <= 1


def test_a_priority_crash_that_arrives_at_an_empty_priority_queue_is_the_next_one_taken(processor):
    submitted(processor, 10, "normal")
    submitted(processor, 10, "reprocessing")
    for _ in range(4):
        taken(processor)
    processor.queue.submit(CRASH, "priority")
    assert taken(processor).crash_id == CRASH


def test_an_acked_crash_is_gone_for_good(backend, processor):
    processor.queue.submit(CRASH)
    delivery = taken(processor)
    processor.queue.begin(delivery)
    processor.queue.ack(delivery)
    processor.die()
    backend.wait(LONGEST_DELAY)
    other = backend.start()
    assert other.take() is None
    assert set(other.queue.depths().queues.values()) == {Depth(0, 0, 0)}


def test_a_released_crash_is_back_at_once_as_if_it_had_not_been_taken(processor):
    processor.queue.submit(CRASH)
    delivery = taken(processor)
    processor.queue.begin(delivery)
    processor.queue.release(delivery)
    assert replace(taken(processor), tag=None) == replace(delivery, tag=None)


@pytest.mark.parametrize(("transient", "attempt"), [(True, 1), (False, 2)])
def test_a_retry_counts_as_an_attempt_only_where_the_crash_is_at_fault(backend, processor, transient, attempt):
    processor.queue.submit(CRASH)
    processor.queue.begin(delivery := taken(processor))
    processor.queue.retry(delivery, "the reason", transient=transient)
    backend.wait(LONGEST_DELAY)
    again = taken(processor)
    assert (again.crash_id, again.queue, again.attempt, again.retries) == (CRASH, "normal", attempt, 1)


def test_a_retry_is_not_delivered_before_its_delay_has_passed(backend, processor):
    processor.queue.submit(CRASH)
    processor.queue.retry(taken(processor), "the reason", transient=True)
    assert processor.take() is None
    assert processor.queue.depths().queues["normal"] == Depth(waiting=0, delayed=1, in_flight=0)


def delayed(processor: Processor, *transient: bool) -> list[str]:
    """As many crashes, each tried again for a transient reason, or of its own fault."""
    crash_ids = submitted(processor, len(transient))
    deliveries = [taken(processor) for _ in crash_ids]
    for delivery, reason in zip(deliveries, transient, strict=True):
        processor.queue.retry(delivery, "the reason", transient=reason)
    return crash_ids


def test_probing_delivers_no_more_than_one_crash_that_was_not_at_fault(processor):
    _, second, _ = delayed(processor, False, True, True)
    processor.queue.probe()
    probed = [delivery.crash_id for delivery in iter(processor.take, None)]
    assert probed in ([second], [])
    assert processor.queue.depths().queues["normal"] == Depth(0, delayed=3 - len(probed), in_flight=len(probed))


def test_a_probed_crash_is_the_next_one_before_all_that_wait(processor):
    (crash_id,) = delayed(processor, True)
    submitted(processor, 5, "priority")
    submitted(processor, 5, "normal")
    processor.queue.probe()
    assert taken(processor).crash_id == crash_id


def test_a_probed_crash_whose_processor_dies_comes_again(backend, processor):
    (crash_id,) = delayed(processor, True)
    processor.queue.probe()
    processor.queue.begin(taken(processor))
    processor.die()
    backend.wait(LONGEST_DELAY)
    assert taken_at_last(backend.start()).crash_id == crash_id


def test_probing_where_nothing_can_be_probed_changes_nothing(backend, processor):
    processor.queue.probe()
    delayed(processor, False)
    processor.queue.probe()
    assert processor.take() is None
    backend.wait(LONGEST_DELAY)
    assert taken(processor).attempt == 2


def test_a_crash_that_was_probed_may_be_retried_again(backend, processor):
    (crash_id,) = delayed(processor, True)
    processor.queue.probe()
    if again := processor.take():
        processor.queue.retry(again, "still away", transient=True)
    assert processor.take() is None
    backend.wait(LONGEST_DELAY)
    assert taken(processor).crash_id == crash_id


def test_other_crashes_are_delivered_while_one_is_delayed(processor):
    _, second = submitted(processor, 2)
    processor.queue.retry(taken(processor), "the reason", transient=True)
    assert taken(processor).crash_id == second


@pytest.mark.parametrize("begun", [False, True])
def test_a_death_counts_as_an_attempt_only_of_a_crash_that_had_begun(backend, processor, begun):
    processor.queue.submit(CRASH)
    delivery = taken(processor)
    if begun:
        processor.queue.begin(delivery)
    processor.die()
    backend.wait(DEATH_NOTICED)
    again = taken(backend.start())
    attempt = 2 if begun and backend.knows_what_had_begun else 1
    assert (again.crash_id, again.attempt, again.retries) == (CRASH, attempt, 0)


def test_a_crash_that_was_begun_at_two_deaths_is_delivered_alone(backend, processor):
    processor.queue.submit(CRASH)
    for _ in range(2):
        delivery = taken(processor)
        assert not delivery.suspect
        processor.queue.begin(delivery)
        processor.die()
        backend.wait(DEATH_NOTICED)
        processor = backend.start()
    suspect = taken(processor)
    assert (suspect.suspect, suspect.attempt) == (True, 3 if backend.knows_what_had_begun else 1)


def test_each_death_over_a_crash_that_is_delivered_alone_is_an_attempt(backend, processor):
    processor.queue.submit(CRASH)
    attempts = []
    for _ in range(5):
        processor.queue.begin(delivery := taken(processor))
        if delivery.suspect:
            attempts.append(delivery.attempt)
        processor.die()
        backend.wait(DEATH_NOTICED)
        processor = backend.start()
    assert attempts == [attempts[0], attempts[0] + 1, attempts[0] + 2]


def test_the_same_id_twice_is_delivered_twice_one_after_the_other(processor):
    processor.queue.submit(CRASH)
    processor.queue.submit(CRASH, "reprocessing")
    first = taken(processor)
    assert processor.take() is None
    processor.queue.ack(first)
    assert taken(processor).crash_id == CRASH


@pytest.mark.parametrize("backend", KNOW_ALL_IN_FLIGHT, indirect=True)
def test_the_same_id_twice_is_delivered_twice_one_after_the_other_over_all_processes(backend, processor):
    processor.queue.submit(CRASH)
    processor.queue.submit(CRASH, "reprocessing")
    other = backend.start()
    first = taken(processor)
    assert processor.take() is None
    assert other.take() is None
    processor.queue.ack(first)
    assert taken(other).crash_id == CRASH
    assert processor.take() is None


def test_an_id_that_waits_for_its_twin_keeps_no_other_crash_waiting(processor):
    for crash_id in (CRASH, CRASH, "another"):
        processor.queue.submit(crash_id)
    assert [taken(processor).crash_id for _ in range(2)] == [CRASH, "another"]


@pytest.mark.parametrize("state", ["parked", "rejected"])
def test_a_crash_that_was_set_aside_has_its_reason_time_attempts_and_origin(backend, processor, state):
    processor.queue.submit(CRASH, "reprocessing")
    processor.queue.begin(delivery := taken(processor))
    processor.queue.retry(delivery, "once", transient=False)
    backend.wait(LONGEST_DELAY)
    processor.queue.begin(delivery := taken(processor))
    {"parked": processor.queue.park, "rejected": processor.queue.reject}[state](delivery, "the reason")
    (kept,) = processor.queue.set_aside(state)
    assert kept == SetAsideCrash(CRASH, state, "the reason", kept.time, attempts=2, queue="reprocessing")
    assert kept.time.tzinfo is UTC
    depths = processor.queue.depths()
    assert (depths.parked, depths.rejected) == (int(state == "parked"), int(state == "rejected"))
    assert processor.take() is None


@pytest.mark.parametrize("state", ["parked", "rejected"])
def test_a_requeued_crash_is_back_in_its_queue_as_if_it_were_new(backend, processor, state):
    processor.queue.submit(CRASH, "priority")
    processor.queue.retry(taken(processor), "once", transient=False)
    backend.wait(LONGEST_DELAY)
    {"parked": processor.queue.park, "rejected": processor.queue.reject}[state](taken(processor), "the reason")
    (kept,) = processor.queue.set_aside(state)
    assert processor.queue.requeue(kept)
    assert replace(taken(processor), tag=None) == Delivery(CRASH, "priority", attempt=1, retries=0)
    assert list(processor.queue.set_aside(state)) == []


def test_requeueing_what_is_not_set_aside_any_more_says_so_and_queues_nothing(processor):
    processor.queue.submit(CRASH)
    processor.queue.park(taken(processor), "the reason")
    (kept,) = processor.queue.set_aside("parked")
    assert processor.queue.requeue(kept)
    assert not processor.queue.requeue(kept)
    assert not processor.queue.requeue(replace(kept, time=datetime.now(UTC) + timedelta(days=1)))
    processor.queue.ack(taken(processor))
    assert processor.take() is None


def test_crashes_that_were_set_aside_can_be_put_back_while_they_are_read_oldest_first(processor):
    crash_ids = submitted(processor, 20)
    for _ in crash_ids:
        processor.queue.park(taken(processor), "the reason")
    read = [crash.crash_id for crash in processor.queue.set_aside("parked") if processor.queue.requeue(crash)]
    assert read == crash_ids
    assert processor.queue.depths().parked == 0


def test_purging_a_queue_forgets_what_waits_and_is_delayed_there_and_nothing_else(backend, processor):
    submitted(processor, 2, "normal")
    delayed, in_work = taken(processor), taken(processor)
    processor.queue.retry(delayed, "the reason", transient=True)
    other = backend.start().queue
    for queue in QUEUES:
        for _ in range(3):
            other.submit(new_crash_id(), queue)
    if not backend.knows_what_had_begun:
        # What a processor has taken ahead of its work is its own. Only another that takes nothing may be asked.
        processor.queue.release(in_work)
        processor.queue.close()
    expected = {"normal": 4 + (not backend.knows_what_had_begun), "priority": 3}
    assert {queue: other.purge(queue) for queue in ("normal", "priority")} == expected
    assert {queue: other.purge(queue) for queue in ("normal", "priority")} == {"normal": 0, "priority": 0}
    depths = other.depths().queues
    assert (depths["normal"].waiting, depths["normal"].delayed, depths["reprocessing"].waiting) == (0, 0, 3)


@pytest.mark.parametrize("state", ["parked", "rejected"])
def test_purging_what_was_set_aside_in_one_way_leaves_the_other(backend, processor, state):
    submitted(processor, 4)
    for _ in range(2):
        processor.queue.park(taken(processor), "the reason")
        processor.queue.reject(taken(processor), "the reason")
    other = backend.start().queue
    assert other.purge(state) == 2
    assert list(other.set_aside(state)) == []
    depths = other.depths()
    assert (depths.parked, depths.rejected) == ((0, 2) if state == "parked" else (2, 0))


def test_a_crash_in_work_survives_the_purge_of_its_queue(processor):
    processor.queue.submit(CRASH)
    delivery = taken(processor)
    assert processor.queue.purge("normal") == 0
    processor.queue.release(delivery)
    assert taken(processor).crash_id == CRASH


def test_a_reason_is_cut_to_a_thousand_characters(processor):
    processor.queue.submit(CRASH)
    processor.queue.park(taken(processor), "x" * 5_000)
    (kept,) = processor.queue.set_aside("parked")
    assert kept.reason == "x" * 1_000


@pytest.mark.parametrize("body", ["", "not a crash id", "../../etc/passwd", "a\nb\r\n", "é 🦊", "%s %d {}"])
def test_a_body_that_is_no_crash_id_is_delivered_as_it_is_for_the_caller_to_reject(processor, body):
    processor.queue.submit(body)
    delivery = taken(processor)
    assert delivery.crash_id == body
    processor.queue.reject(delivery, "no crash id")
    (kept,) = processor.queue.set_aside("rejected")
    assert kept.crash_id == body


@pytest.mark.parametrize("ending", ["ack", "release", "park", "retry"])
def test_ending_a_delivery_that_was_given_back_changes_nothing(processor, ending):
    processor.queue.submit(CRASH)
    delivery = taken(processor)
    processor.queue.release(delivery)
    if ending == "retry":
        processor.queue.retry(delivery, "late", transient=False)
    elif ending == "park":
        processor.queue.park(delivery, "late")
    else:
        getattr(processor.queue, ending)(delivery)
    assert replace(taken(processor), tag=None) == replace(delivery, tag=None)


def test_depths_tell_waiting_delayed_and_in_flight_apart_by_queue(processor):
    submitted(processor, 3, "normal")
    submitted(processor, 1, "priority")
    first, second = taken(processor), taken(processor)
    assert [first.queue, second.queue] == ["priority", "normal"]
    processor.queue.retry(second, "the reason", transient=True)
    assert processor.queue.depths().queues == {
        "priority": Depth(waiting=0, delayed=0, in_flight=1),
        "normal": Depth(waiting=2, delayed=1, in_flight=0),
        "reprocessing": Depth(waiting=0, delayed=0, in_flight=0),
    }


def test_the_age_of_the_oldest_goes_on_while_it_is_tried_again_and_is_0_where_there_is_none(backend, processor):
    def ages() -> list[float | None]:
        # A broker takes a moment to hear that a crash has ended.
        return [processor.queue.depths().queues[name].oldest for name in ("normal", "priority", "reprocessing")]

    assert ages() == [0.0, 0.0, 0.0]
    before = backend.now()
    processor.queue.submit(CRASH)
    processor.queue.retry(taken(processor), "the reason", transient=True)
    backend.wait(LONGEST_DELAY)
    delivery = taken(processor)
    processor.queue.submit(new_crash_id())
    assert ages()[1:] == [0.0, 0.0]
    age, longest = ages()[0], backend.now() - before
    # By the clock on the wall, which may run a little otherwise.
    assert age is not None
    assert 1.0 <= age <= longest + 1.0
    processor.queue.ack(delivery)
    processor.queue.ack(taken(processor))
    eventually(lambda: ages() == [0.0, 0.0, 0.0])


def test_a_crash_that_is_put_back_has_waited_since_then(backend, processor):
    processor.queue.submit(CRASH)
    backend.wait(LONGEST_DELAY)
    processor.queue.park(taken(processor), "the reason")
    backend.wait(LONGEST_DELAY)
    (kept,) = processor.queue.set_aside("parked")
    before = backend.now()
    assert processor.queue.requeue(kept)
    taken(processor)
    age = processor.queue.depths().queues["normal"].oldest
    assert age is not None
    assert 0.0 <= age <= backend.now() - before + 1.0


def asked(backend: QueueBackend, *, ids: bool = True) -> InFlight:
    """What one that takes nothing itself is told."""
    queue = backend.start().queue
    told: list[InFlight] = []

    def all_say_what_they_have() -> bool:
        told.append(queue.in_flight(ids=ids))
        return not any(told[-1].silent.values())

    # One who has just come may not hear questions yet.
    eventually(all_say_what_they_have)
    return told[-1]


def test_what_is_in_flight_is_told_to_others_with_where_and_since_when(backend, processor):
    submitted(processor, 1, "priority")
    submitted(processor, 1, "normal")
    begun, taken_only = taken(processor), taken(processor)
    processor.queue.begin(begun)
    told = asked(backend)
    assert told.in_work == {"priority": 1, "normal": 1, "reprocessing": 0}
    assert {(crash.crash_id, crash.queue, crash.state, crash.process) for crash in told.crashes} == {
        (begun.crash_id, "priority", "in work", this_process()),
        (taken_only.crash_id, "normal", "taken", this_process()),
    }
    assert all(crash.since for crash in told.crashes)
    (at,) = [each for each in told.processes if sum(each.in_work.values())]
    assert (at.process, at.in_work) == (this_process(), told.in_work)


def test_ids_are_told_only_where_they_are_asked_for(backend, processor):
    processor.queue.submit(CRASH)
    taken(processor)
    told = asked(backend, ids=False)
    assert (told.in_work["normal"], told.crashes) == (1, ())


def test_a_crash_in_its_delay_is_told_with_its_end_and_the_reason(backend, processor):
    processor.queue.submit(CRASH)
    processor.queue.retry(taken(processor), "S3 is away\ud800", transient=True)
    told = asked(backend)
    assert sum(told.in_work.values()) == 0
    (crash,) = told.crashes
    assert (crash.crash_id, crash.state, crash.reason) == (CRASH, "delayed", r"S3 is away\ud800")
    assert crash.due is not None


def test_why_a_crash_is_tried_again_comes_with_it_to_another_process(backend, processor):
    processor.queue.submit(CRASH)
    processor.queue.retry(taken(processor), "S3 is away", transient=True)
    processor.queue.close()
    backend.wait(LONGEST_DELAY)
    another = backend.start()
    another.queue.begin(taken(another))
    (crash,) = asked(backend).crashes
    assert (crash.crash_id, crash.state, crash.reason, crash.due) == (CRASH, "in work", "S3 is away", None)


@pytest.mark.parametrize("ending", ["ack", "park", "reject", "release"])
def test_what_has_ended_is_in_flight_no_more(backend, processor, ending):
    processor.queue.submit(CRASH)
    processor.queue.retry(taken(processor), "S3 is away", transient=True)
    backend.wait(LONGEST_DELAY)
    processor.queue.begin(delivery := taken(processor))
    getattr(processor.queue, ending)(delivery, *(["the reason"] if ending in ("park", "reject") else []))
    told = asked(backend)
    assert sum(told.in_work.values()) == 0
    assert {crash.state for crash in told.crashes} <= {"prefetched"}


def test_closing_gives_back_what_is_in_flight_without_counting_an_attempt(backend, processor):
    submitted(processor, 2)
    processor.queue.begin(taken(processor))
    taken(processor)
    processor.queue.close()
    other = backend.start()
    assert [(taken(other).attempt) for _ in range(2)] == [1, 1]


def test_closing_ends_the_crashes_and_may_be_done_twice(processor):
    processor.queue.close()
    processor.queue.close()
    assert list(processor.queue.new_crashes()) == []


def test_a_closed_queue_refuses_what_it_cannot_do_any_more(processor):
    processor.queue.close()
    for action in (
        lambda: processor.queue.submit(CRASH),
        processor.queue.depths,
        processor.queue.in_flight,
        lambda: list(processor.queue.set_aside("parked")),
        lambda: processor.queue.purge("normal"),
        lambda: processor.queue.purge("parked"),
        lambda: processor.queue.requeue(SetAsideCrash(CRASH, "parked", "", datetime.now(UTC), 1, "normal")),
    ):
        with pytest.raises(CrashQueueError, match="closed"):
            action()


def test_deliveries_may_be_ended_by_many_threads_at_once(processor):
    crash_ids = submitted(processor, 40)
    deliveries = [taken(processor) for _ in crash_ids]

    def finish(delivery: Delivery) -> None:
        processor.queue.begin(delivery)
        processor.queue.ack(delivery)

    threads = [threading.Thread(target=finish, args=(delivery,)) for delivery in deliveries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert in_flight(processor) == 0
    assert processor.take() is None


@pytest.mark.parametrize("backend", KNOW_ALL_IN_FLIGHT, indirect=True)
def test_what_waits_is_delayed_or_in_flight_is_pending_and_what_has_ended_is_not(backend, processor):
    waits, delayed, in_flight, acked, parked, rejected = crash_ids = [new_crash_id() for _ in range(6)]
    for crash_id in (delayed, in_flight, acked, parked, rejected, waits):
        processor.queue.submit(crash_id)
    deliveries = {delivery.crash_id: delivery for delivery in (taken(processor) for _ in range(5))}
    processor.queue.retry(deliveries[delayed], "away", transient=True)
    processor.queue.ack(deliveries[acked])
    processor.queue.park(deliveries[parked], "too large")
    processor.queue.reject(deliveries[rejected], "unknown")
    other = backend.start().queue
    assert other.pending([*crash_ids, new_crash_id()]) == {waits, delayed, in_flight}
    assert other.pending([acked]) == other.pending([]) == set()


@pytest.mark.parametrize("backend", sorted({*BACKENDS} - {*KNOW_ALL_IN_FLIGHT}), indirect=True)
def test_a_queue_that_cannot_tell_what_is_pending_says_so(processor):
    processor.queue.submit(CRASH)
    assert processor.queue.pending([CRASH]) is None


HISTORY = History(
    not_found=2, failed="storage0,machine", failed_at=1_790_000_000.5, unsaved="storage0", result="r1", work=FORCE
)


def test_the_history_of_a_crash_comes_with_its_retry_to_another_process(backend, processor):
    processor.queue.submit(CRASH)
    delivery = taken(processor)
    assert delivery.history == History()
    processor.queue.retry(delivery, "the reason", transient=True, history=HISTORY)
    processor.queue.close()
    backend.wait(LONGEST_DELAY)
    another = backend.start()
    delivery = taken(another)
    assert delivery.history == HISTORY
    another.queue.retry(delivery, "the reason", transient=False)
    backend.wait(LONGEST_DELAY)
    assert taken(another).history == HISTORY


def test_the_history_of_a_crash_comes_again_with_what_was_released(processor):
    processor.queue.submit(CRASH, work=FORCE)
    processor.queue.release(taken(processor))
    assert taken(processor).history == History(work=FORCE)


def test_the_history_of_a_crash_comes_again_when_its_processor_dies(backend, processor):
    processor.queue.submit(CRASH, work=FORCE)
    processor.queue.begin(taken(processor))
    processor.die()
    backend.wait(DEATH_NOTICED)
    assert taken_at_last(backend.start()).history == History(work=FORCE)


@pytest.mark.parametrize("state", ["parked", "rejected"])
def test_the_kind_of_work_is_kept_and_put_back_and_nothing_else_of_the_history(backend, processor, state):
    processor.queue.submit(CRASH)
    processor.queue.retry(taken(processor), "the reason", transient=True, history=HISTORY)
    backend.wait(LONGEST_DELAY)
    {"parked": processor.queue.park, "rejected": processor.queue.reject}[state](taken(processor), "the reason")
    (kept,) = processor.queue.set_aside(state)
    assert kept.work == FORCE
    assert processor.queue.requeue(kept)
    assert taken(processor).history == History(work=FORCE)


def test_many_at_once_are_submitted_with_their_kind_of_work(processor):
    assert list(processor.queue.submit_all(["a", "b"], "reprocessing", FORCE)) == ["a", "b"]
    assert [taken(processor).history.work for _ in range(2)] == [FORCE, FORCE]


def test_what_a_processor_tells_of_outcomes_all_others_hear_once(backend):
    first, second, third = (backend.start() for _ in range(3))
    for each in (first, second, third):
        assert each.take() is None
        assert each.queue.told() == []
    outcomes = Outcomes(saved=3, took={"storage0": 2}, failed=("a", "b"))
    heard: list[Outcomes] = []

    def is_heard() -> bool:
        heard.extend(second.queue.told())
        return outcomes in heard

    def tell_until_it_is_heard() -> bool:
        # One who has just come may miss what was told before all was ready for it.
        first.queue.tell(outcomes)
        return is_heard()

    eventually(tell_until_it_is_heard)
    assert outcomes in third.queue.told()
    assert first.queue.told() == []


def test_outcomes_that_no_processor_told_are_heard_as_none():
    for data in (b"", b"\xff", b"[]", b"{}", b'{"saved":-1,"took":[1],"failed":{"a":1}}', b"[" * 100_000):
        assert not decode_outcomes(data)
    assert decode_outcomes(b'{"saved":true,"took":{"a":"b","c":5},"failed":["x",1]}') == Outcomes(1, {"c": 5}, ("x",))
