"""A suite for a queue under the no-loss rule: where a crash is after each way of ending."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from socorro_processor.app.crash_steps import CrashSteps, Result
from socorro_processor.app.delivery_handler import EXCHANGE_INTERVAL, DeliveryHandler
from socorro_processor.app.outage_breaker import OutageBreaker
from socorro_processor.app.watchdog import Watchdog
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.base import LONGEST_DELAY, CrashQueueBase
from socorro_processor.crashqueue.history import History
from socorro_processor.crashqueue.outcomes import Outcomes
from socorro_processor.errors import (
    CrashIDNotFound,
    MalformedCrash,
    NotSavedError,
    PermanentStorageError,
    ProcessingEnvironmentError,
    TransientStorageError,
)
from socorro_processor.monitoring.blame_counter import OTHERS
from socorro_processor.monitoring.health import Health
from socorro_processor.testing.queues import DEATH_NOTICED, Processor, QueueBackend, eventually, take

MAXIMUM_ATTEMPTS = 5
FEW_ATTEMPTS = 2
MOST_DEATHS = 2 + MAXIMUM_ATTEMPTS

NOT_FOUND = CrashIDNotFound("there is no such crash")
AWAY = TransientStorageError("the service is away")
NO_WALKER = ProcessingEnvironmentError("no stackwalker")
TOO_LARGE = PermanentStorageError("too large")


class PlayedSteps:
    """Raises the errors of the crashes in ``errors``, and saves the others."""

    def __init__(self) -> None:
        self.errors: dict[str, Exception] = {}
        self.attempts: list[int] = []

    def run(self, crash_id: str, *, attempt: int, first_time: bool, is_new: bool, history: History) -> Result:
        if error := self.errors.get(crash_id):
            self.attempts.append(attempt)
            raise error
        return Result("main", True, {})


def handler_of(
    processor: Processor,
    steps: PlayedSteps,
    clock: Callable[[], float] = time.monotonic,
    maximum_attempts: int = MAXIMUM_ATTEMPTS,
) -> DeliveryHandler:
    return DeliveryHandler(
        processor.queue,
        cast(CrashSteps, steps),
        OutageBreaker(Health()),
        Watchdog(900.0),
        maximum_attempts,
        clock=clock,
    )


def process(backend: QueueBackend, processor: Processor, steps: PlayedSteps, deliveries: int) -> None:
    """Handle up to ``deliveries`` crashes; if only delayed ones are left, wait for their delays to end."""
    handler = handler_of(processor, steps)
    for _ in range(deliveries):
        delivery = processor.take()
        if delivery is None:
            backend.wait(LONGEST_DELAY)
            delivery = processor.take()
        if delivery is None:
            return
        handler.handle(delivery)


class Installation:
    """Eight processors that take turns, and tell each other how crashes ended."""

    def __init__(self, backend: QueueBackend, steps: PlayedSteps) -> None:
        self._backend = backend
        self._now = 0.0
        self.processors = [backend.start() for _ in range(8)]
        self.queue = self.processors[0].queue
        self._handlers = [
            handler_of(processor, steps, lambda: self._now, FEW_ATTEMPTS) for processor in self.processors
        ]
        self._wait_until_all_hear_all()

    def submit(self, number: int) -> list[str]:
        crash_ids = [new_crash_id() for _ in range(number)]
        for crash_id in crash_ids:
            self.queue.submit(crash_id)
        return crash_ids

    def rounds(self, number: int) -> None:
        """Let every processor handle one crash a round; they exchange outcomes before and after."""
        for _ in range(number):
            self._exchange()
            for processor, handler in zip(self.processors, self._handlers, strict=True):
                if delivery := processor.take():
                    handler.handle(delivery)
            self._exchange()

    def _wait_until_all_hear_all(self) -> None:
        """Wait until all processors listen: outcomes that are told earlier are lost."""
        for processor in self.processors:
            assert processor.take() is None
        names = {f"processor {number}" for number in range(len(self.processors))}
        heard: list[set[str]] = [{name} for name in sorted(names)]

        def all_hear_all() -> bool:
            for number, (processor, known) in enumerate(zip(self.processors, heard, strict=True)):
                processor.queue.tell_outcomes(Outcomes(took={f"processor {number}": 1}))
                known.update(*(outcomes.took for outcomes in processor.queue.take_outcomes()))
            return all(known == names for known in heard)

        eventually(all_hear_all, lambda: heard)

    def _exchange(self) -> None:
        self._now += 2 * EXCHANGE_INTERVAL
        for handler in self._handlers:
            handler.exchange_outcomes()

    def assert_left(self, expected: tuple[int, int, int]) -> None:
        for processor in self.processors[1:]:
            processor.queue.close()  # RabbitMQ does not count what these have taken
        assert_left(self.queue, expected)

    def end_delays(self) -> None:
        self._backend.wait(LONGEST_DELAY)


def assert_left(queue: CrashQueueBase, expected: tuple[int, int, int]) -> None:
    """Wait until as many crashes are in the queues, parked, rejected.

    RabbitMQ does not count a crash on its way from a delay to its queue.
    """

    def left() -> tuple[int, int, int]:
        depths = queue.depths()
        in_queues = sum(depth.waiting + depth.delayed + depth.in_flight for depth in depths.queues.values())
        return in_queues + depths.suspect, depths.parked, depths.rejected

    eventually(lambda: left() == expected, left)


class NoLossSuite:
    """The tests of a queue with the processor's handler of deliveries: no crash is lost, or tried without end.

    The subclass implements ``new_backend``, as for ``QueueSuite``; and ``new_backend_for_eight``, if the delays of the
    former are shorter than eight processes need to end a few crashes each, or if processes prefetch crashes.

    The suite checks how often a crash is tried for each kind of failure, and that it is then parked or rejected, with
    the reason; crashes that kill their processors; crashes that all fail in a row, and so are not at fault, at one
    processor and at eight.
    """

    def new_backend(self, directory: Path) -> QueueBackend:
        """Return a queue with nothing in it; ``directory`` is empty, for files that it needs."""
        raise NotImplementedError

    def new_backend_for_eight(self, directory: Path) -> QueueBackend:
        return self.new_backend(directory)

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[QueueBackend]:
        backend = self.new_backend(tmp_path)
        yield backend
        backend.close()

    @pytest.fixture
    def steps(self) -> PlayedSteps:
        return PlayedSteps()

    @pytest.fixture
    def installation(self, tmp_path: Path, steps: PlayedSteps) -> Iterator[Installation]:
        backend = self.new_backend_for_eight(tmp_path)
        yield Installation(backend, steps)
        backend.close()

    @pytest.mark.parametrize(
        ("error", "attempts", "expected"),
        [
            (NOT_FOUND, [1, 1, 1, 1], (0, 0, 1)),
            (AWAY, [1] * 7, (1, 0, 0)),
            (NO_WALKER, [1] * 7, (1, 0, 0)),
            (MemoryError("no memory"), [1] * 7, (1, 0, 0)),
            (TOO_LARGE, [1, 2, 3, 4, 5], (0, 1, 0)),
            (KeyError("a bug"), [1, 2, 3, 4, 5], (0, 1, 0)),
            (MalformedCrash("no JSON object"), [1], (0, 1, 0)),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
    )
    def test_how_often_a_crash_is_tried_and_where_it_ends(
        self,
        backend: QueueBackend,
        steps: PlayedSteps,
        error: Exception,
        attempts: list[int],
        expected: tuple[int, int, int],
    ) -> None:
        processor = backend.start()
        crash_id = new_crash_id()
        steps.errors[crash_id] = error
        processor.queue.submit(crash_id, "priority")
        processor.queue.submit(new_crash_id())
        process(backend, processor, steps, deliveries=8)
        assert steps.attempts == attempts
        assert_left(processor.queue, expected)
        kept = [*processor.queue.set_aside("parked"), *processor.queue.set_aside("rejected")]
        assert [(crash.crash_id, crash.queue) for crash in kept] == [(crash_id, "priority")] * sum(expected[1:])
        for crash in kept:
            assert str(error).strip("'") in crash.reason or type(error).__name__ in crash.reason
            assert crash.attempts == attempts[-1]

    def test_a_body_that_is_not_a_crash_id_is_rejected_with_the_reason(
        self, backend: QueueBackend, steps: PlayedSteps
    ) -> None:
        processor = backend.start()
        processor.queue.submit("../../etc/passwd")
        process(backend, processor, steps, deliveries=1)
        (kept,) = processor.queue.set_aside("rejected")
        assert (kept.crash_id, kept.queue) == ("../../etc/passwd", "normal")
        assert "not a crash id" in kept.reason
        assert_left(processor.queue, (0, 0, 1))

    def test_a_crash_over_which_every_processor_dies_is_parked_after_its_attempts(
        self, backend: QueueBackend, steps: PlayedSteps
    ) -> None:
        crash_id = new_crash_id()
        backend.start().queue.submit(crash_id)
        deaths = 0
        while (delivery := take(processor := backend.start())).attempt <= MAXIMUM_ATTEMPTS:
            processor.queue.begin(delivery)
            processor.die()
            deaths += 1
            assert deaths <= MOST_DEATHS
            backend.wait(DEATH_NOTICED)
        handler = handler_of(processor, steps)
        handler.handle(delivery)
        backend.wait(LONGEST_DELAY)
        handler.handle(take(processor))
        (kept,) = processor.queue.set_aside("parked")
        assert (kept.crash_id, kept.reason) == (crash_id, "the processor died in each of 5 attempts")
        assert deaths == MAXIMUM_ATTEMPTS + (0 if backend.knows_what_had_begun else 2)

    def test_ten_different_crashes_in_a_row_that_are_at_fault_are_not_parked(
        self, backend: QueueBackend, steps: PlayedSteps
    ) -> None:
        processor = backend.start()
        crash_ids = [new_crash_id() for _ in range(10)]
        steps.errors = dict.fromkeys(crash_ids, KeyError("a broken deploy"))
        for crash_id in crash_ids:
            processor.queue.submit(crash_id)
        process(backend, processor, steps, deliveries=10 * (MAXIMUM_ATTEMPTS + 1))
        processor.queue.close()
        processor = backend.start()
        process(backend, processor, steps, deliveries=20)
        assert_left(processor.queue, (10, 0, 0))
        steps.errors = {}
        process(backend, processor, steps, deliveries=20)
        assert_left(processor.queue, (0, 0, 0))

    def test_with_eight_processors_crashes_that_fail_in_a_row_are_not_parked(
        self, installation: Installation, steps: PlayedSteps
    ) -> None:
        steps.errors = dict.fromkeys(installation.submit(12), KeyError("a broken deploy"))
        for _ in range(FEW_ATTEMPTS + 3):
            installation.rounds(2)
            installation.end_delays()
        installation.assert_left((12, 0, 0))

    def test_with_eight_processors_a_crash_that_alone_always_times_out_is_parked(
        self, installation: Installation, steps: PlayedSteps
    ) -> None:
        (guilty,) = installation.submit(1)
        steps.errors[guilty] = NotSavedError(
            "storage2: timed out", unsaved=["storage2"], away=["storage2"], took=["storage0", "storage1"], result="r"
        )
        for _ in range(4 * FEW_ATTEMPTS):
            # On a slow machine it may come back before twenty others are saved: then the attempt does not count.
            if installation.queue.depths().parked:
                break
            installation.submit(OTHERS + 4)
            installation.rounds(4)
            installation.end_delays()
        installation.rounds(2)  # for the crashes that are left
        installation.assert_left((0, 1, 0))
        (kept,) = installation.queue.set_aside("parked")
        assert kept.crash_id == guilty
        assert "this crash alone fails" in kept.reason

    def test_with_eight_processors_missing_crashes_are_rejected_after_four_looks(
        self, installation: Installation, steps: PlayedSteps
    ) -> None:
        steps.errors = dict.fromkeys(installation.submit(16), NOT_FOUND)
        while len(steps.attempts) < 4 * 16:
            installation.rounds(2)
            installation.end_delays()
        installation.assert_left((0, 0, 16))

    def test_attempts_and_retries_are_remembered_by_the_queue_when_the_processor_dies(
        self, backend: QueueBackend, steps: PlayedSteps
    ) -> None:
        processor = backend.start()
        crash_id = new_crash_id()
        processor.queue.submit(crash_id)
        steps.errors[crash_id] = TOO_LARGE
        for attempt in range(1, MAXIMUM_ATTEMPTS):
            delivery = take(processor)
            assert (delivery.attempt, delivery.retries) == (attempt, attempt - 1)
            handler_of(processor, steps).handle(delivery)
            processor.die()
            processor = backend.start()
            backend.wait(LONGEST_DELAY)
