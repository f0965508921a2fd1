"""Notices: what every page says below its head, because somebody has to do something, or should know it.

notices = Notices()
pages = Pages(notices=notices.notices)
notices.show("disk", "bad", "The disk of the spool is low.")
notices.hide("disk")
"""

from __future__ import annotations

import threading
from typing import Literal, NamedTuple

Severity = Literal["bad", "note"]


class Notice(NamedTuple):
    severity: Severity
    text: str


class Notices:
    """The present notices, one for each part of the program at most. Any thread may call any method."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notices: dict[str, Notice] = {}

    def show(self, part: str, severity: Severity, text: str) -> None:
        """Show a notice in place of an earlier one of the same part."""
        with self._lock:
            self._notices[part] = Notice(severity, text)

    def hide(self, part: str) -> None:
        """Show nothing of a part any more."""
        with self._lock:
            self._notices.pop(part, None)

    def notices(self) -> list[Notice]:
        """Return what is to be shown, the bad ones first."""
        with self._lock:
            return sorted(self._notices.values(), key=lambda notice: notice.severity != "bad")
