"""The thread that hands spooled crashes over, in the order in which they arrived, for as long as it takes.

When a crash cannot be handed over, another one is tried at once: it tells whether the crash is at fault or the store or
queue is away. If both fail, the thread pauses, and begins again with the oldest. If only the first fails, it waits
alone while the others go on, and is set aside after some tries.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from socorro_processor.collector.handover import Handover
from socorro_processor.collector.spool import Entry, NotInSpool, Spool, SpoolFailing, SpoolFull
from socorro_processor.collector.spooled_crash import DamagedCrash
from socorro_processor.errors import SocorroError, without_frames
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.untrusted import plain

logger = logging.getLogger(__name__)

PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds without a try after the first, second, and every further failure in a row. The last is what a store that is
back waits at most for its first crash."""

DELAYS = (1.0, 5.0, 15.0, 60.0)
"""Seconds that a crash waits alone after its first, second, and every further failure while others went well."""

LOOK_INTERVAL = 15.0
"""Seconds between two looks at the directory, the reserve and a disk that failed."""

_LOOKED_AT = 200
"""The number of the oldest crashes among which one is tried: those that wait alone are few."""


@dataclass
class _Failures:
    """The history of a crash that could not be handed over."""

    reason: str
    successes: int
    """The number of crashes that had been handed over at the last failure."""
    waits: int = 0
    """The number of failures while others went well."""
    counted: int = 0
    """The number of those that are the crash's own."""
    not_before: float = 0.0


class Mover:
    """Hands over until it is stopped. ``run_once`` is for a test, which needs no thread."""

    def __init__(
        self,
        spool: Spool,
        handover: Handover,
        maximum_tries: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spool = spool
        self._handover = handover
        self._maximum_tries = maximum_tries
        self._clock = clock
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._failures: dict[str, _Failures] = {}
        self._successes = 0
        self._failed_in_row = 0
        self._probes = 0
        self._paused_until = 0.0
        self._next_look = 0.0
        self._waits_for = ""

    @property
    def waits_for(self) -> str:
        """Why nothing can be handed over now, in words; empty if it can."""
        return self._waits_for

    def start(self) -> None:
        """Begin to hand over. Raises RuntimeError if the machine has no thread left."""
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Take no further crash; wait until the one in work is handed over. Return False if it takes too long."""
        self._stopped.set()
        self._spool.wake()
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def run_once(self) -> float:
        """Hand over what can be handed over now. Return the seconds until there may be more to do."""
        self._look()
        while not self._stopped.is_set():
            now = self._clock()
            if now < self._paused_until:
                return min(self._paused_until, self._next_look) - now
            entries = self._due(now)
            if not entries:
                return self._next_due(now) - now
            self._round(entries)
        return 0.0

    def _run(self) -> None:
        while not self._stopped.is_set():
            changes = self._spool.changes
            try:
                seconds = self.run_once()
            except Exception:
                # It must go on: nothing else empties the spool.
                logger.exception("a bug: the spool cannot be handed over")
                changes, seconds = self._spool.changes, PAUSES[-1]
            self._spool.wait(seconds, changes)

    def _round(self, entries: list[Entry]) -> None:
        """Try the oldest crash, and if it fails another one, each time the next."""
        if not self._failed_in_row:
            self._handover.save_ahead(entries)
        if self._try(entries[0]):
            return
        others = [entry for entry in entries[1:] if entry.name not in self._failures] or entries[1:]
        if others:
            probe = others[self._probes % len(others)]
            self._probes += 1
            if self._try(probe):
                return
        pause = PAUSES[min(self._failed_in_row, len(PAUSES) - 1)]
        self._failed_in_row += 1
        self._paused_until = self._clock() + pause
        if failures := self._failures.get(entries[0].name):
            self._waits_for = failures.reason
            if self._failed_in_row == 1:
                logger.warning("crashes stay in the spool, and are tried again: %s", failures.reason)

    def _try(self, entry: Entry) -> bool:
        """Hand a crash over. Return False if it failed for now."""
        try:
            self._handover.hand_over(entry)
        except NotInSpool:
            self._forget(entry)
            return True
        except DamagedCrash as error:
            self._set_aside(entry, f"the file is damaged: {error}", is_damaged=True)
            return True
        except Exception as error:
            self._note_failure(entry, error)
            return False
        METRICS.increment("collector.handed_over")
        self._forget(entry)
        self._note_success()
        return True

    def _note_success(self) -> None:
        if self._failed_in_row:
            logger.info("crashes are handed over again; %d are in the spool", self._spool.depth)
        self._successes += 1
        self._failed_in_row = self._probes = 0
        self._paused_until = 0.0
        self._waits_for = ""

    def _note_failure(self, entry: Entry, error: Exception) -> None:
        if not isinstance(error, SocorroError | OSError):
            logger.exception("a bug: crash %s cannot be handed over", entry.crash_id)
        METRICS.increment("collector.retried")
        reason = plain(f"{type(error).__name__}: {without_frames(error)}")
        failures = self._failures.setdefault(entry.name, _Failures(reason, self._successes))
        failures.reason = reason
        # Only while others go well, a failure is the crash's own.
        if failures.successes == self._successes:
            return
        failures.successes = self._successes
        failures.waits += 1
        failures.not_before = self._clock() + DELAYS[min(failures.waits, len(DELAYS)) - 1]
        # A disk without room for a copy of a large dump is not the crash's fault.
        failures.counted += not isinstance(error, SpoolFull)
        logger.warning(
            "crash %s alone cannot be handed over (failure %d of %d): %s",
            entry.crash_id,
            failures.counted,
            self._maximum_tries,
            reason,
        )
        if failures.counted >= self._maximum_tries:
            self._set_aside(entry, f"it failed {failures.counted} times while others went well: {reason}")

    def _set_aside(self, entry: Entry, reason: str, *, is_damaged: bool = False) -> None:
        try:
            self._spool.set_aside(entry, reason, is_damaged=is_damaged)
        except SpoolFailing as error:
            logger.error("%s", error)
            self._paused_until = self._clock() + PAUSES[-1]
            return
        METRICS.increment("collector.set_aside", reason="damaged" if is_damaged else "failed")
        logger.error("crash %s is set aside in %s: %s", entry.crash_id, self._spool.directory, reason)
        self._forget(entry)

    def _forget(self, entry: Entry) -> None:
        self._failures.pop(entry.name, None)
        self._handover.forget(entry)

    def _due(self, now: float) -> list[Entry]:
        """Return crashes that may be tried now, in the order of their arrival."""
        return [
            entry
            for entry in self._spool.oldest(_LOOKED_AT)
            if (failures := self._failures.get(entry.name)) is None or failures.not_before <= now
        ]

    def _next_due(self, now: float) -> float:
        times = [failures.not_before for failures in self._failures.values() if failures.not_before > now]
        return min([self._next_look, *times])

    def _look(self) -> None:
        """Now and then, find what an operator changed, and what became of the disk."""
        now = self._clock()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_INTERVAL
        try:
            self._spool.look_again()
        except SpoolFailing as error:
            logger.error("%s", error)
        self._spool.look_after_disk()
        METRICS.gauge("collector.spool.crashes", self._spool.depth)
        METRICS.gauge("collector.spool.bytes", self._spool.size)
        METRICS.gauge("collector.spool.oldest", self._spool.oldest_age)
        METRICS.gauge("collector.spool.reserve", self._spool.reserve)
        METRICS.gauge("collector.spool.set_aside", self._spool.count_set_aside())
