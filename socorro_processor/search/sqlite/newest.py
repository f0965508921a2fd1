"""Count the newest crashes that a search finds, by the values of many fields, in one pass.

A facet for each field would read the crashes as often. The limit bounds time and memory, however many there are.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import count, islice
from typing import Any

from socorro_processor.crashstorage.indexed_crash import BETWEEN, NAMES
from socorro_processor.fields.searchable import SearchableField
from socorro_processor.search.results import Facet, FacetValue, NewestCrashes
from socorro_processor.search.sqlite.conditions import Condition
from socorro_processor.search.sqlite.snapshot import Snapshot, shown_value, sql_of_stored, texts_of

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
        *(sql_of_stored(field, snapshot.column(field)) for field in fields),
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
    most = list(islice(_by_frequency(counts), size))
    installations: Mapping[Any, int | None] = {}
    if columns:
        installations = _installations([value for value, _ in most], shown, *columns)
    return Facet(name, tuple(FacetValue(value, crashes, installations.get(value)) for value, crashes in most), missing)


def _by_frequency(counts: Counter[Any]) -> Iterator[tuple[Any, int]]:
    """Yield the values with their crashes, the most frequent first, equally frequent ones in the order of their texts.

    Of thousands that one crash each has, only texts are compared.
    """
    values: defaultdict[int, list[Any]] = defaultdict(list)
    for value, crashes in counts.items():
        values[crashes].append(value)
    for crashes in sorted(values, reverse=True):
        for value in sorted(values[crashes], key=str):
            yield value, crashes


def _installations(
    wanted: Sequence[Any], shown: Mapping[Any, tuple[Any, ...]], installations: _Column, stored: _Column
) -> dict[Any, int]:
    """Return the number of known installations of each of the values."""
    found: dict[Any, set[int]] = {value: set() for value in wanted}
    # This is done once a value, because the loop below takes most of the time of all.
    of_number = [[found[value] for value in shown.get(each, ()) if value in found] for each in stored.values]
    for number, installation in zip(stored.numbers, installations.numbers, strict=True):
        for each in of_number[number]:
            each.add(installation)
    unknown = {number for number, each in enumerate(installations.values) if each is None}
    return {value: len(numbers - unknown) for value, numbers in found.items()}


def _shown(snapshot: Snapshot, field: SearchableField, stored: Collection[Any]) -> dict[Any, tuple[Any, ...]]:
    """Return each stored value as people see it: the items of a list, or the value alone."""
    texts: dict[Any, Any] = dict(zip(stored, stored, strict=True))
    if field.kind in ("text", "items", "leaves", "signature"):
        # A text may be a word of some crashes, and of others their own.
        table = "signature" if field.kind == "signature" else "word"
        numbers = [each for each in texts if isinstance(each, int)]
        texts |= dict.fromkeys(numbers, "") | texts_of(snapshot, table, numbers)
    if field.kind in ("items", "leaves"):
        return {
            each: tuple(item.replace(NAMES, "=") for item in text.strip(BETWEEN).split(BETWEEN))
            for each, text in texts.items()
        }
    if field.kind in ("text", "signature"):
        return dict(zip(texts, zip(texts.values(), strict=True), strict=True))
    return {each: (shown_value(field, text),) for each, text in texts.items()}


class _Column:
    """One value of each crash, in their order, as the number of a value: equal values are kept once."""

    def __init__(self) -> None:
        self.values: defaultdict[Any, int] = defaultdict(count().__next__)
        """The values with their numbers, in the order of these."""
        self.numbers = array("I")

    def add(self, values: Iterable[Any]) -> None:
        self.numbers.extend(map(self.values.__getitem__, values))
