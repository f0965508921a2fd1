"""Hand one spooled crash over: save it in the store, queue its id, and remove it from the spool.

In this order, each step only after the one before: wherever the process dies, the crash is in the spool until it is
saved and queued. A step may therefore come twice. An id that the store has is not written again, and an id that is
queued twice is processed twice, with one result.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from socorro_processor.collector.identity import checksum_of, other_crash_id
from socorro_processor.collector.known_crashes import stored_crash
from socorro_processor.collector.spool import Entry, Spool, Step, no_step
from socorro_processor.collector.spooled_crash import SpooledCrash
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.crashstorage.base import CrashStorageBase, Dump, RawCrash
from socorro_processor.errors import PermanentStorageError, without_frames
from socorro_processor.monitoring.metrics import METRICS

logger = logging.getLogger(__name__)

HANDOVER_STEPS = ("opened", "looked for", "saved", "queued", "removed")
"""The steps, in order."""

IN_MEMORY = 8 << 20
"""The bytes of a crash's dumps that are read into memory. Larger dumps are copied to files for the store."""

_OTHER_IDS = 3
"""The number of further ids that are tried for a crash whose own id is that of another."""


class Handover:
    """Hands crashes over to a store and a queue. Used by one thread, which it helps with others."""

    def __init__(
        self, spool: Spool, store: CrashStorageBase, queue: CrashQueueBase, threads: int = 1, step: Step = no_step
    ) -> None:
        """``threads``: the number of crashes that are saved at once."""
        self._spool = spool
        self._store = store
        self._queue = queue
        self._threads = threads
        self._step = step
        self._saved: dict[str, str] = {}

    def save_ahead(self, entries: Sequence[Entry]) -> None:
        """Save the first few of these crashes at once, unless the very first is saved already.

        A store in a network, and a disk that is synchronized, take long for each crash and little longer for several.
        A failure is left for ``hand_over``, which tries again in its turn.
        """
        if not entries or entries[0].name in self._saved:
            return
        threads = [
            threading.Thread(target=self._save_if_possible, args=(entry,), name="spool ahead", daemon=True)
            for entry in entries[1 : self._threads]
        ]
        started = []
        # Without a free thread on this machine, the others are saved in their turn.
        with suppress(RuntimeError):
            for thread in threads:
                thread.start()
                started.append(thread)
        if started:
            self._save_if_possible(entries[0])
        for thread in started:
            thread.join()

    def hand_over(self, entry: Entry) -> None:
        """Hand a crash over. If this raises, the crash is still in the spool.

        Raises DamagedCrash, NotInSpool, SpoolFull, SpoolFailing, CrashStorageError, CrashQueueError, and OSError if the
        file cannot be read.
        """
        with self._spool.open(entry) as crash:
            self._step("opened")
            self._save_once(entry, crash)
            if queue := crash.contents.queue:
                self._queue.submit(self._saved[entry.name], queue)
            self._step("queued")
        self._spool.remove(entry)
        self._step("removed")
        self.forget(entry)

    def forget(self, entry: Entry) -> None:
        """Forget what is known of an entry that has left the spool."""
        self._saved.pop(entry.name, None)

    def _save_if_possible(self, entry: Entry) -> None:
        try:
            with self._spool.open(entry) as crash:
                self._save_once(entry, crash)
        except Exception as error:
            logger.debug("crash %s is not saved ahead: %s", entry.crash_id, without_frames(error))

    def _save_once(self, entry: Entry, crash: SpooledCrash) -> None:
        # While the queue is away, the store is not asked at each try.
        if entry.name not in self._saved:
            with METRICS.timer("collector.save"):
                self._saved[entry.name] = self._save(entry, crash)
            self._step("saved")

    def _save(self, entry: Entry, crash: SpooledCrash) -> str:
        """Save a crash unless the store has it. Return the id under which it is there."""
        contents = crash.contents
        crash_id, stored = self._free_id(contents.crash_id, contents.checksum)
        notes = [*self._earlier_sendings(contents.unchecked_ids, contents.checksum)]
        if crash_id != contents.crash_id:
            METRICS.increment("collector.renamed")
            notes.append(f"answered as {contents.crash_id}, which is the id of another crash in the store")
            logger.warning(
                "crash %s is stored as %s: the store has another crash with its id", contents.crash_id, crash_id
            )
        self._step("looked for")
        if stored is not None and not self._is_unfinished(stored, contents.raw_crash):
            return crash_id
        raw_crash = _with_notes(contents.raw_crash, crash_id, notes)
        with self._dumps(entry, crash) as dumps:
            self._store.save_raw_crash(raw_crash, dumps, crash_id)
        return crash_id

    def _free_id(self, crash_id: str, checksum: str) -> tuple[str, RawCrash | None]:
        """Return the id that a crash is stored under, and what the store has of this crash."""
        for _ in range(1 + _OTHER_IDS):
            stored = stored_crash(self._store, crash_id)
            if stored is None or checksum_of(stored.get("metadata")) == checksum:
                return crash_id, stored
            crash_id = other_crash_id(crash_id, checksum)
        raise PermanentStorageError(f"{crash_id}: the store has other crashes with all ids that this one could have")

    def _is_unfinished(self, stored: RawCrash, raw_crash: Mapping[str, Any]) -> bool:
        """Return True if this very upload was saved, perhaps not by each of several stores."""
        same = stored.get("submitted_timestamp") == raw_crash.get("submitted_timestamp")
        return same and len(self._store.store_names()) > 1

    def _earlier_sendings(self, crash_ids: tuple[str, ...], checksum: str) -> list[str]:
        """Return notes on ids that the store turns out to have of the same crash. Both were promised, so both stay."""
        stored = {crash_id: stored_crash(self._store, crash_id) for crash_id in crash_ids}
        return [
            f"the same report as {crash_id}: the store could not be asked when it was sent again"
            for crash_id, crash in stored.items()
            if crash is not None and checksum_of(crash.get("metadata")) == checksum
        ]

    @contextmanager
    def _dumps(self, entry: Entry, crash: SpooledCrash) -> Iterator[Mapping[str, Dump]]:
        """Yield the dumps by name, checked: as bytes, or the large ones as files in ``moving``."""
        dumps: dict[str, Dump] = {}
        copies: list[Path] = []
        room = IN_MEMORY
        try:
            for number, span in enumerate(crash.contents.files):
                if span.size <= room:
                    room -= span.size
                    dumps[span.name] = crash.read(span)
                else:
                    path = self._spool.moving / f"{entry.name}-{number}"
                    copies.append(path)
                    crash.copy(span, path, self._spool.write_copy)
                    dumps[span.name] = path
            yield dumps
        finally:
            for path in copies:
                # The next start removes what cannot be removed now.
                with suppress(OSError):
                    path.unlink(missing_ok=True)


def _with_notes(raw_crash: dict[str, Any], crash_id: str, notes: list[str]) -> RawCrash:
    metadata = raw_crash.get("metadata") or {}
    notes = [*metadata.get("collector_notes", ()), *notes]
    return {**raw_crash, "uuid": crash_id, "metadata": {**metadata, "collector_notes": notes}}
