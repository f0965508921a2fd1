"""Crashes that are queued again from a page."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing

from socorro_processor.configuration import DotDict
from socorro_processor.configuration.components import create
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.errors import ConfigurationError, CrashQueueError, SocorroError
from socorro_processor.monitoring.audit import AuditLog
from socorro_processor.web.pages.viewer import audit_fields

logger = logging.getLogger(__name__)


class Reprocessing:
    """Puts crashes into the reprocessing queue; who did so is in the audit log. Threads may share it."""

    def __init__(self, connect: Callable[[], CrashQueueBase], audit: AuditLog) -> None:
        self._connect = connect
        self._audit = audit

    @classmethod
    def of(cls, values: DotDict, audit: AuditLog) -> Reprocessing:
        """Return that of a whole configuration."""
        section = values.new_crash_source
        return cls(lambda: create(section.new_crash_source_class, section), audit)

    def queue(self, crash_id: str, viewer: str = "") -> None:
        """Queue a crash for ``viewer``; twice is no harm. Raises CrashQueueError."""
        try:
            # A queue that stays open unused would keep a file that an operator has removed.
            with closing(self._connect()) as queue:
                queue.submit(crash_id, "reprocessing")
        except ConfigurationError as error:
            raise CrashQueueError(str(error)) from error
        try:
            self._audit.write(f"{crash_id} was queued for reprocessing", audit_fields("report", viewer))
        except SocorroError:
            # The crash is queued: to call that a failure would be wrong, and make people ask again.
            logger.exception("the audit file lacks a line: crash %s was queued for reprocessing", crash_id)
