"""A crash queue that a server can do without for a while: it is opened once that works, and again after a loss.

A processor ends when its queue is lost, and is started again. A collector must not: while it is away, uploads are
refused, and most clients never send them again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator

from socorro_processor.configuration import DotDict
from socorro_processor.crashqueue.base import CrashQueueBase, Depths, QueueName, SetAsideCrash, SetAsideState
from socorro_processor.errors import CrashQueueError

logger = logging.getLogger(__name__)


class ReopenedQueue(CrashQueueBase):
    """Takes crashes and tells of them; delivers none. May be used from any thread.

    Each method raises CrashQueueError while the queue cannot be opened, and tries again at the next call.
    """

    def __init__(self, config: DotDict, open_queue: Callable[[DotDict], CrashQueueBase]) -> None:
        """Raises what ``open_queue`` raises, except CrashQueueError."""
        super().__init__(config)
        self._open_queue = open_queue
        self._lock = threading.Lock()
        self._queue: CrashQueueBase | None = None
        self._is_closed = False
        try:
            self._opened()
        except CrashQueueError as error:
            logger.warning("crashes stay in the spool until the queue can be opened: %s", error)

    def submit(self, crash_id: str, queue: QueueName = "normal", work: str = "") -> None:
        self._opened().submit(crash_id, queue, work)

    def depths(self) -> Depths:
        return self._opened().depths()

    def pending(self, crash_ids: Collection[str]) -> set[str] | None:
        return self._opened().pending(crash_ids)

    def set_aside(self, state: SetAsideState) -> Iterator[SetAsideCrash]:
        return self._opened().set_aside(state)

    def look(self) -> None:
        """Leave the queue if it is lost, so that what it has is saved; the next call opens it again. Raises nothing.

        For when nobody uses it: whatever ends this process meanwhile would take the queue with it. Costs microseconds.
        """
        # Whoever opens it just now looks at it, too.
        if self._lock.acquire(blocking=False):
            try:
                self._leave_if_lost()
            finally:
                self._lock.release()

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            self._leave()

    def _opened(self) -> CrashQueueBase:
        with self._lock:
            if self._is_closed:
                raise CrashQueueError("the queue is closed")
            self._leave_if_lost()
            if self._queue is None:
                self._queue = self._open_queue(self.config)
            return self._queue

    def _leave_if_lost(self) -> None:
        if self._queue is not None and (reason := self._queue.lost()):
            logger.warning("the queue is opened again: %s", reason)
            self._leave()

    def _leave(self) -> None:
        queue, self._queue = self._queue, None
        if queue is not None:
            queue.close()
