"""Build or complete the index from the crashes in the stores, beside processors that go on saving.

- An index that works gets the crashes that it lacks, and loses those that the stores do not have any more.
- A missing or damaged one is built in a new file, which takes its place when it is whole. Until then processors write
  what they can into the old one, and all of it into the journal, which the new one takes at its end.

It can be interrupted at any time: the next run goes on where it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from socorro_processor.configuration import DotDict
from socorro_processor.crashstorage.indexed_crash import IndexedCrash, Indexer
from socorro_processor.errors import CrashIDNotFound, PermanentStorageError, SocorroError
from socorro_processor.fields import FieldTable
from socorro_processor.fields.searchable import searchable_fields
from socorro_processor.search.sqlite.directory import IndexDirectory
from socorro_processor.search.sqlite.file import IndexFailure, IndexFile, IndexUnusable, is_damage, translated_errors
from socorro_processor.search.sqlite.journal import Journal
from socorro_processor.search.sqlite.waiting import attempt, write_waiting
from socorro_processor.search.sqlite.writing import crash_id_bytes, crash_id_text
from socorro_processor.search.stored_crashes import StoredCrashes

_TIMEOUT = 30.0
"""Seconds to wait for a transaction of a processor, which takes milliseconds."""
_BATCH = 50
"""Crashes of a transaction: a processor waits no longer for one than it can."""
_LOOKED_UP = 1000


@dataclass
class Built:
    """The result of a run."""

    is_new: bool = False
    """True if a new file took the place of the one before."""
    added: int = 0
    removed: int = 0
    unreadable: int = 0
    """Crashes of the stores that could not be read, or not be written."""
    swept: int = 0
    """Texts that no crash had any more."""
    crashes: int = 0
    """Crashes in the index now."""
    is_complete: bool = False
    """False if crashes came meanwhile that a processor could not even queue."""


Progress = Callable[[str, int, int], None]
"""Receives what is being done, how many crashes of it are done, and of how many."""


class IndexBuilder:
    """Builds the index in a directory. Raises SocorroError, also if another process builds it."""

    def __init__(self, path: Path, config: DotDict, stored: StoredCrashes) -> None:
        """``config`` is the section of the store that has the index."""
        self._directory = IndexDirectory(path)
        self._journal = Journal(self._directory.waiting)
        self._fields = searchable_fields(FieldTable.of(config))
        self._indexer = Indexer(self._fields, config.redactor_class(config))
        self._stored = stored

    def build(self, progress: Progress, *, anew: bool = False) -> Built:
        """Build what is missing; with ``anew``, all of it, in a new file."""
        with translated_errors("build", self._directory.path):
            self._directory.make(parents=True)
            try:
                lock = self._directory.lock_building()
            except BlockingIOError:
                raise SocorroError(f"another process is building the search index in {self._directory.path}") from None
            with lock:
                return self._build(progress, anew)

    def _build(self, progress: Progress, anew: bool) -> Built:
        built = Built()
        name, file = self._target(anew)
        try:
            built.is_new = name != self._directory.current()
            if built.is_new:
                self._take_over(file)
                self._complete(file, built, progress)
                self._write_waiting(file)
                with self._directory.lock():
                    self._directory.end_building(name)
            # Processors now write into this file, or into the journal.
            self._directory.begin_completing()
            self._write_waiting(file)
            self._complete(file, built, progress)
            built.swept = file.sweep()
            built.is_complete = self._directory.end_completing()
            built.crashes = file.connection.execute("SELECT count(*) FROM crash").fetchone()[0]
            # A new file's -wal may be as large as the file.
            file.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            file.close()
        return built

    def _target(self, anew: bool) -> tuple[str, IndexFile]:
        """Open the file to write: that in use, one whose building was interrupted, or a new one."""
        current = self._directory.current()
        building = self._directory.building()
        if current is not None and building is None and not anew and not self._directory.damage():
            try:
                return current, self._open(current)
            except IndexFailure as error:
                if not (is_damage(error) or isinstance(error, IndexUnusable)):
                    raise
        if building is not None:
            try:
                return building, self._open(building, new=True)
            except IndexFailure:
                self._directory.give_up_building()
        with self._directory.lock():
            name = self._directory.begin_building()
            self._directory.make_file(name)
        return name, self._open(name, new=True)

    def _open(self, name: str, *, new: bool = False) -> IndexFile:
        return IndexFile(self._directory.path / name, self._fields, _TIMEOUT, writing=True, new=new)

    def _take_over(self, file: IndexFile) -> None:
        """Copy when signatures were first and last seen from the file in use, as far as it can be read."""
        if (current := self._directory.current()) is None:
            return
        with suppress(*IndexFailure):
            old = IndexFile(self._directory.path / current, self._fields, _TIMEOUT)
            try:
                rows = old.connection.execute(
                    "SELECT text, product, first, last, first_version FROM seen JOIN signature ON id = signature"
                )
                while batch := rows.fetchmany(_LOOKED_UP):
                    with file.writing() as writer:
                        writer.take_over(batch)
            finally:
                old.close()

    def _complete(self, file: IndexFile, built: Built, progress: Progress) -> None:
        built.unreadable = 0
        # In the order of days, so that neighbours in the file are so in time, too.
        crash_ids = sorted(self._stored.ids(), key=lambda crash_id: (crash_id[-6:], crash_id))
        for done, batch in _batches(iter(crash_ids), _LOOKED_UP):
            progress("reading crashes", done, len(crash_ids))
            lacking = [crash_id for crash_id in batch if not _is_in(file, crash_id)]
            for start, part in _batches(iter(lacking), _BATCH):
                progress("reading crashes", done + start, len(crash_ids))
                crashes = [crash for crash_id in part if (crash := self._read(crash_id, built)) is not None]
                with file.writing() as writer:
                    for crash in crashes:
                        # A processor may have saved a newer result meanwhile.
                        save = partial(writer.save, crash, only_new=True)
                        is_added = attempt(file, writer, crash.crash_id, save)
                        built.added += is_added is True
                        built.unreadable += is_added is None
        (total,) = file.connection.execute("SELECT count(*) FROM crash").fetchone()
        for done, batch in _batches(_indexed_ids(file), _LOOKED_UP):
            progress("looking for removed crashes", done, total)
            for _, part in _batches(iter(sorted(self._stored.missing(batch))), _BATCH):
                with file.writing() as writer:
                    built.removed += sum(writer.remove(crash_id) for crash_id in part)

    def _read(self, crash_id: str, built: Built) -> IndexedCrash | None:
        try:
            return self._indexer.of({**self._stored.get(crash_id), "uuid": crash_id})
        except CrashIDNotFound:
            return None
        except PermanentStorageError:
            built.unreadable += 1
            return None

    def _write_waiting(self, file: IndexFile) -> None:
        while not write_waiting(file, self._journal, self._directory):
            pass


def _batches(crash_ids: Iterator[str], size: int) -> Iterator[tuple[int, list[str]]]:
    """Yield lists of crash ids, each after the number of those before."""
    done = 0
    while batch := list(islice(crash_ids, size)):
        yield done, batch
        done += len(batch)


def _is_in(file: IndexFile, crash_id: str) -> bool:
    sql = "SELECT 1 FROM crash WHERE crash_id = ?"
    return file.connection.execute(sql, (crash_id_bytes(crash_id),)).fetchone() is not None


def _indexed_ids(file: IndexFile) -> Iterator[str]:
    last = b""
    while rows := file.connection.execute(
        "SELECT crash_id FROM crash WHERE crash_id > ? ORDER BY crash_id LIMIT ?", (last, _LOOKED_UP)
    ).fetchall():
        yield from (crash_id_text(crash_id) for (crash_id,) in rows)
        last = rows[-1][0]
