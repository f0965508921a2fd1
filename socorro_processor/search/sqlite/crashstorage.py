"""SQLiteSearchIndex: a store that keeps the searchable fields of processed crashes, on one machine."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from socorro_processor.configuration import DotDict, Namespace
from socorro_processor.crash_id import check_crash_id
from socorro_processor.crashqueue.sqlite.owners import boot_id
from socorro_processor.crashstorage.base import CrashStorageBase, Dump, ProcessedCrash, RawCrash
from socorro_processor.crashstorage.indexed_crash import Indexer
from socorro_processor.crashstorage.redactor import redactor_options
from socorro_processor.errors import CrashIDNotFound, InvalidCrashID
from socorro_processor.fields import FieldTable, field_options
from socorro_processor.fields.searchable import searchable_fields
from socorro_processor.machine.writable_directory import check_writable
from socorro_processor.monitoring.log import stack_of
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.search.sqlite.directory import IndexDirectory
from socorro_processor.search.sqlite.file import (
    REMEDY,
    IndexFailure,
    IndexFile,
    IndexUnusable,
    count_without_changes,
    describe,
    is_damage,
    is_of_change,
    translated_errors,
)
from socorro_processor.search.sqlite.journal import Change, Journal, Removal
from socorro_processor.search.sqlite.reading import may_lack_crashes
from socorro_processor.search.sqlite.waiting import write_waiting
from socorro_processor.search.sqlite.writing import crash_id_bytes

logger = logging.getLogger(__name__)

PATIENCE = 0.25
"""Seconds that a crash waits for another process's transaction. No transaction of this project takes as long."""

PAUSE = 5.0
"""Seconds after a failure in which nothing is tried: what comes meanwhile is queued."""

_REMOVING_PATIENCE = 10.0  # seconds
_REASONS = ("locked", "damaged", "missing", "disk", "busy", "other")


class HasSearchIndex(CrashStorageBase):
    """A store with a search index."""

    @classmethod
    def index_directory(cls, config: DotDict) -> Path:
        """Return the directory of the index that a section configures."""
        raise NotImplementedError


class SQLiteSearchIndex(HasSearchIndex):
    """Keeps of each processed crash the values of all searchable fields, cut, in an SQLite file of a directory.

    It comes after other stores, and never holds up or fails a crash: what it cannot write is queued in a journal, and
    written before the next crash, or by the next ``check``. If the journal cannot take it either, the index is marked
    as incomplete, and ``socorro search index`` completes it from the crashes in the other stores.

    Several processes may save at once; readers never wait. A power cut may undo the saves of the last seconds, which
    marks the index as incomplete, too.
    """

    required_config = Namespace()
    required_config.add_option(
        "path",
        default="socorro-data/search",
        doc="the directory of the search index, on a local disk; made by the first crash",
        reference_value_from="resource.search",
    )
    required_config.update(field_options())
    required_config.update(redactor_options())

    def __init__(
        self,
        config: DotDict,
        *,
        path: Path | None = None,
        has_earlier_crashes: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
        boot: str | None = None,
    ) -> None:
        """``path`` overrides that of ``config``. ``has_earlier_crashes`` tells if a new index lacks crashes."""
        super().__init__(config)
        self._directory = IndexDirectory(path or Path(config.path))
        self._table = FieldTable.of(config)
        self._fields = searchable_fields(self._table)
        self._indexer = Indexer(self._fields, config.redactor_class(config))
        self._journal = Journal(self._directory.waiting)
        self._clock = clock
        self._boot = boot or boot_id()
        self._lock = threading.Lock()
        self._file: IndexFile | None = None
        self._not_before = 0.0
        self._failure = ""
        self._has_removed = False
        self._lacks_crashes = False
        """Because a crash could not be queued; not marked in the directory yet."""
        # Asked now: later, the crash that is being saved may be there.
        self._is_first = self._is_missing() and not has_earlier_crashes()
        # Whether the directory of a store is new or away, only the store knows.
        self._makes_parents = path is None and self._is_missing()
        for reason in _REASONS:
            METRICS.expect("search.queued", reason=reason)
        for name in self._fields:
            METRICS.expect("search.left_out", field=name)

    @classmethod
    def index_directory(cls, config: DotDict) -> Path:
        return Path(config.path)

    def save_processed(self, processed_crash: ProcessedCrash) -> None:
        try:
            crash = self._indexer.of(processed_crash)
        except InvalidCrashID:
            raise
        except Exception as error:
            logger.error("%s has a bug: %s", self, stack_of(error))
            self._note_loss(str(processed_crash["uuid"]), "it cannot be read")
            return
        for name in crash.left_out:
            METRICS.increment("search.left_out", field=name)
        self._change(crash, PATIENCE)

    def save_raw_and_processed(
        self, raw_crash: RawCrash, dumps: Mapping[str, Dump], processed_crash: ProcessedCrash, crash_id: str
    ) -> None:
        check_crash_id(crash_id)
        self.save_processed(processed_crash)

    def held(self, crash_id: str) -> list[str]:
        check_crash_id(crash_id)
        with self._lock, translated_errors("read", self._directory.path):
            if self._directory.current() is None:
                return []
            found = self._open().connection.execute(
                "SELECT 1 FROM crash WHERE crash_id = ?", (crash_id_bytes(crash_id),)
            )
            return ["entry in the search index"] if found.fetchone() else []

    def remove(self, crash_id: str) -> None:
        check_crash_id(crash_id)
        with self._lock, translated_errors("remove a crash from", self._directory.path):
            if self._directory.current() is None:
                if self._journal.size():
                    self._journal.append(Removal(crash_id))
                raise CrashIDNotFound(f"{self} has no crash {crash_id}")
            file = self._open()
            file.connection.execute(f"PRAGMA busy_timeout = {int(_REMOVING_PATIENCE * 1000)}")
            try:
                while not write_waiting(file, self._journal, self._directory):
                    pass
                with file.writing() as writer:
                    existed = writer.remove(crash_id)
            finally:
                file.connection.execute(f"PRAGMA busy_timeout = {int(PATIENCE * 1000)}")
            self._has_removed = self._has_removed or existed
            if self._is_another_to_come(file):
                self._journal.append(Removal(crash_id))
        if not existed:
            raise CrashIDNotFound(f"{self} has no crash {crash_id}")

    def setup(self) -> None:
        """Make an empty index, if there is none."""
        with self._lock, translated_errors("make", self._directory.path):
            self._makes_parents = True
            self._open_or_make()

    def check(self) -> None:
        """Write what waits, if that is possible. Raises nothing: a crash is saved without the index."""
        is_end = not self._journal.size()
        # Crashes are saved between two batches.
        while not is_end and self._lock.acquire(timeout=PATIENCE):
            try:
                is_end = write_waiting(self._open_or_make(), self._journal, self._directory)
                self._failure = ""
            except IndexFailure as error:
                self._note_failure(error)
                is_end = True
            finally:
                self._lock.release()

    def examine(self) -> str:
        """Return how many crashes the index has; warn if it lacks some, or cannot be used."""
        place = self._directory.path
        try:
            check_writable(place)
            name = self._directory.current()
            if name is None:
                if not self._is_first:
                    logger.warning("there is no search index in %s yet: `socorro search index` makes it", place)
                return f"the search index {place} will be made"
            if why := self._directory.damage():
                raise IndexUnusable(f"it is damaged ({why}): {REMEDY}")
            counted = count_without_changes(place / name)
            if not self._directory.is_complete():
                logger.warning("%s", may_lack_crashes(place))
            if counted is None:
                return f"search index {place}"
            crashes, position = counted
            return f"search index of {crashes} crashes; waiting to be written: {self._journal.waiting(position)}"
        except IndexFailure as error:
            # A crash is saved even so.
            logger.warning("cannot read the search index in %s: %s", place, describe(error))
            return ""

    def places(self) -> set[str]:
        return {f"search index {self._directory.path}"}

    def __str__(self) -> str:
        return f"{type(self).__name__} in {self._directory.path}"

    def close(self) -> None:
        with self._lock:
            file, self._file = self._file, None
            if file is None:
                return
            if self._has_removed:
                self._sweep(file)
            with suppress(*IndexFailure):
                file.close()

    def sweep(self) -> None:
        """Remove the texts that only removed crashes had; ``close`` does it, too. Raises nothing."""
        with self._lock:
            if self._has_removed and self._file is not None:
                self._sweep(self._file)
                self._has_removed = False

    def _sweep(self, file: IndexFile) -> None:
        try:
            file.sweep()
        except IndexFailure as error:
            logger.warning("texts of removed crashes stay in %s: %s", self, describe(error))

    def _change(self, change: Change, patience: float) -> None:
        """Write a change, or queue it. Raises nothing.

        What is queued is tried again; a change that fails because of what is in it would fail again, and keep others.
        """
        if not self._lock.acquire(timeout=patience):
            self._queue(change, "busy")
            return
        try:
            reason = self._write(change)
        except Exception as error:
            logger.error("%s has a bug: %s", self, stack_of(error))
            self._note_loss(change.crash_id, "it cannot be written")
            return
        finally:
            self._lock.release()
        if reason:
            self._queue(change, reason)

    def _write(self, change: Change) -> str:
        """Write a change; return why it could not be written, empty if it was."""
        if self._clock() < self._not_before:
            return self._failure
        try:
            file = self._open_or_make()
            if not write_waiting(file, self._journal, self._directory):
                # They come first: a later change of the same crash must not be undone by an earlier one.
                return "busy"
            with file.writing() as writer:
                writer.apply(change)
            if self._is_another_to_come(file):
                self._journal.append(change)
        except IndexFailure as error:
            if is_of_change(error):
                raise
            self._note_failure(error)
            return self._failure
        self._failure = ""
        return ""

    def _is_another_to_come(self, file: IndexFile) -> bool:
        """Return True if another file is being built, or has just taken the place of this one."""
        return self._directory.building() is not None or self._directory.current() != file.path.name

    def _queue(self, change: Change, reason: str) -> None:
        METRICS.increment("search.queued", reason=reason)
        try:
            self._directory.make(parents=self._makes_parents)
            self._journal.append(change)
        except OSError as error:
            self._note_loss(change.crash_id, str(error))

    def _note_loss(self, crash_id: str, why: str) -> None:
        METRICS.increment("search.lost")
        logger.error("crash %s is missing from %s: %s; `socorro search index` adds it", crash_id, self, why)
        # A directory that is away has no mark to remove: it may still have one when it is back.
        self._lacks_crashes = True
        self._mark()

    def _mark(self) -> None:
        """Mark the index as incomplete, if it lacks crashes and its directory is there."""
        if self._lacks_crashes:
            with suppress(OSError):
                if self._directory.current() is not None:
                    self._directory.mark_incomplete()
                    self._lacks_crashes = False

    def _note_failure(self, error: BaseException) -> None:
        """Log a failure, and let nothing be tried for a while."""
        reason = _reason(error)
        self._not_before = self._clock() + PAUSE
        if reason != self._failure:
            logger.warning("cannot write %s: %s; crashes are queued for it", self, describe(error))
        self._failure = reason
        if is_damage(error):
            with suppress(OSError):
                self._directory.mark_damaged(str(error))
        self._close_file()

    def _is_missing(self) -> bool:
        try:
            return self._directory.current() is None
        except OSError:
            return False

    def _close_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(*IndexFailure):
                file.close()

    def _open_or_make(self) -> IndexFile:
        if self._directory.current() is None:
            self._make()
        self._mark()
        return self._open()

    def _open(self) -> IndexFile:
        """Return the file in use, open."""
        name = self._directory.current()
        if name is None:
            raise IndexUnusable(f"there is no index: {REMEDY}")
        if why := self._directory.damage():
            raise IndexUnusable(f"it is damaged ({why}): {REMEDY}")
        if self._file is None or self._file.path.name != name:
            self._close_file()
            self._directory.note_boot(name, self._boot)
            self._file = IndexFile(self._directory.path / name, self._fields, PATIENCE, writing=True)
            # If it is removed later, the next one lacks what it had.
            self._is_first = self._makes_parents = False
        return self._file

    def _make(self) -> None:
        self._directory.make(parents=self._makes_parents)
        with self._directory.lock():
            if self._directory.current() is not None:
                return
            name = self._directory.next_name()
            IndexFile(self._directory.make_file(name), self._fields, PATIENCE, writing=True, new=True).close()
            self._directory.use(name)
            if self._is_first:
                self._directory.mark_complete()


def _reason(error: BaseException) -> str:
    name = str(getattr(error, "sqlite_errorname", ""))
    if name.startswith("SQLITE_BUSY"):
        return "locked"
    if is_damage(error) or isinstance(error, IndexUnusable):
        return "damaged"
    if isinstance(error, FileNotFoundError) or name.startswith("SQLITE_CANTOPEN"):
        return "missing"
    if isinstance(error, OSError) or name.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY")):
        return "disk"
    return "other"
