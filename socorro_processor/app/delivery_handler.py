"""Handle a delivery: apply the no-loss rule to every way in which a crash can end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from socorro_processor.app.blame_judge import FAILED_IN_A_ROW, MACHINE, BlameJudge
from socorro_processor.app.crash_steps import SOURCE, CrashSteps, Result
from socorro_processor.app.outage_breaker import OutageBreaker
from socorro_processor.app.watchdog import Watchdog
from socorro_processor.crash_id import check_crash_id
from socorro_processor.crashqueue.base import QUEUES, CrashQueueBase, Delivery
from socorro_processor.crashqueue.history import split_names
from socorro_processor.errors import (
    CrashIDNotFound,
    CrashQueueError,
    CrashStorageError,
    InvalidCrashID,
    MalformedCrash,
    NotSavedError,
    ProcessingEnvironmentError,
    raise_if_of_this_machine,
)
from socorro_processor.monitoring import log
from socorro_processor.monitoring.audit import AuditLog
from socorro_processor.monitoring.blame_counter import OTHERS
from socorro_processor.monitoring.log import stack_of
from socorro_processor.monitoring.metrics import METRICS

logger = logging.getLogger(__name__)

_NOT_FOUND_RETRIES = 3

CAUSES = ("own", "transient", "not_found")
"""The causes for which a crash is tried again."""

EXCHANGE_INTERVAL = 1.0
"""Seconds between two exchanges of outcomes with the other processors."""


class DeliveryHandler:
    """Processes deliveries and tells the queue what became of each. May be used by several threads.

    ``clock`` measures intervals, ``wall_clock`` is in seconds since 1970.
    """

    def __init__(
        self,
        queue: CrashQueueBase,
        steps: CrashSteps,
        breaker: OutageBreaker,
        watchdog: Watchdog,
        maximum_attempts: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        audit: AuditLog | None = None,
    ) -> None:
        self._queue = queue
        self._steps = steps
        self._breaker = breaker
        self._watchdog = watchdog
        self._maximum_attempts = maximum_attempts
        self._clock = clock
        self._wall_clock = wall_clock
        self._audit = audit
        self._blame = BlameJudge(wall_clock)
        self._next_exchange = clock()
        self._exchanging = threading.Lock()
        for name in QUEUES:
            METRICS.expect("crash.saved", queue=name)
            METRICS.expect("crash.kept_earlier", queue=name)
            METRICS.expect("crash.parked", queue=name)
            METRICS.expect("crash.rejected", queue=name)
            METRICS.expect("crash.untold", queue=name)
            for cause in CAUSES:
                METRICS.expect("crash.retried", queue=name, cause=cause)

    def exchange_outcomes(self) -> None:
        """Once a second, tell the other processors how crashes ended here, and hear about theirs."""
        if self._clock() >= self._next_exchange:
            self._exchange_outcomes()

    def _exchange_outcomes(self) -> None:
        with self._exchanging:
            self._next_exchange = self._clock() + EXCHANGE_INTERVAL
            for outcomes in self._queue.take_outcomes():
                self._blame.hear(outcomes)
            if news := self._blame.news():
                self._queue.tell_outcomes(news)

    def needs_a_store(self, delivery: Delivery) -> bool:
        """Return False if the delivery ends without asking a store, and so cannot tell whether one is away."""
        return delivery.attempt <= self._maximum_attempts and not _mistake(delivery)

    def handle(self, delivery: Delivery) -> None:
        """Process one crash until it is saved and acknowledged, parked, rejected, or to be tried again.

        Raises nothing: if the queue cannot be told, it delivers the crash again.
        """
        try:
            with self._watchdog.watching(_shown(delivery)), log.crash_context(_shown(delivery)):
                self._handle(delivery)
        except CrashQueueError as error:
            self._breaker.ended_without_result(delivery.crash_id)
            METRICS.increment("crash.untold", queue=delivery.queue)
            logger.error(
                "%s: the queue could not be told what became of it; it will come again: %s", _shown(delivery), error
            )

    def worker_died(self, delivery: Delivery) -> None:
        """Note that a bug ended the thread that had the delivery."""
        try:
            self._own_failure(delivery, "a worker thread died of it")
        except CrashQueueError as error:
            logger.error("%s: %s", _shown(delivery), error)

    def _handle(self, delivery: Delivery) -> None:
        if mistake := _mistake(delivery):
            self._reject(delivery, mistake)
            return
        if delivery.attempt > self._maximum_attempts:
            self._died_each_time(delivery)
            return
        self._queue.begin(delivery)
        begun = time.perf_counter()
        try:
            first_time = delivery.attempt == 1 and delivery.retries == 0
            result = self._steps.run(
                delivery.crash_id,
                attempt=delivery.attempt,
                first_time=first_time,
                is_new=delivery.queue == "normal",
                history=delivery.history,
            )
        except CrashIDNotFound as error:
            self._handle_not_found(delivery, str(error))
        except MalformedCrash as error:
            self._park(delivery, str(error))
        except NotSavedError as error:
            self._not_saved(delivery, error)
        except CrashStorageError as error:
            if error.transient:
                self._blame_for_failure(delivery, str(error), [SOURCE])
            else:
                self._own_failure(delivery, str(error))
        except (ProcessingEnvironmentError, OSError) as error:
            self._blame_for_failure(delivery, str(error) or type(error).__name__, [MACHINE])
        except MemoryError:
            self._blame_for_failure(delivery, "there was not enough memory for this crash", [MACHINE])
        except Exception as error:
            self._unexpected(delivery, error)
        else:
            self._saved(delivery, result, time.perf_counter() - begun)

    def _unexpected(self, delivery: Delivery, error: Exception) -> None:
        try:
            raise_if_of_this_machine(error, "what comes before and after the rules")
        except ProcessingEnvironmentError as lack:
            self._blame_for_failure(delivery, str(lack), [MACHINE])
        else:
            logger.error("%s: a bug outside the rules: %s", delivery.crash_id, stack_of(error))
            self._own_failure(delivery, f"{type(error).__name__} outside the rules")

    def _saved(self, delivery: Delivery, result: Result, seconds: float) -> None:
        if result.kept_because:
            # Before the acknowledgement: if that fails, this is written twice rather than never.
            self._record_kept(delivery, result.kept_because)
        self._queue.ack(delivery)
        self._blame.saved()
        self._breaker.succeeded()
        METRICS.increment("crash.saved", queue=delivery.queue)
        logger.info(
            "%s saved",
            delivery.crash_id,
            extra={
                "fields": {
                    "queue": delivery.queue,
                    "attempt": delivery.attempt,
                    "signature": result.signature,
                    "success": result.success,
                    "seconds": round(seconds, 6),
                    **{step: round(seconds, 6) for step, seconds in result.durations.items()},
                }
            },
        )

    def _record_kept(self, delivery: Delivery, because: str) -> None:
        METRICS.increment("crash.kept_earlier", queue=delivery.queue)
        if self._audit is not None:
            self._audit.write_kept(delivery.crash_id, because)
        else:
            logger.warning("%s keeps its earlier result: %s", delivery.crash_id, because)

    def _handle_not_found(self, delivery: Delivery, reason: str) -> None:
        """Try again a few times, because the collector may still be writing the crash; then reject the id.

        These retries are not attempts at the crash, and are counted separately.
        """
        retries = delivery.history.not_found + 1
        if retries > _NOT_FOUND_RETRIES:
            self._reject(delivery, reason)
            return
        self._breaker.ended_without_result(delivery.crash_id)
        METRICS.increment("crash.retried", queue=delivery.queue, cause="not_found")
        logger.warning("%s was not found, retry %d of %d: %s", _shown(delivery), retries, _NOT_FOUND_RETRIES, reason)
        self._queue.retry(delivery, reason, transient=True, history=replace(delivery.history, not_found=retries))

    def _not_saved(self, delivery: Delivery, error: NotSavedError) -> None:
        self._blame.took(error.took)
        history = replace(delivery.history, unsaved=",".join(error.unsaved), result=error.result)
        delivery = replace(delivery, history=history)
        if error.transient:
            self._blame_for_failure(delivery, str(error), error.away, error.partly_away)
        else:
            self._own_failure(delivery, str(error))

    def _blame_for_failure(
        self, delivery: Delivery, reason: str, lacked: Sequence[str], partly_away: bool = False
    ) -> None:
        """Blame the stores, or the machine, in ``lacked``; or the crash, if they went on serving others."""
        before = delivery.history
        alone = self._blame.only_this_crash_fails(lacked, split_names(before.failed), before.failed_at)
        history = replace(before, failed=",".join(lacked), failed_at=self._wall_clock())
        delivery = replace(delivery, history=history)
        if alone and not partly_away:
            self._own_failure(delivery, f"{reason}; this crash alone fails: {OTHERS} others were saved meanwhile")
        else:
            self._transient_failure(delivery, reason)

    def _transient_failure(self, delivery: Delivery, reason: str) -> None:
        self._breaker.failed(delivery.crash_id, reason)
        METRICS.increment("crash.retried", queue=delivery.queue, cause="transient")
        logger.warning("%s will be tried again, this attempt does not count: %s", delivery.crash_id, reason)
        self._queue.retry(delivery, reason, transient=True, history=delivery.history)

    def _died_each_time(self, delivery: Delivery) -> None:
        """Park a crash that killed each of its processors, if others were saved: then processors can work."""
        reason = f"the processor died in each of {delivery.attempt - 1} attempts"
        if self._blame.has_saved:
            self._park(delivery, reason)
        else:
            self._own_failure(delivery, reason)

    def _own_failure(self, delivery: Delivery, reason: str) -> None:
        """Blame the crash, unless so many different ones failed in a row that the fault is the processor's."""
        known = self._blame.failed_of_its_own(delivery.crash_id)
        # Other processors may have seen such failures within the last second.
        self._exchange_outcomes()
        if self._blame.no_crash_is_at_fault:
            self._transient_failure(
                delivery, f"{FAILED_IN_A_ROW} different crashes in a row failed; the last one: {reason}"
            )
        elif delivery.attempt < self._maximum_attempts:
            self._retry(delivery, reason, counted=True)
        elif not known:
            self._retry(delivery, reason, counted=False)
        else:
            self._park(delivery, reason)

    def _retry(self, delivery: Delivery, reason: str, *, counted: bool) -> None:
        self._breaker.ended_without_result(delivery.crash_id)
        METRICS.increment("crash.retried", queue=delivery.queue, cause="own")
        attempt = f"attempt {delivery.attempt} of {self._maximum_attempts}" if counted else "one more attempt"
        logger.warning("%s will be tried again, this was %s: %s", _shown(delivery), attempt, reason)
        self._queue.retry(delivery, reason, transient=not counted, history=delivery.history)

    def _park(self, delivery: Delivery, reason: str) -> None:
        self._breaker.ended_without_result(delivery.crash_id)
        METRICS.increment("crash.parked", queue=delivery.queue)
        logger.error("%s is parked after attempt %d: %s", _shown(delivery), delivery.attempt, reason)
        self._queue.park(delivery, reason)

    def _reject(self, delivery: Delivery, reason: str) -> None:
        self._breaker.ended_without_result(delivery.crash_id)
        METRICS.increment("crash.rejected", queue=delivery.queue)
        logger.warning("%s is rejected: %s", _shown(delivery), reason)
        self._queue.reject(delivery, reason)


def _mistake(delivery: Delivery) -> str:
    """Return what is wrong with the crash id, in words; empty if nothing is."""
    try:
        check_crash_id(delivery.crash_id)
    except InvalidCrashID as error:
        return str(error)
    return ""


def _shown(delivery: Delivery) -> str:
    """Return the crash id for the log, as ASCII: it may be any text that a stranger sent."""
    return ascii(delivery.crash_id[:60])[1:-1]
