"""Count the crashes by the values of a field, and by days."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from socorro_processor.crashstorage.indexed_crash import BETWEEN, MILLISECONDS_OF_DAY, NAMES
from socorro_processor.fields.searchable import SearchableField
from socorro_processor.search.results import Facet, FacetValue
from socorro_processor.search.sqlite.conditions import Condition
from socorro_processor.search.sqlite.roll_ups import RollUp
from socorro_processor.search.sqlite.schema import OWN, Column
from socorro_processor.search.sqlite.snapshot import (
    Snapshot,
    count_crashes,
    shown_value,
    sql_of_own_text,
    sql_of_stored,
    texts_of,
)

MAXIMUM_ITEMS_WITH_INSTALLATIONS = 100
"""Items of lists in a facet whose installations are counted."""
_MOST_SPLITS = 20
"""Values by which a histogram is split."""


def count_values(snapshot: Snapshot, name: str, field: SearchableField, condition: Condition, size: int) -> Facet:
    if field.kind in ("items", "leaves"):
        return _facet_of_items(snapshot, name, field, condition, size)
    values: list[FacetValue] = []
    missing = 0
    column = snapshot.column(field)
    for value, crashes, installations in _group(snapshot, _grouped(field, column), condition, size + 2):
        if value is None:
            missing = crashes
        elif column is not None and column.has_words and value == OWN:
            values += _own_values(snapshot, column, condition, size)
        else:
            values.append(FacetValue(value, crashes, installations))
    if (column is not None and column.has_words) or field.kind == "signature":
        values = _named(snapshot, field, values)
    values = [FacetValue(shown_value(field, each.value), each.crashes, each.installations) for each in values]
    values.sort(key=lambda each: (-each.crashes, str(each.value)))
    return Facet(name, tuple(values[:size]), missing)


def _grouped(field: SearchableField, column: Column | None) -> str:
    return column.name if column is not None and column.has_words else sql_of_stored(field, column)


def _group(snapshot: Snapshot, value: str, condition: Condition, size: int) -> list[tuple[Any, int, int]]:
    """Return the most frequent values, and whatever is not a value, each with crashes and installations."""
    rest = f"GROUP BY 1 ORDER BY {value} IS NULL OR {value} = {OWN} DESC, 2 DESC LIMIT {size}"
    return snapshot.select(f"{value}, count(*), count(DISTINCT installation)", condition, rest)


def _own_values(snapshot: Snapshot, column: Column, condition: Condition, size: int) -> list[FacetValue]:
    """Return the most frequent texts that are no words."""
    where = condition.also(f"crash.{column.name} = {OWN}")
    expressions = f"{sql_of_own_text(column)}, count(*), count(DISTINCT installation)"
    rows = snapshot.select(expressions, where, f"GROUP BY 1 ORDER BY 2 DESC LIMIT {size}")
    return [FacetValue(*row) for row in rows]


def _named(snapshot: Snapshot, field: SearchableField, values: list[FacetValue]) -> list[FacetValue]:
    """Return values with the texts in place of the numbers of words or signatures; equal ones are added up."""
    table = "signature" if field.kind == "signature" else "word"
    texts = texts_of(snapshot, table, [each.value for each in values if isinstance(each.value, int)])
    crashes: Counter[str] = Counter()
    installations: Counter[str] = Counter()
    for each in values:
        text = texts.get(each.value, "") if isinstance(each.value, int) else str(each.value)
        crashes[text] += each.crashes
        installations[text] += each.installations or 0
    return [FacetValue(text, crashes[text], installations[text]) for text in crashes]


def _facet_of_items(snapshot: Snapshot, name: str, field: SearchableField, condition: Condition, size: int) -> Facet:
    """Count the items of lists, or the leaves of objects: each list that crashes have is split once."""
    column = snapshot.column(field)
    if column is None:
        return Facet(name, (), count_crashes(snapshot, condition))
    counted = _count_sets(snapshot, sql_of_stored(field, column), condition)
    texts = texts_of(snapshot, "word", [each for each in counted.crashes if isinstance(each, int)])
    crashes: Counter[str] = Counter()
    sets: dict[str, list[Any]] = {}
    for each, count in counted.crashes.items():
        for item in str(texts.get(each, each)).strip(BETWEEN).split(BETWEEN):
            crashes[item] += count
            sets.setdefault(item, []).append(each)
    values = []
    for place, (item, count) in enumerate(sorted(crashes.items(), key=lambda item: (-item[1], item[0]))[:size]):
        known = counted.installations_of(sets[item]) if place < MAXIMUM_ITEMS_WITH_INSTALLATIONS else None
        values.append(FacetValue(item.replace(NAMES, "="), count, known))
    return Facet(name, tuple(values), counted.missing)


class _Sets(NamedTuple):
    """The stored lists that crashes have: the crashes of each, and their known installations, 8 bytes a crash."""

    crashes: Counter[Any]
    installations: dict[Any, array[int]]
    missing: int
    """The crashes without a list."""

    def installations_of(self, sets: Iterable[Any]) -> int:
        """Return the number of different installations of these lists."""
        return len(set[int]().union(*(self.installations[each] for each in sets)))


def _count_sets(snapshot: Snapshot, stored: str, condition: Condition) -> _Sets:
    crashes: Counter[Any] = Counter()
    installations: defaultdict[Any, array[int]] = defaultdict(lambda: array("q"))
    missing = 0
    for batch in snapshot.batches(condition.select(f"{stored}, installation"), condition.parameters):
        for each, installation in batch:
            if each is None:
                missing += 1
            else:
                crashes[each] += 1
                if installation is not None:
                    installations[each].append(installation)
    return _Sets(crashes, installations, missing)


def day_counts(
    snapshot: Snapshot, condition: Condition, field: SearchableField | None = None, roll_up: RollUp | None = None
) -> tuple[dict[int, int], dict[Any, dict[int, int]]]:
    """Return the crashes of each day; and those by the most frequent values of a field, each by day.

    With a ``roll_up``, which has the field, the condition is one on that.
    """
    day, crashes_of_day, source = (
        ("day", "sum(crashes)", roll_up.name) if roll_up else (f"date / {MILLISECONDS_OF_DAY}", "count(*)", "crash")
    )
    column = None if field is None else snapshot.column(field)
    is_signature = field is not None and field.kind == "signature"
    if field is None or (column is None and not is_signature) or field.kind in ("items", "leaves", "crash id"):
        sql = condition.select(f"{day}, {crashes_of_day}", "GROUP BY 1", source)
        return dict(snapshot.rows(sql, condition.parameters)), {}
    value, is_word = sql_of_stored(field, column), column is None or column.has_words
    if roll_up and column is not None:
        value = f"nullif({column.name}, '')"
    # One pass: the values together have all crashes.
    sql = condition.select(f"{value}, {day}, {crashes_of_day}", "GROUP BY 1, 2", source)
    rows = snapshot.rows(sql, condition.parameters)
    counts: Counter[int] = Counter()
    totals: Counter[Any] = Counter()
    for each, day, crashes in rows:
        counts[day] += crashes
        totals[each] += crashes
    kept = {each for each, _ in totals.most_common(_MOST_SPLITS)}
    numbers = [each for each in kept if is_word and isinstance(each, int)]
    texts = texts_of(snapshot, "signature" if field.kind == "signature" else "word", numbers)
    splits: dict[Any, dict[int, int]] = {}
    for each, day, crashes in rows:
        if each in kept:
            shown = texts.get(each, "") if is_word and isinstance(each, int) else each
            shown = None if shown is None else shown_value(field, shown)
            splits.setdefault(shown, {})[day] = crashes
    return counts, splits
