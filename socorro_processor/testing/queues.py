"""A suite for a crash queue on any service."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol, cast

import pytest

from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.base import (
    LONGEST_DELAY,
    QUEUES,
    SUBMITTED_AHEAD,
    CrashQueueBase,
    Delivery,
    Depth,
    InFlight,
    QueueName,
    SetAsideCrash,
    SetAsideState,
    this_process,
)
from socorro_processor.crashqueue.history import FORCE, History
from socorro_processor.crashqueue.outcomes import Outcomes
from socorro_processor.errors import CrashQueueError

DEATH_NOTICED = 1.5
"""Seconds."""
DEADLINE = 60.0
"""Seconds. A service that needs a moment needs longer on a busy machine."""
CRASH = new_crash_id()


class Processor(Protocol):
    """One process that uses the queue."""

    @property
    def queue(self) -> CrashQueueBase:
        """Its own object."""

    def take(self) -> Delivery | None:
        """Return the next of ``queue.new_crashes()``; None if there surely is none now, not even on its way."""

    def die(self) -> None:
        """End as ``kill -9`` would: connections and locks go, nothing is given back."""


class QueueBackend(Protocol):
    """An empty queue service for the suite.

    Processes may be simulated: ``start`` creates another object of the queue, with its own connection or lock, and
    ``die`` cuts that. Time may be simulated, too, if the queue takes a clock.
    """

    @property
    def knows_what_had_begun(self) -> bool:
        """True if it can tell which crashes of a dead processor had been begun.

        If not, a death counts for none of them until they are delivered alone, so that no bystander's attempt counts.
        """

    @property
    def knows_all_in_flight(self) -> bool:
        """True if it keeps an id from being in flight in two processes at once, and answers ``pending``.

        If not, it does so within each process, and ``pending`` returns None.
        """

    def start(self) -> Processor:
        """Start one more process."""

    def now(self) -> float:
        """Return the time in seconds, by the clock of the delays."""

    def wait(self, seconds: float) -> None:
        """Let time pass, enough for a delay of ``seconds`` to end and for a death to be noticed."""

    def close(self) -> None:
        """Stop all processes, and remove the queue."""


class QueueSuite:
    """The tests of a queue.

    The subclass implements ``new_backend``; see ``QueueBackend``.

        class TestMyQueue(QueueSuite):
            def new_backend(self, directory):
                return MyService(directory)

    Fixtures for your own tests in the subclass: ``backend``, and ``processor``, the first that was started.

    The suite checks all that ``CrashQueueBase`` promises: the three queues and their shares; order; which attempts
    and retries count; delays, and probing them; deaths, suspects that are delivered alone, and twins; crashes that are
    set aside, put back and purged; depths, and crashes in flight; the history that comes with a crash; outcomes that
    processors tell each other; closing, and use by many threads. ``NoLossSuite`` checks the queue with the processor's
    own handling of deliveries; ``CrashQueueModel`` of ``socorro_processor.testing.queue_model``, which needs
    hypothesis, does so over any history of processors and their deaths.
    """

    def new_backend(self, directory: Path) -> QueueBackend:
        """Return an empty queue. It may keep files in ``directory``, which is empty."""
        raise NotImplementedError

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[QueueBackend]:
        backend = self.new_backend(tmp_path)
        yield backend
        backend.close()

    @pytest.fixture
    def processor(self, backend: QueueBackend) -> Processor:
        return backend.start()

    def test_an_empty_queue_yields_none_again_and_again(self, processor: Processor) -> None:
        assert [processor.take() for _ in range(3)] == [None] * 3

    @pytest.mark.parametrize("queue", QUEUES)
    def test_a_submitted_crash_is_delivered_from_its_queue_as_its_first_attempt(
        self, processor: Processor, queue: QueueName
    ) -> None:
        processor.queue.submit(CRASH, queue)
        assert replace(take(processor), tag=None) == Delivery(CRASH, queue, attempt=1, retries=0, suspect=False)

    def test_submit_all_yields_the_ids_in_their_order_and_they_are_queued(self, processor: Processor) -> None:
        crash_ids = [new_crash_id() for _ in range(2 * SUBMITTED_AHEAD + 1)]
        assert list(processor.queue.submit_all(iter(crash_ids), "priority")) == crash_ids
        assert processor.queue.depths().queues["priority"].waiting == len(crash_ids)
        assert take(processor).crash_id == crash_ids[0]

    def test_an_id_that_submit_all_yielded_is_queued_even_if_nobody_asks_for_more(self, processor: Processor) -> None:
        submission = processor.queue.submit_all(new_crash_id() for _ in range(SUBMITTED_AHEAD))
        next(submission)
        assert processor.queue.depths().queues["normal"].waiting >= 1

    def test_the_default_queue_is_normal(self, processor: Processor) -> None:
        processor.queue.submit(CRASH)
        assert take(processor).queue == "normal"

    def test_a_queue_that_does_not_exist_is_refused_by_name(self, processor: Processor) -> None:
        with pytest.raises(
            CrashQueueError, match=r"'express' is not a queue; there are priority, normal, reprocessing"
        ):
            processor.queue.submit(CRASH, cast(QueueName, "express"))

    def test_crashes_of_one_queue_come_in_the_order_of_submission(self, processor: Processor) -> None:
        crash_ids = submit_new(processor, 5)
        assert [take(processor).crash_id for _ in crash_ids] == crash_ids

    def test_a_crash_that_was_submitted_by_one_process_is_taken_by_another(
        self, backend: QueueBackend, processor: Processor
    ) -> None:
        backend.start().queue.submit(CRASH)
        assert take(processor).crash_id == CRASH

    def test_a_crash_that_is_in_flight_is_not_delivered_to_anybody_else(
        self, backend: QueueBackend, processor: Processor
    ) -> None:
        processor.queue.submit(CRASH)
        take(processor)
        assert processor.take() is None
        assert backend.start().take() is None

    def test_ten_crashes_taken_while_all_queues_have_work_are_six_three_and_one(self, processor: Processor) -> None:
        for queue in QUEUES:
            submit_new(processor, 10, queue)
        queues = [take(processor).queue for _ in range(10)]
        for queue, share in zip(QUEUES, (6, 3, 1), strict=True):
            assert abs(queues.count(queue) - share) <= 1

    def test_a_priority_crash_that_arrives_at_an_empty_priority_queue_is_the_next_one_taken(
        self, processor: Processor
    ) -> None:
        submit_new(processor, 10, "normal")
        submit_new(processor, 10, "reprocessing")
        for _ in range(4):
            take(processor)
        processor.queue.submit(CRASH, "priority")
        assert take(processor).crash_id == CRASH

    def test_an_acked_crash_is_gone_for_good(self, backend: QueueBackend, processor: Processor) -> None:
        processor.queue.submit(CRASH)
        delivery = take(processor)
        processor.queue.begin(delivery)
        processor.queue.ack(delivery)
        processor.die()
        backend.wait(LONGEST_DELAY)
        other = backend.start()
        assert other.take() is None
        assert set(other.queue.depths().queues.values()) == {Depth(0, 0, 0)}

    def test_a_released_crash_is_back_at_once_as_if_it_had_not_been_taken(self, processor: Processor) -> None:
        processor.queue.submit(CRASH)
        delivery = take(processor)
        processor.queue.begin(delivery)
        processor.queue.release(delivery)
        assert replace(take(processor), tag=None) == replace(delivery, tag=None)

    @pytest.mark.parametrize(("transient", "attempt"), [(True, 1), (False, 2)])
    def test_a_retry_counts_as_an_attempt_only_if_the_crash_is_at_fault(
        self, backend: QueueBackend, processor: Processor, transient: bool, attempt: int
    ) -> None:
        processor.queue.submit(CRASH)
        processor.queue.begin(delivery := take(processor))
        processor.queue.retry(delivery, "the reason", transient=transient)
        backend.wait(LONGEST_DELAY)
        again = take(processor)
        assert (again.crash_id, again.queue, again.attempt, again.retries) == (CRASH, "normal", attempt, 1)

    def test_a_retry_is_not_delivered_before_its_delay_has_passed(
        self, backend: QueueBackend, processor: Processor
    ) -> None:
        processor.queue.submit(CRASH)
        processor.queue.retry(take(processor), "the reason", transient=True)
        assert processor.take() is None
        assert processor.queue.depths().queues["normal"] == Depth(waiting=0, delayed=1, in_flight=0)

    def test_probing_delivers_no_more_than_one_crash_that_was_not_at_fault(self, processor: Processor) -> None:
        _, second, _ = delay_new(processor, False, True, True)
        processor.queue.probe()
        probed = [delivery.crash_id for delivery in iter(processor.take, None)]
        assert probed in ([second], [])
        assert processor.queue.depths().queues["normal"] == Depth(0, delayed=3 - len(probed), in_flight=len(probed))

    def test_a_probed_crash_is_the_next_one_before_all_that_wait(self, processor: Processor) -> None:
        (crash_id,) = delay_new(processor, True)
        submit_new(processor, 5, "priority")
        submit_new(processor, 5, "normal")
        processor.queue.probe()
        assert take(processor).crash_id == crash_id

    def test_a_probed_crash_whose_processor_dies_comes_again(self, backend: QueueBackend, processor: Processor) -> None:
        (crash_id,) = delay_new(processor, True)
        processor.queue.probe()
        processor.queue.begin(take(processor))
        processor.die()
        backend.wait(LONGEST_DELAY)
        assert take_eventually(backend.start()).crash_id == crash_id

    def test_probing_changes_nothing_if_no_crash_can_be_probed(
        self, backend: QueueBackend, processor: Processor
    ) -> None:
        processor.queue.probe()
        delay_new(processor, False)
        processor.queue.probe()
        assert processor.take() is None
        backend.wait(LONGEST_DELAY)
        assert take(processor).attempt == 2

    def test_a_crash_that_was_probed_may_be_retried_again(self, backend: QueueBackend, processor: Processor) -> None:
        (crash_id,) = delay_new(processor, True)
        processor.queue.probe()
        if again := processor.take():
            processor.queue.retry(again, "still away", transient=True)
        assert processor.take() is None
        backend.wait(LONGEST_DELAY)
        assert take(processor).crash_id == crash_id

    def test_other_crashes_are_delivered_while_one_is_delayed(self, processor: Processor) -> None:
        _, second = submit_new(processor, 2)
        processor.queue.retry(take(processor), "the reason", transient=True)
        assert take(processor).crash_id == second

    @pytest.mark.parametrize("begun", [False, True])
    def test_a_death_counts_as_an_attempt_only_for_a_crash_that_had_begun(
        self, backend: QueueBackend, processor: Processor, begun: bool
    ) -> None:
        processor.queue.submit(CRASH)
        delivery = take(processor)
        if begun:
            processor.queue.begin(delivery)
        processor.die()
        backend.wait(DEATH_NOTICED)
        again = take(backend.start())
        attempt = 2 if begun and backend.knows_what_had_begun else 1
        assert (again.crash_id, again.attempt, again.retries) == (CRASH, attempt, 0)

    def test_a_crash_that_was_begun_at_two_deaths_is_delivered_alone(
        self, backend: QueueBackend, processor: Processor
    ) -> None:
        processor.queue.submit(CRASH)
        for _ in range(2):
            delivery = take(processor)
            assert not delivery.suspect
            processor.queue.begin(delivery)
            processor.die()
            backend.wait(DEATH_NOTICED)
            processor = backend.start()
        suspect = take(processor)
        assert (suspect.suspect, suspect.attempt) == (True, 3 if backend.knows_what_had_begun else 1)

    def test_each_death_over_a_crash_that_is_delivered_alone_is_an_attempt(
        self, backend: QueueBackend, processor: Processor
    ) -> None:
        processor.queue.submit(CRASH)
        attempts = []
        for _ in range(5):
            processor.queue.begin(delivery := take(processor))
            if delivery.suspect:
                attempts.append(delivery.attempt)
            processor.die()
            backend.wait(DEATH_NOTICED)
            processor = backend.start()
        assert attempts == [attempts[0], attempts[0] + 1, attempts[0] + 2]

    def test_the_same_id_twice_is_delivered_twice_one_after_the_other(self, processor: Processor) -> None:
        processor.queue.submit(CRASH)
        processor.queue.submit(CRASH, "reprocessing")
        first = take(processor)
        assert processor.take() is None
        processor.queue.ack(first)
        assert take(processor).crash_id == CRASH

    def test_the_same_id_twice_is_delivered_twice_however_many_processes_there_are(
        self, backend: QueueBackend, processor: Processor
    ) -> None:
        processor.queue.submit(CRASH)
        processor.queue.submit(CRASH, "reprocessing")
        other = backend.start()
        first = take(processor)
        assert processor.take() is None
        twin = other.take()
        assert twin is None or not backend.knows_all_in_flight
        processor.queue.ack(first)
        if backend.knows_all_in_flight:
            twin = take(other)
            assert processor.take() is None
        twin = twin or processor.take() or other.take()
        assert twin is not None
        assert twin.crash_id == CRASH

    def test_an_id_that_waits_for_its_twin_keeps_no_other_crash_waiting(self, processor: Processor) -> None:
        for crash_id in (CRASH, CRASH, "another"):
            processor.queue.submit(crash_id)
        assert [take(processor).crash_id for _ in range(2)] == [CRASH, "another"]

    @pytest.mark.parametrize("state", ["parked", "rejected"])
    def test_a_crash_that_was_set_aside_has_its_reason_time_attempts_and_origin(
        self, backend: QueueBackend, processor: Processor, state: SetAsideState
    ) -> None:
        processor.queue.submit(CRASH, "reprocessing")
        processor.queue.begin(delivery := take(processor))
        processor.queue.retry(delivery, "once", transient=False)
        backend.wait(LONGEST_DELAY)
        processor.queue.begin(delivery := take(processor))
        {"parked": processor.queue.park, "rejected": processor.queue.reject}[state](delivery, "the reason")
        (kept,) = processor.queue.set_aside(state)
        assert kept == SetAsideCrash(CRASH, state, "the reason", kept.time, attempts=2, queue="reprocessing")
        assert kept.time.tzinfo is UTC
        depths = processor.queue.depths()
        assert (depths.parked, depths.rejected) == (int(state == "parked"), int(state == "rejected"))
        assert processor.take() is None

    @pytest.mark.parametrize("state", ["parked", "rejected"])
    def test_a_requeued_crash_is_back_in_its_queue_as_if_it_were_new(
        self, backend: QueueBackend, processor: Processor, state: SetAsideState
    ) -> None:
        processor.queue.submit(CRASH, "priority")
        processor.queue.retry(take(processor), "once", transient=False)
        backend.wait(LONGEST_DELAY)
        {"parked": processor.queue.park, "rejected": processor.queue.reject}[state](take(processor), "the reason")
        (kept,) = processor.queue.set_aside(state)
        assert processor.queue.requeue(kept)
        assert replace(take(processor), tag=None) == Delivery(CRASH, "priority", attempt=1, retries=0)
        assert list(processor.queue.set_aside(state)) == []

    def test_requeueing_a_crash_that_is_no_longer_set_aside_returns_false_and_queues_nothing(
        self, processor: Processor
    ) -> None:
        processor.queue.submit(CRASH)
        processor.queue.park(take(processor), "the reason")
        (kept,) = processor.queue.set_aside("parked")
        assert processor.queue.requeue(kept)
        assert not processor.queue.requeue(kept)
        assert not processor.queue.requeue(replace(kept, time=datetime.now(UTC) + timedelta(days=1)))
        processor.queue.ack(take(processor))
        assert processor.take() is None

    def test_crashes_that_were_set_aside_can_be_put_back_while_they_are_read_oldest_first(
        self, processor: Processor
    ) -> None:
        crash_ids = submit_new(processor, 20)
        for _ in crash_ids:
            processor.queue.park(take(processor), "the reason")
        read = [crash.crash_id for crash in processor.queue.set_aside("parked") if processor.queue.requeue(crash)]
        assert read == crash_ids
        assert processor.queue.depths().parked == 0

    def test_a_parked_crash_that_is_rejected_is_a_rejected_one_with_its_reason_and_can_still_be_put_back(
        self, processor: Processor
    ) -> None:
        processor.queue.submit(CRASH, "priority")
        processor.queue.park(take(processor), "the reason")
        (kept,) = processor.queue.set_aside("parked")
        assert processor.queue.reject_parked(kept)
        assert list(processor.queue.set_aside("parked")) == []
        (rejected,) = processor.queue.set_aside("rejected")
        assert rejected == replace(kept, state="rejected")
        assert processor.queue.requeue(rejected)
        assert take(processor).queue == "priority"

    def test_a_parked_crash_is_rejected_once(self, processor: Processor) -> None:
        processor.queue.submit(CRASH)
        processor.queue.park(take(processor), "the reason")
        (kept,) = processor.queue.set_aside("parked")
        assert processor.queue.reject_parked(kept)
        assert not processor.queue.reject_parked(kept)
        assert processor.queue.depths().rejected == 1

    def test_purging_a_queue_forgets_its_waiting_and_delayed_crashes_and_nothing_else(
        self, backend: QueueBackend, processor: Processor
    ) -> None:
        submit_new(processor, 2, "normal")
        delayed, in_work = take(processor), take(processor)
        processor.queue.retry(delayed, "the reason", transient=True)
        other = backend.start().queue
        for queue in QUEUES:
            for _ in range(3):
                other.submit(new_crash_id(), queue)
        if not backend.knows_what_had_begun:
            # Purging leaves crashes that a processor has prefetched; another one, which takes none, purges here.
            processor.queue.release(in_work)
            processor.queue.close()
        expected = {"normal": 4 + (not backend.knows_what_had_begun), "priority": 3}
        assert {queue: other.purge(queue) for queue in ("normal", "priority")} == expected
        assert {queue: other.purge(queue) for queue in ("normal", "priority")} == {"normal": 0, "priority": 0}
        depths = other.depths().queues
        assert (depths["normal"].waiting, depths["normal"].delayed, depths["reprocessing"].waiting) == (0, 0, 3)

    @pytest.mark.parametrize("state", ["parked", "rejected"])
    def test_purging_parked_or_rejected_crashes_leaves_the_others(
        self, backend: QueueBackend, processor: Processor, state: SetAsideState
    ) -> None:
        submit_new(processor, 4)
        for _ in range(2):
            processor.queue.park(take(processor), "the reason")
            processor.queue.reject(take(processor), "the reason")
        other = backend.start().queue
        assert other.purge(state) == 2
        assert list(other.set_aside(state)) == []
        depths = other.depths()
        assert (depths.parked, depths.rejected) == ((0, 2) if state == "parked" else (2, 0))

    def test_a_crash_in_work_survives_the_purge_of_its_queue(self, processor: Processor) -> None:
        processor.queue.submit(CRASH)
        delivery = take(processor)
        assert processor.queue.purge("normal") == 0
        processor.queue.release(delivery)
        assert take(processor).crash_id == CRASH

    def test_a_reason_is_cut_to_a_thousand_characters(self, processor: Processor) -> None:
        processor.queue.submit(CRASH)
        processor.queue.park(take(processor), "x" * 5_000)
        (kept,) = processor.queue.set_aside("parked")
        assert kept.reason == "x" * 1_000

    @pytest.mark.parametrize("body", ["", "not a crash id", "../../etc/passwd", "a\nb\r\n", "é 🦊", "%s %d {}"])
    def test_a_body_that_is_not_a_crash_id_is_delivered_as_it_is_for_the_caller_to_reject(
        self, processor: Processor, body: str
    ) -> None:
        processor.queue.submit(body)
        delivery = take(processor)
        assert delivery.crash_id == body
        processor.queue.reject(delivery, "no crash id")
        (kept,) = processor.queue.set_aside("rejected")
        assert kept.crash_id == body

    @pytest.mark.parametrize("ending", ["ack", "release", "park", "retry"])
    def test_ending_a_delivery_that_was_given_back_changes_nothing(self, processor: Processor, ending: str) -> None:
        processor.queue.submit(CRASH)
        delivery = take(processor)
        processor.queue.release(delivery)
        if ending == "retry":
            processor.queue.retry(delivery, "late", transient=False)
        elif ending == "park":
            processor.queue.park(delivery, "late")
        else:
            getattr(processor.queue, ending)(delivery)
        assert replace(take(processor), tag=None) == replace(delivery, tag=None)

    def test_depths_tell_waiting_delayed_and_in_flight_apart_by_queue(self, processor: Processor) -> None:
        submit_new(processor, 3, "normal")
        submit_new(processor, 1, "priority")
        first, second = take(processor), take(processor)
        assert [first.queue, second.queue] == ["priority", "normal"]
        processor.queue.retry(second, "the reason", transient=True)
        assert processor.queue.depths().queues == {
            "priority": Depth(waiting=0, delayed=0, in_flight=1),
            "normal": Depth(waiting=2, delayed=1, in_flight=0),
            "reprocessing": Depth(waiting=0, delayed=0, in_flight=0),
        }

    def test_the_age_of_the_oldest_grows_while_it_is_tried_again_and_is_0_in_an_empty_queue(
        self, backend: QueueBackend, processor: Processor
    ) -> None:
        def ages() -> list[float | None]:
            # A broker learns a moment later that a crash has ended.
            return [processor.queue.depths().queues[name].oldest for name in ("normal", "priority", "reprocessing")]

        assert ages() == [0.0, 0.0, 0.0]
        before = backend.now()
        processor.queue.submit(CRASH)
        processor.queue.retry(take(processor), "the reason", transient=True)
        backend.wait(LONGEST_DELAY)
        delivery = take(processor)
        processor.queue.submit(new_crash_id())
        assert ages()[1:] == [0.0, 0.0]
        age, longest = ages()[0], backend.now() - before
        # The age is by the wall clock, whose pace may differ a little.
        assert age is not None
        assert 1.0 <= age <= longest + 1.0
        processor.queue.ack(delivery)
        processor.queue.ack(take(processor))
        eventually(lambda: ages() == [0.0, 0.0, 0.0])

    def test_a_crash_that_is_put_back_has_waited_since_then(self, backend: QueueBackend, processor: Processor) -> None:
        processor.queue.submit(CRASH)
        backend.wait(LONGEST_DELAY)
        processor.queue.park(take(processor), "the reason")
        backend.wait(LONGEST_DELAY)
        (kept,) = processor.queue.set_aside("parked")
        before = backend.now()
        assert processor.queue.requeue(kept)
        take(processor)
        age = processor.queue.depths().queues["normal"].oldest
        assert age is not None
        assert 0.0 <= age <= backend.now() - before + 1.0

    def test_other_processes_learn_which_crashes_are_in_flight_where_and_since_when(
        self, backend: QueueBackend, processor: Processor
    ) -> None:
        submit_new(processor, 1, "priority")
        submit_new(processor, 1, "normal")
        begun, taken_only = take(processor), take(processor)
        processor.queue.begin(begun)
        answer = ask_in_flight(backend)
        assert answer.in_work == {"priority": 1, "normal": 1, "reprocessing": 0}
        assert {(crash.crash_id, crash.queue, crash.state, crash.process) for crash in answer.crashes} == {
            (begun.crash_id, "priority", "in work", this_process()),
            (taken_only.crash_id, "normal", "taken", this_process()),
        }
        assert all(crash.since for crash in answer.crashes)
        (at,) = [each for each in answer.processes if sum(each.in_work.values())]
        assert (at.process, at.in_work) == (this_process(), answer.in_work)

    def test_ids_of_crashes_in_flight_are_returned_only_on_request(
        self, backend: QueueBackend, processor: Processor
    ) -> None:
        processor.queue.submit(CRASH)
        take(processor)
        answer = ask_in_flight(backend, ids=False)
        assert (answer.in_work["normal"], answer.crashes) == (1, ())

    def test_a_delayed_crash_is_returned_with_its_due_time_and_reason(
        self, backend: QueueBackend, processor: Processor
    ) -> None:
        processor.queue.submit(CRASH)
        processor.queue.retry(take(processor), "S3 is away\ud800", transient=True)
        answer = ask_in_flight(backend)
        assert sum(answer.in_work.values()) == 0
        (crash,) = answer.crashes
        assert (crash.crash_id, crash.state, crash.reason) == (CRASH, "delayed", r"S3 is away\ud800")
        assert crash.due is not None

    def test_the_reason_of_a_retry_comes_with_the_crash_to_another_process(
        self, backend: QueueBackend, processor: Processor
    ) -> None:
        processor.queue.submit(CRASH)
        processor.queue.retry(take(processor), "S3 is away", transient=True)
        processor.queue.close()
        backend.wait(LONGEST_DELAY)
        another = backend.start()
        another.queue.begin(take(another))
        (crash,) = ask_in_flight(backend).crashes
        assert (crash.crash_id, crash.state, crash.reason, crash.due) == (CRASH, "in work", "S3 is away", None)

    @pytest.mark.parametrize("ending", ["ack", "park", "reject", "release"])
    def test_an_ended_crash_is_no_longer_in_flight(
        self, backend: QueueBackend, processor: Processor, ending: str
    ) -> None:
        processor.queue.submit(CRASH)
        processor.queue.retry(take(processor), "S3 is away", transient=True)
        backend.wait(LONGEST_DELAY)
        processor.queue.begin(delivery := take(processor))
        getattr(processor.queue, ending)(delivery, *(["the reason"] if ending in ("park", "reject") else []))
        answer = ask_in_flight(backend)
        assert sum(answer.in_work.values()) == 0
        assert {crash.state for crash in answer.crashes} <= {"prefetched"}

    def test_closing_gives_back_crashes_in_flight_without_counting_an_attempt(
        self, backend: QueueBackend, processor: Processor
    ) -> None:
        submit_new(processor, 2)
        processor.queue.begin(take(processor))
        take(processor)
        processor.queue.close()
        other = backend.start()
        assert [(take(other).attempt) for _ in range(2)] == [1, 1]

    def test_closing_ends_the_crashes_and_may_be_done_twice(self, processor: Processor) -> None:
        processor.queue.close()
        processor.queue.close()
        assert list(processor.queue.new_crashes()) == []

    def test_a_closed_queue_refuses_further_calls(self, processor: Processor) -> None:
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

    def test_deliveries_may_be_ended_by_many_threads_at_once(self, processor: Processor) -> None:
        crash_ids = submit_new(processor, 40)
        deliveries = [take(processor) for _ in crash_ids]

        def finish(delivery: Delivery) -> None:
            processor.queue.begin(delivery)
            processor.queue.ack(delivery)

        threads = [threading.Thread(target=finish, args=(delivery,)) for delivery in deliveries]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert count_in_flight(processor) == 0
        assert processor.take() is None

    def test_waiting_delayed_and_in_flight_crashes_are_pending_and_ended_ones_are_not(
        self, backend: QueueBackend, processor: Processor
    ) -> None:
        waits, delayed, in_flight, acked, parked, rejected = crash_ids = [new_crash_id() for _ in range(6)]
        for crash_id in (delayed, in_flight, acked, parked, rejected, waits):
            processor.queue.submit(crash_id)
        deliveries = {delivery.crash_id: delivery for delivery in (take(processor) for _ in range(5))}
        processor.queue.retry(deliveries[delayed], "away", transient=True)
        processor.queue.ack(deliveries[acked])
        processor.queue.park(deliveries[parked], "too large")
        processor.queue.reject(deliveries[rejected], "unknown")
        other = backend.start().queue
        if not backend.knows_all_in_flight:
            assert other.pending(crash_ids) is None
            return
        assert other.pending([*crash_ids, new_crash_id()]) == {waits, delayed, in_flight}
        assert other.pending([acked]) == other.pending([]) == set()

    def test_the_history_of_a_crash_comes_with_its_retry_to_another_process(
        self, backend: QueueBackend, processor: Processor
    ) -> None:
        processor.queue.submit(CRASH)
        delivery = take(processor)
        assert delivery.history == History()
        processor.queue.retry(delivery, "the reason", transient=True, history=HISTORY)
        processor.queue.close()
        backend.wait(LONGEST_DELAY)
        another = backend.start()
        delivery = take(another)
        assert delivery.history == HISTORY
        another.queue.retry(delivery, "the reason", transient=False)
        backend.wait(LONGEST_DELAY)
        assert take(another).history == HISTORY

    def test_the_history_of_a_crash_comes_again_after_its_release(self, processor: Processor) -> None:
        processor.queue.submit(CRASH, work=FORCE)
        processor.queue.release(take(processor))
        assert take(processor).history == History(work=FORCE)

    def test_the_history_of_a_crash_comes_again_when_its_processor_dies(
        self, backend: QueueBackend, processor: Processor
    ) -> None:
        processor.queue.submit(CRASH, work=FORCE)
        processor.queue.begin(take(processor))
        processor.die()
        backend.wait(DEATH_NOTICED)
        assert take_eventually(backend.start()).history == History(work=FORCE)

    @pytest.mark.parametrize("state", ["parked", "rejected"])
    def test_only_the_kind_of_work_is_kept_of_the_history_when_a_crash_is_put_back(
        self, backend: QueueBackend, processor: Processor, state: SetAsideState
    ) -> None:
        processor.queue.submit(CRASH)
        processor.queue.retry(take(processor), "the reason", transient=True, history=HISTORY)
        backend.wait(LONGEST_DELAY)
        {"parked": processor.queue.park, "rejected": processor.queue.reject}[state](take(processor), "the reason")
        (kept,) = processor.queue.set_aside(state)
        assert kept.work == FORCE
        assert processor.queue.requeue(kept)
        assert take(processor).history == History(work=FORCE)

    def test_submit_all_keeps_the_kind_of_work(self, processor: Processor) -> None:
        assert list(processor.queue.submit_all(["a", "b"], "reprocessing", FORCE)) == ["a", "b"]
        assert [take(processor).history.work for _ in range(2)] == [FORCE, FORCE]

    def test_all_other_processors_hear_of_an_outcome_once(self, backend: QueueBackend) -> None:
        first, second, third = (backend.start() for _ in range(3))
        for each in (first, second, third):
            assert each.take() is None
            assert each.queue.take_outcomes() == []
        outcomes = Outcomes(saved=3, took={"storage0": 2}, failed=("a", "b"))
        heard: list[Outcomes] = []

        def is_heard() -> bool:
            heard.extend(second.queue.take_outcomes())
            return outcomes in heard

        def tell_until_it_is_heard() -> bool:
            # A processor that has just started may miss outcomes told before it listened.
            first.queue.tell_outcomes(outcomes)
            return is_heard()

        eventually(tell_until_it_is_heard)
        assert outcomes in third.queue.take_outcomes()
        assert first.queue.take_outcomes() == []


def eventually(condition: Callable[[], object], message: Callable[[], object] = lambda: "it did not happen") -> None:
    """Wait until ``condition`` is true; no event in this process signals that."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, message()
        time.sleep(0.02)


def take(processor: Processor) -> Delivery:
    delivery = processor.take()
    assert delivery is not None, "there is a crash, but it was not delivered"
    return delivery


def take_eventually(processor: Processor) -> Delivery:
    """Return the next delivery, however late the service notices the death of the processor that had the crash."""
    deadline = time.monotonic() + LONGEST_DELAY
    while (delivery := processor.take()) is None:
        assert time.monotonic() < deadline, "there is a crash, but it was not delivered"
    return delivery


def submit_new(processor: Processor, count: int, queue: QueueName = "normal") -> list[str]:
    crash_ids = [new_crash_id() for _ in range(count)]
    for crash_id in crash_ids:
        processor.queue.submit(crash_id, queue)
    return crash_ids


def count_in_flight(processor: Processor) -> int:
    return sum(depth.in_flight for depth in processor.queue.depths().queues.values())


def delay_new(processor: Processor, *transient: bool) -> list[str]:
    """Submit crashes and retry each: for a transient failure if True, for an own failure if False."""
    crash_ids = submit_new(processor, len(transient))
    deliveries = [take(processor) for _ in crash_ids]
    for delivery, is_transient in zip(deliveries, transient, strict=True):
        processor.queue.retry(delivery, "the reason", transient=is_transient)
    return crash_ids


def ask_in_flight(backend: QueueBackend, *, ids: bool = True) -> InFlight:
    """Ask a new queue, which has no crash itself, for the crashes in flight."""
    queue = backend.start().queue
    answers: list[InFlight] = []

    def all_have_answered() -> bool:
        answers.append(queue.in_flight(ids=ids))
        return not any(answers[-1].silent.values())

    # A processor that has just started may not hear questions yet.
    eventually(all_have_answered)
    return answers[-1]


HISTORY = History(
    not_found=2, failed="storage0,machine", failed_at=1_790_000_000.5, unsaved="storage0", result="r1", work=FORCE
)
