"""Gauges of the crashes that wait, are in work and were set aside: looked at every now and then."""

from __future__ import annotations

import logging
import threading

from socorro_processor.crashqueue.base import QUEUES, CrashQueueBase
from socorro_processor.errors import CrashQueueError
from socorro_processor.monitoring.metrics import METRICS, Metrics

logger = logging.getLogger(__name__)

INTERVAL = 15.0
_INTERVAL_AFTER_FAILURE = 2.0
_CLOSING_TIME = 1.0


class QueueGauges:
    """Asks the queue for its depths in a thread of its own, so that a broker that is away holds up nothing.

    A look that fails is left out: what the gauges said before, they say until the next one, which is soon; but for the
    age of the oldest, which nobody knows then. ``failure`` says why; it is empty where the last look did not fail.
    """

    def __init__(self, queue: CrashQueueBase, metrics: Metrics = METRICS, interval: float = INTERVAL) -> None:
        self._queue = queue
        self._metrics = metrics
        self._interval = interval
        self.failure = ""
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="queue-gauges", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End soon: a look under way may be waiting for the broker, and ends when the queue is closed."""
        self._closed.set()
        self._thread.join(_CLOSING_TIME)

    def _run(self) -> None:
        while True:
            interval = self._interval
            try:
                self._look()
                self.failure = ""
            except CrashQueueError as error:
                logger.debug("the queue was not counted: %s", error)
                self.failure = str(error)
                # It grows meanwhile.
                for name in QUEUES:
                    self._metrics.forget("queue.oldest", queue=name)
                interval = min(interval, _INTERVAL_AFTER_FAILURE)
            if self._closed.wait(interval):
                return

    def _look(self) -> None:
        depths = self._queue.depths()
        for name, depth in depths.queues.items():
            self._metrics.gauge("queue.waiting", depth.waiting, queue=name)
            self._metrics.gauge("queue.delayed", depth.delayed, queue=name)
            self._metrics.gauge("queue.in_flight", depth.in_flight, queue=name)
            if depth.oldest is None:
                self._metrics.forget("queue.oldest", queue=name)
            else:
                self._metrics.gauge("queue.oldest", depth.oldest, queue=name)
        self._metrics.gauge("queue.parked", depths.parked)
        self._metrics.gauge("queue.rejected", depths.rejected)
        self._metrics.gauge("queue.suspect", depths.suspect)
