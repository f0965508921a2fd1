"""One file of an index, opened: its transactions, and its errors in words."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from socorro_processor.errors import TransientStorageError
from socorro_processor.fields.searchable import SearchableField
from socorro_processor.machine.sqlite_guard import SHM, WAL, SQLiteFileLost, open_guarded, use_wal
from socorro_processor.search.sqlite.journal import Position
from socorro_processor.search.sqlite.roll_ups import add_roll_ups, lacks_roll_ups, roll_ups_of
from socorro_processor.search.sqlite.schema import VERSION, add_columns, columns_of, create, lacks_columns, version_of
from socorro_processor.search.sqlite.writing import IndexWriter, position_of

REMEDY = "`socorro search index` builds it anew"

_READING_CACHE, _WRITING_CACHE = 2000, 500
"""KiB. A processor that writes fills its cache over thousands of crashes, and its memory should stay as it began."""

_OF_CHANGE = (sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError)
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_REMEDIES = (
    ("SQLITE_BUSY", "another program keeps it locked"),
    ("SQLITE_FULL", "its disk is full: make room there"),
    ("SQLITE_IOERR", "its disk cannot be read or written: see the kernel's log"),
    ("SQLITE_READONLY", "this user must be allowed to write the file and its directory"),
    ("SQLITE_CANTOPEN", "this user must be allowed to read and write it and its directory"),
    ("SQLITE_INTERRUPT", "it took too long: search fewer days, or by fewer fields"),
    ("SQLITE_CORRUPT", f"it is damaged: {REMEDY}"),
    ("SQLITE_NOTADB", f"it is damaged: {REMEDY}"),
)


class IndexUnusable(Exception):
    """The file cannot be used until it is built anew; the message says why."""


IndexFailure = (sqlite3.Error, OSError, SQLiteFileLost, IndexUnusable)
"""The exceptions that opening and using a file raises."""


def is_of_change(error: Exception) -> bool:
    """Return True if a change failed because of what is in it, so that it would fail again."""
    return isinstance(error, _OF_CHANGE) or not isinstance(error, IndexFailure)


def is_damage(error: BaseException) -> bool:
    """Return True if the content of the file is damaged."""
    return str(getattr(error, "sqlite_errorname", "")).startswith(_DAMAGED)


def describe(error: BaseException) -> str:
    """Return an error in words, with what to do."""
    name = str(getattr(error, "sqlite_errorname", ""))
    remedies = [remedy for prefix, remedy in _REMEDIES if name.startswith(prefix)]
    return "; ".join([f"{error} ({name})" if name else str(error), *remedies])


@contextmanager
def translated_errors(doing: str, path: Path) -> Iterator[None]:
    """Raise what IndexFailure names as a TransientStorageError."""
    try:
        yield
    except IndexFailure as error:
        raise TransientStorageError(f"cannot {doing} the search index in {path}: {describe(error)}") from error


class IndexFile:
    """An open file. One thread at a time; methods raise what IndexFailure names."""

    def __init__(
        self,
        path: Path,
        fields: Mapping[str, SearchableField],
        timeout: float,
        *,
        writing: bool = False,
        new: bool = False,
    ) -> None:
        """Open a file that exists. ``timeout``: seconds to wait for another transaction.

        With ``writing``, columns and roll-ups that it lacks are added. A ``new`` file may be empty and gets its tables.
        """
        self.path = path
        if not path.exists():
            raise IndexUnusable(f"its file {path.name} is missing: {REMEDY}")
        self._fields, self._timeout, self._is_writing, self._is_new = fields, timeout, writing, new
        self.connection, self._guard = open_guarded(path, timeout, self._connect)
        try:
            if writing:
                self._bring_up_to_date()
            self.columns = columns_of(self.connection, fields)
            self.roll_ups = roll_ups_of(self.connection)
        except BaseException:
            self._guard.leave()
            raise
        self.writer = IndexWriter(self.connection, self.columns) if writing else None

    @contextmanager
    def writing(self) -> Iterator[IndexWriter]:
        """Commit all that the block writes, or nothing."""
        assert self.writer is not None
        self._guard.check()
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.writer
            self.connection.execute("COMMIT")
        except BaseException:
            self.writer.forget()
            raise
        finally:
            if self.connection.in_transaction:
                with suppress(sqlite3.Error):
                    self.connection.execute("ROLLBACK")
        # What was committed into a file that was removed is lost.
        self._guard.check()

    @contextmanager
    def reading(self, longest: float) -> Iterator[sqlite3.Connection]:
        """Read one snapshot of the file, for ``longest`` seconds at most."""
        end = time.monotonic() + longest
        self._guard.check()
        self.connection.set_progress_handler(lambda: time.monotonic() > end, 100_000)
        self.connection.execute("BEGIN")
        try:
            yield self.connection
        finally:
            self.connection.set_progress_handler(None, 0)
            if self.connection.in_transaction:
                with suppress(sqlite3.Error):
                    self.connection.execute("ROLLBACK")

    def sweep(self) -> int:
        """Remove the texts that no crash has any more, a field at a time; return their number."""
        with self.writing() as writer:
            fields = writer.doubtful_fields()
        removed = 0
        for field in fields:
            with self.writing() as writer:
                removed += writer.sweep(field)
        return removed

    def close(self) -> None:
        self._guard.leave()

    def _connect(self) -> sqlite3.Connection:
        # Without mode=rwc: a file that is gone is not made again under its name.
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?mode=rw",
            uri=True,
            timeout=self._timeout,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute(f"PRAGMA cache_size = {-(_WRITING_CACHE if self._is_writing else _READING_CACHE)}")
            if not self._is_new:
                _check_version(version_of(connection))
            if self._is_writing:
                use_wal(connection, time.monotonic() + self._timeout)
            else:
                connection.execute("PRAGMA query_only = 1")
        except BaseException:
            connection.close()
            raise
        return connection

    def _bring_up_to_date(self) -> None:
        connection = self.connection
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA journal_size_limit = 16777216")
        # What is removed is overwritten where that costs no more writing.
        connection.execute("PRAGMA secure_delete = FAST")
        if self._is_new:
            connection.execute("BEGIN IMMEDIATE")
            if not version_of(connection):
                create(connection)
            connection.execute("COMMIT")
            _check_version(version_of(connection))
        if lacks_columns(connection, self._fields) or lacks_roll_ups(connection):
            connection.execute("BEGIN IMMEDIATE")
            add_columns(connection, self._fields)
            add_roll_ups(connection)
            connection.execute("COMMIT")


def count_without_changes(path: Path) -> tuple[int, Position] | None:
    """Return the number of crashes in a file, and how much of the journal it has; None if that cannot be seen.

    Nothing is changed, not even beside the file. Raises what IndexFailure names.
    """
    beside = [path.with_name(f"{path.name}{suffix}").exists() for suffix in (WAL, SHM)]
    if any(beside) and not all(beside):
        # Reading the file would make the other one.
        return None
    # A file that nobody has open is read without a lock: a lock would make files beside it.
    mode = "mode=ro" if any(beside) else "mode=ro&immutable=1"
    with closing(sqlite3.connect(f"{path.as_uri()}?{mode}", uri=True, timeout=1.0)) as connection:
        _check_version(version_of(connection))
        (crashes,) = connection.execute("SELECT count(*) FROM crash").fetchone()
        return crashes, position_of(connection)


def _check_version(version: int) -> None:
    if version != VERSION:
        what = f"it has version {version}" if version else "it is empty, or another program's"
        raise IndexUnusable(f"{what}, and this program needs version {VERSION}: {REMEDY}")
