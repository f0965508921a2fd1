"""Count the newest crashes that a search finds, by the values of many fields, in one pass.

A facet for each field would read the crashes as often. The limit bounds time and memory, however many there are.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from socorro_processor.search.base import Facet, FacetValue
from socorro_processor.search.indexed_crash import BETWEEN, NAMES
from socorro_processor.search.searchable import DATE, SearchableField
from socorro_processor.search.signature_counts import NewestCrashes
from socorro_processor.search.sqlite.conditions import Condition
from socorro_processor.search.sqlite.schema import OWN
from socorro_processor.search.sqlite.snapshot import Snapshot, shown_value, sql_of_own_text, texts_of

_BATCH = 2000
"""Crashes in memory at a time; beyond these, memory has only values that differ."""


def count_newest(
    snapshot: Snapshot,
    names: Sequence[str],
    fields: Sequence[SearchableField],
    tests: Sequence[Condition],
    condition: Condition,
    limit: int,
    size: int,
    *,
    with_installations: bool = False,
) -> NewestCrashes:
    """Count the crashes of ``condition``, and those of them that fulfil each of the ``tests``."""
    expressions = [
        "installation",
        *(_stored(snapshot, field) for field in fields),
        *(f"({test.sql or 'TRUE'}) IS TRUE" for test in tests),
    ]
    parameters = [parameter for each in (*tests, condition) for parameter in each.parameters]
    rows = snapshot.connection.execute(
        condition.select(", ".join(expressions), f"ORDER BY date DESC LIMIT {limit}"), parameters
    )
    counters: list[Counter[Any]] = [Counter() for _ in expressions]
    columns = [_Column() for _ in range(1 + len(fields))] if with_installations else []
    crashes = 0
    while batch := rows.fetchmany(_BATCH):
        crashes += len(batch)
        by_expression = list(zip(*batch, strict=True))
        for counter, values in zip(counters, by_expression, strict=True):
            counter.update(values)
        for column, values in zip(columns, by_expression, strict=False):
            column.add(values)
    installations, *others = counters
    unknown = installations.pop(None, 0)
    return NewestCrashes(
        crashes,
        tuple(
            _facet(snapshot, name, field, others[place], size, (columns[0], columns[1 + place]) if columns else None)
            for place, (name, field) in enumerate(zip(names, fields, strict=True))
        ),
        tuple(counter[1] for counter in others[len(fields) :]),
        len(installations),
        crashes - unknown,
        max(installations.values(), default=0),
    )


def _stored(snapshot: Snapshot, field: SearchableField) -> str:
    """Return the SQL of a value: the number of a word or a signature, or the value itself."""
    if field.name == DATE:
        return "date"
    if field.kind == "crash id":
        return "crash_id"
    if field.kind == "signature":
        return "nullif(signature, 0)"
    column = snapshot.column(field)
    if column is None:
        return "NULL"
    if not column.has_words:
        return column.name
    return f"CASE WHEN {column.name} = {OWN} THEN {sql_of_own_text(column)} ELSE {column.name} END"


def _facet(
    snapshot: Snapshot,
    name: str,
    field: SearchableField,
    counter: Counter[Any],
    size: int,
    columns: tuple[_Column, _Column] | None,
) -> Facet:
    """Return the facet; ``columns`` has the installations and the values of the field, if both are to be counted."""
    missing = counter.pop(None, 0)
    shown = _shown(snapshot, field, counter)
    counts: Counter[Any] = Counter()
    for stored, crashes in counter.items():
        for value in shown[stored]:
            counts[value] += crashes
    most = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))[:size]
    installations: dict[Any, set[int]] = {value: set() for value, _ in most}
    if columns:
        for installation, stored in zip(*map(_Column.values, columns), strict=True):
            if installation is not None:
                for value in shown.get(stored, ()):
                    if value in installations:
                        installations[value].add(installation)
    values = (FacetValue(value, crashes, len(installations[value]) if columns else None) for value, crashes in most)
    return Facet(name, tuple(values), missing)


def _shown(snapshot: Snapshot, field: SearchableField, stored: Iterable[Any]) -> dict[Any, tuple[Any, ...]]:
    """Return each stored value as people see it: the items of a list, or the value alone."""
    texts = {each: each for each in stored}
    if field.kind in ("text", "items", "leaves", "signature"):
        # A text may be a word of some crashes, and of others their own.
        table = "signature" if field.kind == "signature" else "word"
        words = texts_of(snapshot, table, [each for each in texts if isinstance(each, int)])
        texts = {each: words.get(each, "") if isinstance(each, int) else each for each in texts}
    if field.kind in ("items", "leaves"):
        return {
            each: tuple(item.replace(NAMES, "=") for item in text.strip(BETWEEN).split(BETWEEN))
            for each, text in texts.items()
        }
    return {each: (shown_value(field, text),) for each, text in texts.items()}


class _Column:
    """One value of each crash, in their order; equal values are kept once."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._crashes = array("I")

    def add(self, values: Iterable[Any]) -> None:
        numbers = self._numbers
        self._crashes.extend(numbers.setdefault(each, len(numbers)) for each in values)

    def values(self) -> Iterable[Any]:
        return map(list(self._numbers).__getitem__, self._crashes)
