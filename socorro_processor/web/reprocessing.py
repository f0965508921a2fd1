"""Crashes that are queued again from a page."""

from __future__ import annotations

import threading
from collections.abc import Callable

from socorro_processor.configuration import DotDict
from socorro_processor.configuration.components import create
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.monitoring.audit import AuditLog


class Reprocessing:
    """Puts crashes into the reprocessing queue; who did so is in the audit log. Threads may share it."""

    def __init__(self, connect: Callable[[], CrashQueueBase], audit: AuditLog) -> None:
        """``connect`` opens the queue, when it is first needed."""
        self._connect = connect
        self._audit = audit
        self._lock = threading.Lock()
        self._queue: CrashQueueBase | None = None

    @classmethod
    def of(cls, values: DotDict) -> Reprocessing:
        """Return that of a whole configuration."""
        section = values.new_crash_source
        return cls(lambda: create(section.new_crash_source_class, section), AuditLog(values.logging, needs_file=False))

    def queue(self, crash_id: str) -> None:
        """Queue a crash; twice is no harm. Raises CrashQueueError, ConfigurationError, or SocorroError of the audit."""
        with self._lock:
            # One at a time: a page queues one crash, and not every queue may be used by several threads.
            self._queue = self._queue or self._connect()
            self._queue.submit(crash_id, "reprocessing")
        self._audit.write(f"{crash_id} was queued for reprocessing", {"page": "report"})

    def close(self) -> None:
        if self._queue is not None:
            self._queue.close()
        self._audit.close()
