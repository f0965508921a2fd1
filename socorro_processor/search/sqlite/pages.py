"""A page of crashes, in the order of a field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from socorro_processor.fields.searchable import SearchableField
from socorro_processor.search.base import Sort
from socorro_processor.search.results import FoundCrash
from socorro_processor.search.sqlite.conditions import Condition
from socorro_processor.search.sqlite.snapshot import Snapshot, shown_value, sql_of_value
from socorro_processor.search.sqlite.writing import crash_id_text


def sorted_rows(
    snapshot: Snapshot,
    condition: Condition,
    by: SearchableField,
    sort: Sort,
    position: list[Any] | None,
    limit: int,
) -> list[tuple[Any, ...]]:
    """Return ``n`` and the value sorted by of the crashes after a position."""
    value, is_never_null = sql_of_value(snapshot, by)
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
    rest = f"ORDER BY 2 {order} {nulls}, n {order} LIMIT {limit}"
    return snapshot.select(f"n, {value}", condition, rest)


def found_crashes(
    snapshot: Snapshot, numbers: list[int], names: Sequence[str], fields: Sequence[SearchableField]
) -> list[FoundCrash]:
    """Return the crashes with these numbers; nothing is left to be read when the snapshot has ended."""
    expressions = ["crash_id", *(sql_of_value(snapshot, field)[0] for field in fields)]
    sql = Condition("n = ?").select(", ".join(expressions))
    crashes = []
    for n in numbers:
        ((crash_id, *values),) = snapshot.rows(sql, (n,))
        shown = {
            name: shown_value(field, value)
            for name, field, value in zip(names, fields, values, strict=True)
            if value is not None
        }
        crashes.append(FoundCrash(crash_id_text(crash_id), shown))
    return crashes
