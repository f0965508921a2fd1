"""SQLiteCrashIndex: find crashes in the file of a SQLiteSearchIndex."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Self

from socorro_processor.errors import CrashStorageError
from socorro_processor.fields import FieldTable
from socorro_processor.search.base import (
    MAXIMUM_FACET_SIZE,
    MAXIMUM_FACETS,
    MAXIMUM_PAGE,
    MAXIMUM_TOP,
    SHOWN,
    CrashIndex,
    DayCount,
    Facet,
    FacetValue,
    FoundCrash,
    IndexState,
    Page,
    SignatureRecord,
    Sort,
    Top,
    check_bounds,
    check_days,
    check_filters,
    read_cursor,
    write_cursor,
)
from socorro_processor.search.filters import Filter
from socorro_processor.search.indexed_crash import BETWEEN, MILLISECONDS_OF_DAY, NAMES, clean_text
from socorro_processor.search.searchable import DATE, FieldLookup, SearchableField, searchable_fields
from socorro_processor.search.sqlite.conditions import Condition, Conditions, day_number, day_range, moment_of
from socorro_processor.search.sqlite.directory import IndexDirectory
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
from socorro_processor.search.sqlite.schema import OWN, Column
from socorro_processor.search.sqlite.top import TopSignatures
from socorro_processor.search.sqlite.writing import crash_id_text, position_of

LONGEST = 20.0
"""Seconds of a call."""
_TIMEOUT = 2.0
"""Seconds to wait for a lock; readers need one only while a file is opened."""
_MOST_IDLE = 4
"""Connections that stay open for later calls."""
MAXIMUM_ITEMS_WITH_INSTALLATIONS = 100
"""Items of lists in a facet whose installations are counted."""
_MOST_SPLITS = 20
"""Values by which a histogram is split."""
_BATCH = 1000


class _Opened(NamedTuple):
    """A file that is being read, in one snapshot."""

    file: IndexFile
    conditions: Conditions

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.file.connection.execute(sql, parameters).fetchall()

    def column(self, field: SearchableField) -> Column | None:
        return self.file.columns.get(field.name)


class SQLiteCrashIndex(CrashIndex):
    """Reads snapshots: a call sees each crash and the roll-ups as they were at its beginning."""

    def __init__(self, path: Path, table: FieldTable, longest: float = LONGEST) -> None:
        """``path`` is the directory of the index; ``longest``: seconds that a call may take."""
        self._directory = IndexDirectory(path)
        self._journal = Journal(self._directory.waiting)
        self._fields = searchable_fields(table)
        self._lookup = FieldLookup(table, self._fields)
        self._longest = longest
        self._lock = threading.Lock()
        self._idle: list[IndexFile] = []

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
        with self._reading() as opened:
            condition = opened.conditions.of_crashes(filters, protected=protected)
            rows = _sorted_rows(opened, condition, by, sort, position, limit + 1)
            crashes = _found_crashes(opened, [row[0] for row in rows[:limit]], fields, shown)
        more = write_cursor(sort, rows[limit - 1][::-1]) if len(rows) > limit else None
        return Page(tuple(crashes), more)

    def crash_ids(self, filters: Sequence[Filter] = (), *, protected: bool = False) -> Iterator[str]:
        after: str | None = None
        while True:
            page = self.find(filters, fields=(), limit=_BATCH, after=after, protected=protected)
            yield from (crash.crash_id for crash in page.crashes)
            if (after := page.next) is None:
                return

    def count(self, filters: Sequence[Filter] = (), *, protected: bool = False) -> int:
        check_filters(filters)
        with self._reading() as opened:
            condition = opened.conditions.of_crashes(filters, protected=protected)
            return _count(opened, condition)

    def facets(
        self, fields: Sequence[str], filters: Sequence[Filter] = (), *, size: int = 10, protected: bool = False
    ) -> tuple[Facet, ...]:
        check_filters(filters)
        check_bounds("a number of facets of", len(fields), MAXIMUM_FACETS, 0)
        check_bounds("a size of facets of", size, MAXIMUM_FACET_SIZE)
        counted = [self._lookup.of_name(name, protected=protected) for name in fields]
        with self._reading() as opened:
            condition = opened.conditions.of_crashes(filters, protected=protected)
            return tuple(
                _facet(opened, name, field, condition, size) for name, field in zip(fields, counted, strict=True)
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
        with self._reading() as opened:
            condition = opened.conditions.of_crashes(filters, protected=protected).also(
                "date >= ? AND date < ?", *day_range(first_day, last_day)
            )
            counts = _day_counts(opened, condition)
            splits = _splits(opened, condition, field) if field else {}
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
        protected: bool = False,
    ) -> Top:
        check_filters(filters)
        check_days(first_day, last_day)
        check_bounds("a limit of", limit, MAXIMUM_TOP)
        check_bounds("an offset of", offset, 10**9, 0)
        with self._reading() as opened:
            counting = TopSignatures(
                opened.file.connection,
                opened.conditions.of_crashes(filters, protected=protected),
                opened.conditions.of_roll_up(filters, protected=protected),
            )
            return counting.top(first_day, last_day, limit, offset)

    def records(self, signature: str) -> tuple[SignatureRecord, ...]:
        with self._reading() as opened:
            rows = opened.rows(
                "SELECT text, product, first, last, first_version FROM seen JOIN signature ON id = signature "
                "WHERE signature = (SELECT id FROM signature WHERE text = ?) ORDER BY first, product",
                (clean_text(signature),),
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
                return IndexState(place, 0, False, waiting, why)
            with self._reading() as opened:
                crashes = _count(opened, Condition())
                position = position_of(opened.file.connection)
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

    @contextmanager
    def _reading(self) -> Iterator[_Opened]:
        """Open the file in use, and read one snapshot of it. Raises TransientStorageError."""
        with translated_errors("read", self._directory.path):
            if why := self._directory.damage():
                raise IndexUnusable(f"it is damaged ({why}): {REMEDY}")
            file = self._take()
            try:
                with file.reading(self._longest) as connection:
                    yield _Opened(file, Conditions(connection, file.columns, self._lookup))
            except IndexFailure as error:
                if is_damage(error):
                    with suppress(OSError):
                        self._directory.mark_damaged(describe(error))
                _close(file)
                raise
            except BaseException:
                _close(file)
                raise
            self._put_back(file)

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


def _count(opened: _Opened, condition: Condition) -> int:
    return int(opened.rows(f"SELECT count(*) FROM crash {condition.where}", condition.parameters)[0][0])


def _sorted_rows(
    opened: _Opened,
    condition: Condition,
    by: SearchableField,
    sort: Sort,
    position: list[Any] | None,
    limit: int,
) -> list[tuple[Any, ...]]:
    """Return ``n`` and the value sorted by of the crashes after a position."""
    value, is_never_null = _sort_expression(opened, by)
    greater, order = ("<", "DESC") if sort.descending else (">", "ASC")
    if position is not None:
        last, n = position
        if last is None:
            condition = condition.also(f"({value} IS NULL AND n {greater} ?)", n)
        elif is_never_null:
            condition = condition.also(f"({value}, n) {greater} (?, ?)", last, n)
        else:
            after = f"({value} {greater} ? OR ({value} = ? AND n {greater} ?) OR {value} IS NULL)"
            condition = condition.also(after, last, last, n)
    nulls = "" if is_never_null else "NULLS LAST"
    return opened.rows(
        f"SELECT n, {value} FROM crash {condition.where} ORDER BY 2 {order} {nulls}, n {order} LIMIT {limit}",
        condition.parameters,
    )


def _sort_expression(opened: _Opened, by: SearchableField) -> tuple[str, bool]:
    """Return the SQL of the value that is sorted by, and True if it is never null."""
    if by.name == DATE:
        return "date", True
    if by.kind == "crash id":
        return "hex(crash_id)", True
    if by.kind == "signature":
        return "(SELECT text FROM signature WHERE id = crash.signature)", False
    column = opened.column(by)
    if column is None:
        return "NULL", False
    return (_text_of(column) if column.has_words else column.name), False


def _text_of(column: Column) -> str:
    """Return the SQL of the text of a crash."""
    word = f"(SELECT text FROM word WHERE id = crash.{column.name})"
    return (
        f"CASE typeof({column.name}) WHEN 'integer' THEN coalesce({word}, {_own_text(column)}) ELSE {column.name} END"
    )


def _own_text(column: Column) -> str:
    return f"(SELECT {column.name} FROM own WHERE own.n = crash.n)"


def _found_crashes(
    opened: _Opened, numbers: list[int], names: Sequence[str], fields: Sequence[SearchableField]
) -> Iterator[FoundCrash]:
    expressions = ["crash_id", *(_sort_expression(opened, field)[0] for field in fields)]
    sql = f"SELECT {', '.join(expressions)} FROM crash WHERE n = ?"
    for n in numbers:
        ((crash_id, *values),) = opened.rows(sql, (n,))
        shown = {
            name: _shown(field, value)
            for name, field, value in zip(names, fields, values, strict=True)
            if value is not None
        }
        yield FoundCrash(crash_id_text(crash_id), shown)


def _shown(field: SearchableField, value: Any) -> Any:
    """Return a value of the file as its field has it."""
    if field.kind == "boolean":
        return bool(value)
    if field.kind == "date":
        return moment_of(value)
    if field.kind == "crash id":
        return crash_id_text(bytes.fromhex(value) if isinstance(value, str) else value)
    if field.kind == "items":
        return value.strip(BETWEEN).split(BETWEEN)
    if field.kind == "leaves":
        return dict(item.split(NAMES, 1) for item in value.strip(BETWEEN).split(BETWEEN) if NAMES in item)
    return value


def _facet(opened: _Opened, name: str, field: SearchableField, condition: Condition, size: int) -> Facet:
    if field.kind in ("items", "leaves"):
        return _facet_of_items(opened, name, field, condition, size)
    values: list[FacetValue] = []
    missing = 0
    column = opened.column(field)
    for value, crashes, installations in _group(opened, _grouped(field, column), condition, size + 2):
        if value is None:
            missing = crashes
        elif column is not None and column.has_words and value == OWN:
            values += _own_values(opened, column, condition, size)
        else:
            values.append(FacetValue(value, crashes, installations))
    if (column is not None and column.has_words) or field.kind == "signature":
        values = _named(opened, field, values)
    values = [FacetValue(_shown(field, each.value), each.crashes, each.installations) for each in values]
    values.sort(key=lambda each: (-each.crashes, str(each.value)))
    return Facet(name, tuple(values[:size]), missing)


def _grouped(field: SearchableField, column: Column | None) -> str:
    if field.name == DATE:
        return "date"
    if field.kind == "crash id":
        return "crash_id"
    if field.kind == "signature":
        return "nullif(signature, 0)"
    return "NULL" if column is None else column.name


def _group(opened: _Opened, value: str, condition: Condition, size: int) -> list[tuple[Any, int, int]]:
    """Return the most frequent values, and whatever is not a value, each with crashes and installations."""
    return opened.rows(
        f"SELECT {value}, count(*), count(DISTINCT installation) FROM crash {condition.where} GROUP BY 1 "
        f"ORDER BY {value} IS NULL OR {value} = {OWN} DESC, 2 DESC LIMIT {size}",
        condition.parameters,
    )


def _own_values(opened: _Opened, column: Column, condition: Condition, size: int) -> list[FacetValue]:
    """Return the most frequent texts that are no words."""
    where = condition.also(f"crash.{column.name} = {OWN}")
    rows = opened.rows(
        f"SELECT {_own_text(column)}, count(*), count(DISTINCT installation) FROM crash {where.where} "
        f"GROUP BY 1 ORDER BY 2 DESC LIMIT {size}",
        where.parameters,
    )
    return [FacetValue(*row) for row in rows]


def _named(opened: _Opened, field: SearchableField, values: list[FacetValue]) -> list[FacetValue]:
    """Return values with the texts in place of the numbers of words or signatures; equal ones are added up."""
    table = "signature" if field.kind == "signature" else "word"
    texts = _texts(opened, table, [each.value for each in values if isinstance(each.value, int)])
    crashes: Counter[str] = Counter()
    installations: Counter[str] = Counter()
    for each in values:
        text = texts.get(each.value, "") if isinstance(each.value, int) else str(each.value)
        crashes[text] += each.crashes
        installations[text] += each.installations or 0
    return [FacetValue(text, crashes[text], installations[text]) for text in crashes]


def _texts(opened: _Opened, table: str, numbers: list[int]) -> dict[int, str]:
    texts: dict[int, str] = {}
    for first in range(0, len(numbers), _BATCH):
        part = numbers[first : first + _BATCH]
        marks = ", ".join("?" * len(part))
        texts.update(
            (row[0], row[1]) for row in opened.rows(f"SELECT id, text FROM {table} WHERE id IN ({marks})", part)
        )
    return texts


def _facet_of_items(opened: _Opened, name: str, field: SearchableField, condition: Condition, size: int) -> Facet:
    """Count the items of lists, or the leaves of objects: each set of them that crashes have is split once."""
    column = opened.column(field)
    if column is None:
        return Facet(name, (), _count(opened, condition))
    stored = f"CASE WHEN {column.name} = {OWN} THEN {_own_text(column)} ELSE {column.name} END"
    rows = opened.rows(f"SELECT {stored}, count(*) FROM crash {condition.where} GROUP BY 1", condition.parameters)
    texts = _texts(opened, "word", [each for each, _ in rows if isinstance(each, int)])
    items = {each: str(texts.get(each, each)).strip(BETWEEN).split(BETWEEN) for each, _ in rows if each is not None}
    crashes: Counter[str] = Counter()
    for each, count in rows:
        for item in items.get(each, ()):
            crashes[item] += count
    most = sorted(crashes.items(), key=lambda item: (-item[1], item[0]))[:size]
    installations = _installations_of_items(
        opened, stored, condition, items, [item for item, _ in most[:MAXIMUM_ITEMS_WITH_INSTALLATIONS]]
    )
    values = (FacetValue(item.replace(NAMES, "="), count, installations.get(item)) for item, count in most)
    return Facet(name, tuple(values), dict(rows).get(None, 0))


def _installations_of_items(
    opened: _Opened, stored: str, condition: Condition, items: dict[Any, list[str]], wanted: Sequence[str]
) -> dict[str, int]:
    """Return the number of installations of each item. Takes a byte for each item of each installation."""
    places = {item: place for place, item in enumerate(wanted)}
    flags = [bytearray() for _ in wanted]
    of_sets = {each: [flags[places[item]] for item in listed if item in places] for each, listed in items.items()}
    numbers: dict[int, int] = {}
    for each, installation in opened.file.connection.execute(
        f"SELECT {stored}, installation FROM crash {condition.where}", condition.parameters
    ):
        if installation is None or each is None:
            continue
        number = numbers.setdefault(installation, len(numbers))
        for flag in of_sets[each]:
            if number >= len(flag):
                flag.extend(bytes(number + 1024 - len(flag)))
            flag[number] = 1
    return {item: flags[place].count(1) for item, place in places.items()}


def _day_counts(opened: _Opened, condition: Condition) -> dict[int, int]:
    rows = opened.rows(
        f"SELECT date / {MILLISECONDS_OF_DAY}, count(*) FROM crash {condition.where} GROUP BY 1", condition.parameters
    )
    return dict(rows)


def _splits(opened: _Opened, condition: Condition, field: SearchableField) -> dict[Any, dict[int, int]]:
    """Return the crashes of each day by the most frequent values of a field."""
    column = opened.column(field)
    if field.kind == "signature":
        value, is_word = "nullif(signature, 0)", True
    elif column is None or field.kind in ("items", "leaves", "crash id"):
        return {}
    else:
        value, is_word = column.name, column.has_words
        if column.has_words:
            value = f"CASE WHEN {column.name} = {OWN} THEN {_own_text(column)} ELSE {column.name} END"
    rows = opened.rows(
        f"SELECT {value}, date / {MILLISECONDS_OF_DAY}, count(*) FROM crash {condition.where} GROUP BY 1, 2",
        condition.parameters,
    )
    totals: Counter[Any] = Counter()
    for each, _, crashes in rows:
        totals[each] += crashes
    kept = {each for each, _ in totals.most_common(_MOST_SPLITS)}
    numbers = [each for each in kept if is_word and isinstance(each, int)]
    texts = _texts(opened, "signature" if field.kind == "signature" else "word", numbers)
    splits: dict[Any, dict[int, int]] = {}
    for each, day, crashes in rows:
        if each in kept:
            shown = texts.get(each, "") if is_word and isinstance(each, int) else each
            shown = None if shown is None else _shown(field, shown)
            splits.setdefault(shown, {})[day] = crashes
    return splits
