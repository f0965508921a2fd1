"""Gauges of the crashes that wait, are in work or were set aside, updated regularly."""

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
    """Asks the queue for its depths in a separate thread, so that a broker that is away blocks nothing.

    If that fails, it is soon tried again. Until then the gauges keep their values, except the age of the oldest crash,
    which is unknown. ``failure`` is the reason; empty if the last try succeeded.
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
        """End soon: the thread may be waiting for the broker until the queue is closed."""
        self._closed.set()
        self._thread.join(_CLOSING_TIME)

    def _run(self) -> None:
        while True:
            interval = self._interval
            try:
                self._update()
                self.failure = ""
            except CrashQueueError as error:
                logger.debug("the queue was not counted: %s", error)
                self.failure = str(error)
                # The age grows meanwhile.
                for name in QUEUES:
                    self._metrics.forget("queue.oldest", queue=name)
                interval = min(interval, _INTERVAL_AFTER_FAILURE)
            if self._closed.wait(interval):
                return

    def _update(self) -> None:
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
