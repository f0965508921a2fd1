"""Hand deliveries to a handler, in the caller's own thread; a subclass does so in several threads."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

from socorro_processor.app.delivery_handler import DeliveryHandler
from socorro_processor.app.outage_breaker import OutageBreaker
from socorro_processor.configuration import DotDict, Namespace, RequiredConfig, Seconds
from socorro_processor.crashqueue.base import CrashQueueBase, Delivery
from socorro_processor.errors import CrashQueueError
from socorro_processor.monitoring.log import stack_of

logger = logging.getLogger(__name__)


class TaskManager(RequiredConfig):
    """Handles one delivery after the other in the thread that calls ``run``.

    For debugging: while a crash is in work, it gives no sign of life and ignores ``shutdown_timeout``.
    """

    required_config = Namespace()
    required_config.add_option(
        "idle_delay",
        default=0.25,
        doc="seconds between two looks at whether a pause is over or a thread has died",
        from_string_converter=Seconds(above=True),
    )
    required_config.add_option(
        "shutdown_timeout",
        default=60.0,
        doc="seconds that crashes in work have to end once the processor is told to stop",
        from_string_converter=Seconds(),
    )

    def __init__(
        self,
        config: DotDict,
        queue: CrashQueueBase,
        handler: DeliveryHandler,
        breaker: OutageBreaker,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        """``tick`` is called often, from the thread that calls ``run``."""
        self.config = config
        self._queue = queue
        self._handler = handler
        self._breaker = breaker
        self._tick = tick
        self._stop = threading.Event()

    def run(self) -> None:
        """Handle deliveries until ``stop`` is called; then finish those in work and give back the rest."""
        self._start()
        try:
            for delivery in self._deliveries():
                self._pass_on(delivery)
        finally:
            self._finish()

    def stop(self) -> None:
        """Take no more deliveries. May be called from any thread, but not from a signal handler."""
        self._stop.set()
        self._breaker.wake()

    def _deliveries(self) -> Iterator[Delivery]:
        """Yield the deliveries of the queue while there is room for them and nothing that they need is away."""
        deliveries = self._queue.new_crashes()
        nothing_waits = False
        while True:
            self._tick()
            self._handler.exchange_outcomes()
            self._queue.note_pause(self._breaker.reason)
            if self._stop.is_set():
                return
            if not self._has_room() or not self._breaker.may_begin():
                self._breaker.wait(self.config.idle_delay)
                continue
            if self._breaker.is_open and (nothing_waits or self._breaker.leaves_new_crashes):
                self._probe()
            try:
                delivery = next(deliveries)
            except StopIteration:
                return  # the queue was closed
            nothing_waits = delivery is None
            if delivery is None:
                self._breaker.tries_none()
            elif self._stop.is_set():
                self._release(delivery)
            elif self._handler.needs_a_store(delivery):
                self._breaker.tries(delivery.crash_id)
                yield delivery
            else:
                self._breaker.tries_none()
                yield delivery

    def _probe(self) -> None:
        """Have a delayed crash tried, to see whether what was away is back."""
        try:
            self._queue.probe()
        except CrashQueueError as error:
            logger.debug("no delayed crash could be tried: %s", error)

    def _release(self, delivery: Delivery) -> None:
        try:
            self._queue.release(delivery)
        except CrashQueueError as error:
            logger.warning("%s could not be given back; it will come again: %s", delivery.crash_id, error)

    def _start(self) -> None:
        pass

    def _has_room(self) -> bool:
        return True

    def _pass_on(self, delivery: Delivery) -> None:
        try:
            self._handler.handle(delivery)
        except BaseException as error:
            # A rule that calls sys.exit() must not end the processor with success.
            logger.critical("bug: %s", stack_of(error))
            self._handler.worker_died(delivery)

    def _finish(self) -> None:
        pass
