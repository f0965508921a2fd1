"""Filters as SQL conditions on the table ``crash``, or on a roll-up.

No text of a filter, and no name from a crash, becomes part of a statement: columns are those of the file, and values
are parameters.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from socorro_processor.crashstorage.indexed_crash import (
    BETWEEN,
    LONGEST_SIGNATURE,
    MILLISECONDS_OF_DAY,
    NAMES,
    cut_keyword,
    longest_of,
)
from socorro_processor.errors import QueryError
from socorro_processor.fields.searchable import DATE, DIMENSIONS, SearchableField
from socorro_processor.search.filters import Filter
from socorro_processor.search.searchable import FieldLookup, Moments, value_of_filter
from socorro_processor.search.sqlite.roll_ups import RollUp, narrowest
from socorro_processor.search.sqlite.schema import NO_SIGNATURE, OWN, Column
from socorro_processor.search.sqlite.writing import hash_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RANGES = {"at least": ">=", "more than": ">", "at most": "<=", "less than": "<"}
_FEW = 10_000
"""Crashes found by their own texts that are kept as a list."""
_HEXADECIMAL = frozenset("0123456789abcdef")


class Condition:
    """An SQL condition with its parameters."""

    def __init__(self, sql: str = "", parameters: Sequence[Any] = ()) -> None:
        self.sql = sql
        self.parameters = list(parameters)

    def select(self, expressions: str, rest: str = "", source: str = "crash") -> str:
        """Return the query for the rows that fulfil it; all parts are texts of this program."""
        where = f"WHERE {self.sql}" if self.sql else ""
        return f"SELECT {expressions} FROM {source} {where} {rest}"  # nosec B608

    def also(self, sql: str, *parameters: Any) -> Condition:
        """Return this condition with another that must be true, too."""
        return Condition(f"{self.sql} AND {sql}" if self.sql else sql, [*self.parameters, *parameters])


class RolledUp(NamedTuple):
    """A condition on those roll-ups that have its fields."""

    condition: Condition
    fields: frozenset[str]
    is_of_one_signature: bool
    roll_ups: Sequence[RollUp]

    def narrowest(self, *fields: str) -> RollUp:
        """Return the roll-up that has these fields, too, and the fewest rows."""
        return narrowest(self.roll_ups, self.fields.union(fields), of_one_signature=self.is_of_one_signature)


class Conditions:
    """Makes conditions for one open file."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        columns: Mapping[str, Column],
        roll_ups: Sequence[RollUp],
        lookup: FieldLookup,
    ) -> None:
        self._connection = connection
        self._columns = columns
        self._roll_ups = roll_ups
        self._lookup = lookup
        self._few: dict[tuple[Any, ...], str | None] = {}
        """The numbers of crashes by the query that found them, as JSON; None if they are not few."""
        self._salt: bytes = connection.execute("SELECT value FROM meta WHERE name = 'salt'").fetchone()[0]

    def of_crashes(self, filters: Sequence[Filter], *, protected: bool) -> Condition:
        """Return the condition on ``crash``. Raises QueryError."""
        return self._all(filters, protected, in_roll_up=False)

    def of_roll_ups(self, filters: Sequence[Filter], *, protected: bool) -> RolledUp | None:
        """Return the condition on roll-ups; None if none has all the fields. Raises QueryError."""
        named = [(each, self._lookup.of_filter(each, protected=protected)[0]) for each in filters]
        if any(field.kind != "signature" and field.name not in DIMENSIONS for _, field in named):
            return None
        return RolledUp(
            self._all(filters, protected, in_roll_up=True),
            frozenset(field.name for _, field in named),
            any(field.kind == "signature" and each.is_equality and len(each.values) == 1 for each, field in named),
            self._roll_ups,
        )

    def of_records(self, filters: Sequence[Filter]) -> Condition:
        """Return the condition on ``seen``: of the filters, those that name products."""
        longest = longest_of(self._lookup.of_name("product", protected=False))
        condition = Condition()
        for each in filters:
            if each.field == "product" and each.operator == "is" and not each.negated:
                texts = [cut_keyword(value, longest) for value in each.values]
                condition = condition.also(f"product IN ({', '.join('?' * len(texts))})", *texts)
        return condition

    def _all(self, filters: Sequence[Filter], protected: bool, *, in_roll_up: bool) -> Condition:
        condition = Condition()
        dates = None if in_roll_up else self._dates(filters)
        named = [(each, *self._lookup.of_filter(each, protected=protected)) for each in filters]
        # SQLite tests the first one first; these columns stand at the beginning of a row, and are read sooner.
        named.sort(key=lambda each: each[1].name not in DIMENSIONS)
        for each, field, leaf in named:
            alternatives = [self._one(each, field, leaf, value, dates) for value in each.values or ("",)]
            sql = " OR ".join(alternative.sql for alternative in alternatives)
            parameters = [parameter for alternative in alternatives for parameter in alternative.parameters]
            condition = condition.also(f"({sql}) IS NOT TRUE" if each.negated else f"({sql})", *parameters)
        return condition

    def _dates(self, filters: Sequence[Filter]) -> Condition:
        """Return the condition of those filters that are ranges of dates, or days."""
        condition = Condition()
        for each in filters:
            if each.field == DATE and len(each.values) == 1 and not each.negated:
                field = self._lookup.of_filter(each, protected=False)[0]
                one = _of_number("date", each.operator, value_of_filter(field, each.values[0]))
                condition = condition.also(one.sql, *one.parameters)
        return condition

    def _one(self, each: Filter, field: SearchableField, leaf: str, value: str, dates: Condition | None) -> Condition:
        """``dates`` is None in the roll-up; else it is true for all crashes that the other filters are asked about."""
        in_roll_up = dates is None
        is_read = each.operator != "exists" and field.kind != "crash id"
        read = value_of_filter(field, value) if is_read else value
        if field.kind == "crash id":
            return _of_crash_id(each, value)
        if field.kind == "signature":
            return self._of_signature(each, read)
        if field.name == DATE:
            return Condition("TRUE") if each.operator == "exists" else _of_number("date", each.operator, read)
        column = self._columns.get(field.name)
        if column is None:
            # No crash had the field while it was in the table of fields.
            return Condition("FALSE")
        if each.operator == "exists":
            if field.kind == "leaves":
                return self._of_text(column, *_leaf_exists(leaf), dates)
            return Condition(f"{column.name} <> ''" if in_roll_up else f"{column.name} IS NOT NULL")
        if not column.has_words:
            return _of_number(column.name, each.operator, read)
        text = cut_keyword(read, longest_of(field))
        if not text:
            raise QueryError(
                f"cannot search by {field.name} for an empty text: search for crashes without it by {field.name}!?"
            )
        if field.kind == "text" and each.operator == "is":
            return self._is_text(column, text, dates)
        return self._of_text(column, *_text_test(field, leaf, each.operator, text), dates)

    def _of_signature(self, each: Filter, text: str) -> Condition:
        if each.operator == "exists":
            return Condition(f"signature <> {NO_SIGNATURE}")
        if each.operator == "is":
            named = self.of_signature(text)
            return Condition(f"signature = ({named.select('id', source='signature')})", named.parameters)
        text = cut_keyword(text, LONGEST_SIGNATURE)
        pattern = _pattern(text, "begins" if each.operator == "begins" else "contains")
        return Condition("signature IN (SELECT id FROM signature WHERE text LIKE ? ESCAPE '\\')", (pattern,))

    def of_signature(self, text: str) -> Condition:
        """Return the condition on the table ``signature`` that it is this one."""
        text = cut_keyword(text, LONGEST_SIGNATURE)
        return Condition("hash = ? AND text = ?", (hash_of(text, self._salt), text))

    def _is_text(self, column: Column, text: str, dates: Condition | None) -> Condition:
        found = self._connection.execute(
            "SELECT id FROM word WHERE field = ? AND hash = ? AND text = ?",
            (column.number, hash_of(text, self._salt), text),
        ).fetchone()
        word = Condition(f"{column.name} = ?", found) if found else Condition("FALSE")
        own = self._own(column, "{} = ?", [text], dates)
        return Condition(f"({word.sql} OR {own.sql})", [*word.parameters, *own.parameters])

    def _of_text(self, column: Column, test: str, parameters: list[Any], dates: Condition | None) -> Condition:
        """Return the condition that ``test``, with ``{}`` for the text, is true."""
        own = self._own(column, test, parameters, dates)
        if column.is_own:
            return own
        words = f"{column.name} IN (SELECT id FROM word WHERE field = {column.number} AND {test.format('text')})"  # nosec B608
        return Condition(f"({words} OR {own.sql})", [*parameters, *own.parameters])

    def _own(self, column: Column, test: str, parameters: list[Any], dates: Condition | None) -> Condition:
        """Return the condition for the texts that are no words."""
        name = column.name
        short = f"(typeof({name}) = 'text' AND {test.format(name)})"
        if dates is None:
            return Condition(f"({short} AND {name} <> '')", parameters)
        own = Condition(test.format(f"own.{name}"), parameters)
        if dates.sql and not self._are_all(dates):
            # Numbers grow nearly as dates do: a search of some days does not read the texts of all others. SQLite looks
            # for these two only where a crash has a text of its own.
            first, last = (dates.select(f"{end}(n)", source="crash INDEXED BY crash_date") for end in ("min", "max"))
            own = own.also(f"own.n BETWEEN ({first}) AND ({last})", *dates.parameters, *dates.parameters)
        inner = own.select("own.n", source="own")
        whole = Condition(f"({short} OR ({name} = {OWN} AND n IN ({inner})))", [*parameters, *own.parameters])
        return self._listed(whole, dates) if column.is_own else whole

    def _are_all(self, dates: Condition) -> bool:
        """Return True if all crashes have these dates."""
        for end in ("min", "max"):
            sql = f"SELECT {dates.sql} FROM (SELECT {end}(date) AS date FROM crash)"  # nosec B608
            if self._connection.execute(sql, dates.parameters).fetchone() != (1,):
                return False
        return True

    def _listed(self, whole: Condition, dates: Condition) -> Condition:
        """Return the condition as a list of crashes if they are few: then all texts are read once for all calls."""
        condition = whole.also(dates.sql, *dates.parameters) if dates.sql else whole
        sql = condition.select("n", f"LIMIT {_FEW + 1}")
        asked = (sql, *condition.parameters)
        if asked not in self._few:
            numbers = [n for (n,) in self._connection.execute(sql, condition.parameters)]
            self._few[asked] = json.dumps(numbers) if len(numbers) <= _FEW else None
        few = self._few[asked]
        return whole if few is None else Condition("n IN (SELECT value FROM json_each(?))", (few,))


def day_range(first_day: date, last_day: date) -> tuple[int, int]:
    """Return the milliseconds at which these days begin and end."""
    first = (first_day - _EPOCH.date()).days
    return first * MILLISECONDS_OF_DAY, ((last_day - _EPOCH.date()).days + 1) * MILLISECONDS_OF_DAY


def day_number(day: date) -> int:
    return (day - _EPOCH.date()).days


def moment_of(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=milliseconds)


def milliseconds_of(moment: datetime) -> int:
    since = moment - _EPOCH
    return since.days * MILLISECONDS_OF_DAY + since.seconds * 1000 + since.microseconds // 1000


def _of_number(name: str, operator: str, value: Any) -> Condition:
    """Return the condition on a number, a boolean or a date."""
    if isinstance(value, Moments):
        first, end = milliseconds_of(value.first), milliseconds_of(value.end)
        # A day is all of its moments: after it means after its last one.
        return {
            "is": Condition(f"({name} >= ? AND {name} < ?)", (first, end)),
            "at least": Condition(f"{name} >= ?", (first,)),
            "more than": Condition(f"{name} >= ?", (end,)),
            "at most": Condition(f"{name} < ?", (end,)),
            "less than": Condition(f"{name} < ?", (first,)),
        }[operator]
    return Condition(f"{name} {_RANGES.get(operator, '=')} ?", (int(value) if isinstance(value, bool) else value,))


def _of_crash_id(each: Filter, text: str) -> Condition:
    if each.operator == "exists":
        return Condition("TRUE")
    digits = text.strip().lower().replace("-", "")
    if not digits or not _HEXADECIMAL.issuperset(digits) or len(digits) > 32:
        return Condition("FALSE")
    if each.operator == "is":
        return Condition("crash_id = ?", (bytes.fromhex(digits),)) if len(digits) == 32 else Condition("FALSE")
    first, last = digits.ljust(32, "0"), digits.ljust(32, "f")
    return Condition("(crash_id >= ? AND crash_id <= ?)", (bytes.fromhex(first), bytes.fromhex(last)))


def _text_test(field: SearchableField, leaf: str, operator: str, text: str) -> tuple[str, list[Any]]:
    if field.kind == "items":
        if operator == "is":
            return "instr({}, ?) > 0", [f"{BETWEEN}{text}{BETWEEN}"]
        return "{} LIKE ? ESCAPE '\\'", [f"%{_escaped(BETWEEN + text if operator == 'begins' else text)}%"]
    if field.kind == "leaves":
        named = f"{BETWEEN}{cut_keyword(leaf, 2000)}{NAMES}{text}"
        if operator == "is":
            return "instr({}, ?) > 0", [f"{named}{BETWEEN}"]
        return "{} LIKE ? ESCAPE '\\'", [f"%{_escaped(named)}%"]
    return "{} LIKE ? ESCAPE '\\'", [_pattern(text, operator)]


def _leaf_exists(leaf: str) -> tuple[str, list[Any]]:
    return "instr({}, ?) > 0", [f"{BETWEEN}{cut_keyword(leaf, 2000)}{NAMES}"]


def _pattern(text: str, operator: str) -> str:
    return f"{_escaped(text)}%" if operator == "begins" else f"%{_escaped(text)}%"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
