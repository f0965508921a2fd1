"""SQLiteCrashIndex: find crashes in the file of a SQLiteSearchIndex."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from datetime import date, timedelta
from pathlib import Path
from typing import Self

from socorro_processor.errors import CrashStorageError
from socorro_processor.fields import FieldTable
from socorro_processor.fields.searchable import DATE, DIMENSIONS, SearchableField, searchable_fields
from socorro_processor.search.base import (
    MAXIMUM_FACET_SIZE,
    MAXIMUM_FACETS,
    MAXIMUM_NEWEST,
    MAXIMUM_PAGE,
    MAXIMUM_TOP,
    SHOWN,
    CrashIndex,
    Sort,
    TopOrder,
    check_bounds,
    check_days,
    check_filters,
    read_cursor,
    write_cursor,
)
from socorro_processor.search.days import filters_of_days
from socorro_processor.search.filters import Filter
from socorro_processor.search.results import (
    Comparison,
    DayCount,
    Facet,
    FoundCrash,
    IndexState,
    Neighbours,
    NewestCrashes,
    Page,
    SignatureRecord,
    Standing,
    Top,
)
from socorro_processor.search.searchable import FieldLookup
from socorro_processor.search.sqlite.conditions import Condition, Conditions, day_number, moment_of
from socorro_processor.search.sqlite.directory import IndexDirectory
from socorro_processor.search.sqlite.facets import count_values, day_counts
from socorro_processor.search.sqlite.file import (
    REMEDY,
    IndexFailure,
    IndexFile,
    IndexUnusable,
    describe,
    is_damage,
    translated_errors,
)
from socorro_processor.search.sqlite.journal import Journal, Position
from socorro_processor.search.sqlite.newest import count_newest
from socorro_processor.search.sqlite.pages import found_crashes, sorted_rows
from socorro_processor.search.sqlite.snapshot import Snapshot, count_crashes
from socorro_processor.search.sqlite.top import MOST_KEPT, TopSignatures
from socorro_processor.search.sqlite.writing import crash_id_bytes, position_of

LONGEST = 20.0
"""Seconds of a call."""
_TIMEOUT = 2.0
"""Seconds to wait for a lock; readers need one only while a file is opened."""
_MOST_IDLE = 4
"""Connections that stay open for later calls."""
_BATCH = 1000
"""Crash ids that are read at once."""


class SQLiteCrashIndex(CrashIndex):
    """Reads snapshots: a call sees each crash and the roll-ups as they were at its beginning."""

    def __init__(self, path: Path, table: FieldTable, longest: float = LONGEST, most_kept: int = MOST_KEPT) -> None:
        """``path`` is the directory of the index; ``longest``: seconds that a call may take.

        ``most_kept``: rows that ``top`` keeps in memory; of more, it reads some again.
        """
        self._directory = IndexDirectory(path)
        self._journal = Journal(self._directory.waiting)
        self._fields = searchable_fields(table)
        self._lookup = FieldLookup(table, self._fields)
        self._longest = longest
        self._most_kept = most_kept
        self._lock = threading.Lock()
        self._idle: list[IndexFile] = []
        self._held: Snapshot | None = None
        """The snapshot that all calls read; None if each reads one of its own."""

    @contextmanager
    def snapshot(self) -> Iterator[SQLiteCrashIndex]:
        with self._reading() as snapshot:
            held = copy(self)
            held._held = snapshot
            yield held

    def fields(self) -> Mapping[str, SearchableField]:
        return self._fields

    def find(
        self,
        filters: Sequence[Filter] = (),
        *,
        fields: Sequence[str] = SHOWN,
        sort: Sort = Sort(),  # noqa: B008
        limit: int = 50,
        after: str | None = None,
        protected: bool = False,
    ) -> Page:
        check_filters(filters)
        check_bounds("a limit of", limit, MAXIMUM_PAGE)
        shown = [self._lookup.of_name(name, protected=protected) for name in fields]
        by = self._lookup.of_name(sort.field, protected=protected)
        position = None if after is None else read_cursor(after, sort)
        with self._reading() as snapshot:
            condition = snapshot.conditions.of_crashes(filters, protected=protected)
            rows = sorted_rows(snapshot, condition, by, sort, position, limit + 1)
            crashes = found_crashes(snapshot, [row[0] for row in rows[:limit]], fields, shown)
        more = write_cursor(sort, rows[limit - 1][::-1]) if len(rows) > limit else None
        return Page(tuple(crashes), more)

    def of_ids(self, crash_ids: Sequence[str], fields: Sequence[str], *, protected: bool = False) -> list[FoundCrash]:
        """Return those of up to MAXIMUM_PAGE crashes that the index has, in any order."""
        check_bounds("a number of crash ids of", len(crash_ids), MAXIMUM_PAGE, 0)
        shown = [self._lookup.of_name(name, protected=protected) for name in fields]
        keys = list(map(crash_id_bytes, crash_ids))
        condition = Condition(f"crash_id IN ({', '.join('?' * len(keys))})", keys)
        with self._reading() as snapshot:
            numbers = [row[0] for row in snapshot.select("n", condition)]
            return found_crashes(snapshot, numbers, fields, shown)

    def crash_ids(self, filters: Sequence[Filter] = (), *, protected: bool = False) -> Iterator[str]:
        after: str | None = None
        while True:
            page = self.find(filters, fields=(), limit=_BATCH, after=after, protected=protected)
            yield from (crash.crash_id for crash in page.crashes)
            if (after := page.next) is None:
                return

    def count(self, filters: Sequence[Filter] = (), *, protected: bool = False) -> int:
        check_filters(filters)
        with self._reading() as snapshot:
            condition = snapshot.conditions.of_crashes(filters, protected=protected)
            return count_crashes(snapshot, condition)

    def facets(
        self, fields: Sequence[str], filters: Sequence[Filter] = (), *, size: int = 10, protected: bool = False
    ) -> tuple[Facet, ...]:
        check_filters(filters)
        check_bounds("a number of facets of", len(fields), MAXIMUM_FACETS, 0)
        check_bounds("a size of facets of", size, MAXIMUM_FACET_SIZE)
        counted = [self._lookup.of_name(name, protected=protected) for name in fields]
        with self._reading() as snapshot:
            condition = snapshot.conditions.of_crashes(filters, protected=protected)
            return tuple(
                count_values(snapshot, name, field, condition, size)
                for name, field in zip(fields, counted, strict=True)
            )

    def histogram(
        self,
        first_day: date,
        last_day: date,
        filters: Sequence[Filter] = (),
        *,
        by: str | None = None,
        protected: bool = False,
    ) -> tuple[DayCount, ...]:
        check_filters(filters)
        days = check_days(first_day, last_day)
        field = None if by is None else self._lookup.of_name(by, protected=protected)
        with self._reading() as snapshot:
            rolled_up = snapshot.conditions.of_roll_ups(filters, protected=protected)
            if rolled_up is not None and (field is None or field.kind == "signature" or field.name in DIMENSIONS):
                roll_up = rolled_up.narrowest(*([field.name] if field else []))
                condition = rolled_up.condition.also(
                    "day >= ? AND day <= ?", day_number(first_day), day_number(last_day)
                )
                counts, splits = day_counts(snapshot, condition, field, roll_up)
            else:
                within = (*filters, *filters_of_days((first_day, last_day)))
                condition = snapshot.conditions.of_crashes(within, protected=protected)
                counts, splits = day_counts(snapshot, condition, field)
        first = day_number(first_day)
        return tuple(
            DayCount(
                first_day + timedelta(days=number),
                counts.get(first + number, 0),
                {value: by_day[first + number] for value, by_day in splits.items() if first + number in by_day},
            )
            for number in range(days)
        )

    def top(
        self,
        first_day: date,
        last_day: date,
        filters: Sequence[Filter] = (),
        *,
        limit: int = 50,
        offset: int = 0,
        order: TopOrder = "crashes",
        protected: bool = False,
    ) -> Top:
        check_filters(filters)
        check_days(first_day, last_day)
        check_bounds("a limit of", limit, MAXIMUM_TOP)
        check_bounds("an offset of", offset, 10**9, 0)
        with self._reading() as snapshot:
            return self._top(snapshot, filters, protected).top(first_day, last_day, limit, offset, order)

    def compare(
        self,
        first_day: date,
        last_day: date,
        one: Sequence[Filter],
        other: Sequence[Filter],
        *,
        limit: int = MAXIMUM_TOP,
        protected: bool = False,
    ) -> Comparison:
        for each in (one, other):
            check_filters(each)
        check_days(first_day, last_day)
        check_bounds("a limit of", limit, MAXIMUM_TOP)
        with self._reading() as snapshot:
            first, second = (self._top(snapshot, each, protected) for each in (one, other))
            return first.compare(second, first_day, last_day, limit)

    def choices(
        self,
        first_day: date,
        last_day: date,
        filters: Sequence[Filter] = (),
        *,
        size: int = MAXIMUM_FACET_SIZE,
        protected: bool = False,
    ) -> Mapping[str, tuple[str, ...]]:
        check_filters(filters)
        check_days(first_day, last_day)
        check_bounds("a size of choices of", size, MAXIMUM_FACET_SIZE)
        with self._reading() as snapshot:
            top = self._top(snapshot, filters, protected)
            asked = ("choices", first_day, last_day, tuple(filters))
            if asked not in snapshot.known:
                snapshot.known[asked] = top.choices(first_day, last_day, MAXIMUM_FACET_SIZE)
            return {name: values[:size] for name, values in snapshot.known[asked].items()}

    def standing(
        self,
        signature: str,
        first_day: date,
        last_day: date,
        filters: Sequence[Filter] = (),
        *,
        protected: bool = False,
    ) -> Standing:
        check_filters(filters)
        check_days(first_day, last_day)
        with self._reading() as snapshot:
            named = snapshot.conditions.of_signature(signature)
            return self._top(snapshot, filters, protected).standing(named, first_day, last_day)

    def newest(
        self,
        filters: Sequence[Filter] = (),
        *,
        fields: Sequence[str] = (),
        conditions: Sequence[Sequence[Filter]] = (),
        size: int = 10,
        limit: int = MAXIMUM_NEWEST,
        with_installations: bool = False,
        protected: bool = False,
    ) -> NewestCrashes:
        check_bounds("a number of conditions of", len(conditions), MAXIMUM_FACETS, 0)
        for each in (filters, *conditions):
            check_filters(each)
        check_bounds("a number of facets of", len(fields), MAXIMUM_FACETS, 0)
        check_bounds("a size of facets of", size, MAXIMUM_FACET_SIZE)
        check_bounds("a limit of", limit, MAXIMUM_NEWEST)
        counted = [self._lookup.of_name(name, protected=protected) for name in fields]
        with self._reading() as snapshot:
            condition, *tests = (
                snapshot.conditions.of_crashes(each, protected=protected) for each in (filters, *conditions)
            )
            return count_newest(
                snapshot, fields, counted, tests, condition, limit, size, with_installations=with_installations
            )

    def neighbours(self, crash_id: str, filters: Sequence[Filter] = (), *, protected: bool = False) -> Neighbours:
        check_filters(filters)
        with self._reading() as snapshot:
            rows = snapshot.rows("SELECT date, n FROM crash WHERE crash_id = ?", (crash_id_bytes(crash_id),))
            if not rows:
                return Neighbours()
            condition = snapshot.conditions.of_crashes(filters, protected=protected)
            by = self._fields[DATE]
            ids: list[str | None] = []
            for descending in (True, False):
                found = sorted_rows(snapshot, condition, by, Sort(DATE, descending), list(rows[0]), 1)
                crashes = found_crashes(snapshot, [row[0] for row in found], (), ())
                ids.append(crashes[0].crash_id if crashes else None)
        return Neighbours(*ids)

    def records(self, signature: str) -> tuple[SignatureRecord, ...]:
        with self._reading() as snapshot:
            condition = snapshot.conditions.of_signature(signature)
            rows = snapshot.rows(
                condition.select(
                    "text, product, first, last, first_version",
                    "ORDER BY first, product",
                    "seen JOIN signature ON id = signature",
                ),
                condition.parameters,
            )
        return tuple(
            SignatureRecord(text, product or None, moment_of(first), moment_of(last), version)
            for text, product, first, last, version in rows
        )

    def state(self) -> IndexState:
        place = f"search index {self._directory.path}"
        try:
            if self._directory.current() is None:
                waiting = self._journal.waiting(Position())
                why = f"there is no search index in {self._directory.path} yet: `socorro search index` makes it"
                return IndexState(place, 0, False, waiting, why, exists=False)
            with self._reading() as snapshot:
                crashes = count_crashes(snapshot, Condition())
                position = position_of(snapshot.connection)
            waiting = self._journal.waiting(position)
            is_complete = self._directory.is_complete()
        except (CrashStorageError, OSError) as error:
            return IndexState(place, 0, False, 0, str(error))
        problem = "" if is_complete else may_lack_crashes(self._directory.path)
        return IndexState(place, crashes, is_complete, waiting, problem)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for file in idle:
            _close(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _top(self, snapshot: Snapshot, filters: Sequence[Filter], protected: bool) -> TopSignatures:
        return TopSignatures(
            snapshot,
            snapshot.conditions.of_crashes(filters, protected=protected),
            snapshot.conditions.of_roll_ups(filters, protected=protected),
            snapshot.conditions.of_records(filters),
            self._most_kept,
        )

    @contextmanager
    def _reading(self) -> Iterator[Snapshot]:
        """Open the file in use, and read one snapshot of it. Raises TransientStorageError."""
        with translated_errors("read", self._directory.path):
            if self._held is not None:
                with self._marking_damage():
                    yield self._held
                return
            if why := self._directory.damage():
                raise IndexUnusable(f"it is damaged ({why}): {REMEDY}")
            file = self._take()
            try:
                with self._marking_damage(), file.reading(self._longest) as connection:
                    conditions = Conditions(connection, file.columns, file.roll_ups, self._lookup)
                    yield Snapshot(connection, file.columns, conditions, {})
            except BaseException:
                _close(file)
                raise
            self._put_back(file)

    @contextmanager
    def _marking_damage(self) -> Iterator[None]:
        try:
            yield
        except IndexFailure as error:
            if is_damage(error):
                with suppress(OSError):
                    self._directory.mark_damaged(describe(error))
            raise

    def _take(self) -> IndexFile:
        """Return the file in use, open."""
        name = self._directory.current()
        while True:
            if name is None:
                raise IndexUnusable(f"there is none: {REMEDY}")
            if (file := self._idle_file(name)) is not None:
                return file
            try:
                return IndexFile(self._directory.path / name, self._fields, _TIMEOUT)
            except IndexFailure:
                # A new index may have taken its place meanwhile.
                before, name = name, self._directory.current()
                if name == before:
                    raise

    def _idle_file(self, name: str) -> IndexFile | None:
        """Return an open file that nobody uses; close those that are not in use any more."""
        found = None
        outdated = []
        with self._lock:
            while self._idle and found is None:
                file = self._idle.pop()
                if file.path.name == name:
                    found = file
                else:
                    outdated.append(file)
        for each in outdated:
            _close(each)
        return found

    def _put_back(self, file: IndexFile) -> None:
        with self._lock:
            if len(self._idle) < _MOST_IDLE:
                self._idle.append(file)
                return
        _close(file)


def may_lack_crashes(path: Path) -> str:
    return f"the search index in {path} may lack crashes: `socorro search index` adds them"


def _close(file: IndexFile) -> None:
    with suppress(*IndexFailure):
        file.close()
