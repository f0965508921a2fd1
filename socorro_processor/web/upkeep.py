"""The upkeep of a server's disks: it keeps the bounds of the store, watches for room, and tells pages and probes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from socorro_processor.configuration import DotDict
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.machine.disk_space import in_words
from socorro_processor.monitoring.health import Health
from socorro_processor.retention.bounds import Bounds
from socorro_processor.retention.disks import DiskWatch, disk_places
from socorro_processor.retention.keeper import Keeper, bounded_root
from socorro_processor.retention.retention import Round
from socorro_processor.web.pages.notices import Notices, Severity

logger = logging.getLogger(__name__)

DISK, RETENTION = "disk", "retention"
"""The parts of the program that the notices and warnings are about."""


class Upkeep:
    """Keeps bounds in a thread, from ``start`` to ``stop``; somebody calls ``look_at_disks`` now and then."""

    def __init__(
        self,
        values: DotDict,
        queue: CrashQueueBase,
        is_spooled: Callable[[str], bool],
        health: Health,
        notices: Notices,
    ) -> None:
        """``queue`` and ``is_spooled``: see Keeper."""
        self._health = health
        self._notices = notices
        self._disks = DiskWatch(disk_places(values), values.retention.disk_low)
        self._size = 0
        self._keeper: Keeper | None = None
        if (root := bounded_root(values)) is None:
            logger.info("crashes are not in one directory: their store has to bound them, not this server")
        else:
            self._bounds = Bounds.of(values.retention, root)
            self._keeper = Keeper(values, self._bounds, queue, is_spooled, self._note_round)

    def start(self) -> None:
        if self._keeper:
            self._keeper.start()

    def stop(self) -> None:
        if self._keeper:
            self._keeper.stop()

    def look_at_disks(self) -> None:
        """Warn of disks with little room. A disk may hang."""
        low = self._disks.look()
        if not low:
            self._say(DISK, "")
            return
        problem = "; ".join(map(str, low))
        advice = "When it is full, crashes are refused. Make room"
        if self._keeper and any("crashes" in disk.places for disk in low):
            taken = f", which take {in_words(self._size)} now" if self._size else ""
            bound = f"at most {in_words(self._bounds.size)}" if self._bounds.size else "any number of bytes"
            advice += f", or let less be kept: retention.keep_bytes allows {bound} of crashes{taken}"
        self._say(DISK, f"{problem}. {advice}.")

    def _note_round(self, done: Round | None, problem: str) -> None:
        if done is None:
            self._say(RETENTION, f"old crashes cannot be removed, so the disk may fill up: {problem}")
            return
        self._size = done.size
        if done.problem:
            self._say(RETENTION, f"some old crashes cannot be removed: {done.problem}")
        elif done.excess:
            self._say(
                RETENTION,
                f"crashes take {in_words(done.excess)} more than retention.keep_bytes allows: they wait, are in work "
                "or are parked, and stay until they are processed or rejected (socorro queue status)",
            )
        elif done.doubted_until:
            until = datetime.fromtimestamp(done.doubted_until, UTC)
            self._say(
                RETENTION,
                f"some crashes are older than {self._bounds.days} days, and are removed from {until:%Y-%m-%d %H:%M} "
                "(UTC) on; until then a clock that is wrong can be set right, and retention.keep_days changed",
                "note",
            )
        else:
            self._say(RETENTION, "")

    def _say(self, part: str, text: str, severity: Severity = "bad") -> None:
        """Tell pages and probes; an empty text takes back what was told."""
        if not text:
            self._notices.hide(part)
            self._health.withdraw_warning(part)
            return
        self._notices.show(part, severity, text[:1].upper() + text[1:])
        self._health.warn(part, text)
