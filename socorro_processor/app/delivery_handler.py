"""What becomes of a delivery: the no-loss rule, as a decision for every way in which a crash can end."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict

from socorro_processor import log
from socorro_processor.app.breaker import Breaker
from socorro_processor.app.steps import Result, Steps
from socorro_processor.app.watchdog import Watchdog
from socorro_processor.app.whose_fault import OTHERS, WhoseFault
from socorro_processor.crash_id import check_crash_id
from socorro_processor.crashqueue.base import CrashQueueBase, Delivery
from socorro_processor.errors import (
    CrashIDNotFound,
    CrashQueueError,
    CrashStorageError,
    InvalidCrashID,
    MalformedCrash,
    ProcessingEnvironmentError,
    raise_if_of_this_machine,
)
from socorro_processor.log import stack_of
from socorro_processor.metrics import METRICS

logger = logging.getLogger(__name__)

_NOT_FOUND_RETRIES = 3
_REMEMBERED_NOT_FOUND = 10_000
_OWN_FAILURES_IN_A_ROW = 10


class DeliveryHandler:
    """Processes deliveries and tells the queue what became of each. May be used by several threads."""

    def __init__(
        self, queue: CrashQueueBase, steps: Steps, breaker: Breaker, watchdog: Watchdog, maximum_attempts: int
    ) -> None:
        self._queue = queue
        self._steps = steps
        self._breaker = breaker
        self._watchdog = watchdog
        self._maximum_attempts = maximum_attempts
        self._whose_fault = WhoseFault()
        self._failed_in_a_row: set[str] = set()
        self._has_saved = False
        self._not_found: OrderedDict[str, int] = OrderedDict()

    def handle(self, delivery: Delivery) -> None:
        """Take one crash to its end: saved and acknowledged, to be tried again, parked or rejected.

        Raises nothing: where the queue itself cannot be told, the crash comes again by itself.
        """
        try:
            with self._watchdog.watching(_shown(delivery)), log.about(_shown(delivery)):
                self._handle(delivery)
        except CrashQueueError as error:
            self._breaker.unknown()
            METRICS.increment("crash.untold", queue=delivery.queue)
            logger.error(
                "%s: the queue could not be told what became of it, it will come again: %s", _shown(delivery), error
            )

    def died(self, delivery: Delivery) -> None:
        """The thread that had the delivery died of a bug."""
        try:
            self._own_failure(delivery, "a worker thread died of it")
        except CrashQueueError as error:
            logger.error("%s: %s", _shown(delivery), error)

    def _handle(self, delivery: Delivery) -> None:
        try:
            check_crash_id(delivery.crash_id)
        except InvalidCrashID as error:
            self._reject(delivery, str(error))
            return
        if delivery.attempt > self._maximum_attempts:
            self._died_each_time(delivery)
            return
        self._queue.begin(delivery)
        begun = time.perf_counter()
        try:
            first_time = delivery.attempt == 1 and delivery.retries == 0
            result = self._steps.run(delivery.crash_id, attempt=delivery.attempt, first_time=first_time)
        except CrashIDNotFound as error:
            self._handle_not_found(delivery, str(error))
        except MalformedCrash as error:
            self._park(delivery, str(error))
        except CrashStorageError as error:
            if not error.transient:
                self._own_failure(delivery, str(error))
            elif self._whose_fault.is_the_crashs(delivery.crash_id, error):
                self._own_failure(delivery, f"{error}; of this crash alone, {OTHERS} others were saved meanwhile")
            else:
                self._transient_failure(delivery, str(error))
        except (ProcessingEnvironmentError, OSError, MemoryError) as error:
            # What the machine lacks, it lacks for every crash.
            self._transient_failure(delivery, str(error) or type(error).__name__)
        except Exception as error:
            self._unexpected(delivery, error)
        else:
            self._saved(delivery, result, time.perf_counter() - begun)

    def _unexpected(self, delivery: Delivery, error: Exception) -> None:
        try:
            raise_if_of_this_machine(error, "what comes before and after the rules")
        except ProcessingEnvironmentError as lack:
            self._transient_failure(delivery, str(lack))
        else:
            logger.error("%s: a bug outside the rules: %s", delivery.crash_id, stack_of(error))
            self._own_failure(delivery, f"{type(error).__name__} outside the rules")

    def _saved(self, delivery: Delivery, result: Result, seconds: float) -> None:
        self._queue.ack(delivery)
        self._whose_fault.saved(delivery.crash_id)
        self._failed_in_a_row.clear()
        self._has_saved = True
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

    def _handle_not_found(self, delivery: Delivery, reason: str) -> None:
        """The collector may still be writing it: reject it only when it is looked for in vain again.

        Counted by itself, for these are no attempts at the crash; and in this process alone, so that
        another one may look for it some times more.
        """
        times = self._not_found.pop(delivery.crash_id, 0) + 1
        if times > _NOT_FOUND_RETRIES:
            self._reject(delivery, reason)
            return
        self._not_found[delivery.crash_id] = times
        while len(self._not_found) > _REMEMBERED_NOT_FOUND:
            self._not_found.popitem(last=False)
        self._breaker.unknown()
        METRICS.increment("crash.retried", queue=delivery.queue, cause="not_found")
        logger.warning("%s is looked for again, time %d of %d: %s", _shown(delivery), times, _NOT_FOUND_RETRIES, reason)
        self._queue.retry(delivery, reason, transient=True)

    def _transient_failure(self, delivery: Delivery, reason: str) -> None:
        self._breaker.failed(delivery.crash_id, reason)
        METRICS.increment("crash.retried", queue=delivery.queue, cause="transient")
        logger.warning("%s is tried again, it is not at fault: %s", delivery.crash_id, reason)
        self._queue.retry(delivery, reason, transient=True)

    def _died_each_time(self, delivery: Delivery) -> None:
        """Once another is saved it is known not to be the processor, however many of these there are in a row."""
        reason = f"the processor died in each of {delivery.attempt - 1} attempts"
        if self._has_saved:
            self._park(delivery, reason)
        else:
            self._own_failure(delivery, reason)

    def _own_failure(self, delivery: Delivery, reason: str) -> None:
        """The crash's own fault: unless as many different ones in a row fail of their own that it is ours.

        A processor that has just started does not know of those that failed before: it parks a crash only when it
        has saved another one, or has failed at this one before.
        """
        known = self._has_saved or delivery.crash_id in self._failed_in_a_row
        if len(self._failed_in_a_row) < _OWN_FAILURES_IN_A_ROW:
            self._failed_in_a_row.add(delivery.crash_id)
        if len(self._failed_in_a_row) >= _OWN_FAILURES_IN_A_ROW:
            self._transient_failure(
                delivery, f"{_OWN_FAILURES_IN_A_ROW} different crashes in a row failed; the last one: {reason}"
            )
        elif delivery.attempt < self._maximum_attempts:
            self._retry(delivery, reason, counted=True)
        elif not known:
            self._retry(delivery, reason, counted=False)
        else:
            self._park(delivery, reason)

    def _retry(self, delivery: Delivery, reason: str, *, counted: bool) -> None:
        self._breaker.unknown()
        METRICS.increment("crash.retried", queue=delivery.queue, cause="own")
        attempt = f"attempt {delivery.attempt} of {self._maximum_attempts}" if counted else "one attempt more"
        logger.warning("%s is tried again, this was %s: %s", _shown(delivery), attempt, reason)
        self._queue.retry(delivery, reason, transient=not counted)

    def _park(self, delivery: Delivery, reason: str) -> None:
        self._breaker.unknown()
        METRICS.increment("crash.parked", queue=delivery.queue)
        logger.error("%s is parked after %d attempts: %s", _shown(delivery), delivery.attempt, reason)
        self._queue.park(delivery, reason)

    def _reject(self, delivery: Delivery, reason: str) -> None:
        self._breaker.unknown()
        METRICS.increment("crash.rejected", queue=delivery.queue)
        logger.warning("%s is rejected: %s", _shown(delivery), reason)
        self._queue.reject(delivery, reason)


def _shown(delivery: Delivery) -> str:
    """A crash id may be any text that a stranger sent."""
    return ascii(delivery.crash_id[:60])[1:-1]
