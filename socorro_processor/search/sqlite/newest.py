"""Count the newest crashes that a search finds, by the values of many fields, in one pass.

A facet for each field would read the crashes as often. The limit bounds time and memory, however many there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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
    crashes = 0
    while batch := rows.fetchmany(_BATCH):
        crashes += len(batch)
        for counter, values in zip(counters, zip(*batch, strict=True), strict=True):
            counter.update(values)
    installations, *others = counters
    unknown = installations.pop(None, 0)
    return NewestCrashes(
        crashes,
        tuple(
            _facet(snapshot, name, field, counter, size)
            for name, field, counter in zip(names, fields, others, strict=False)
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


def _facet(snapshot: Snapshot, name: str, field: SearchableField, counter: Counter[Any], size: int) -> Facet:
    missing = counter.pop(None, 0)
    if field.kind in ("text", "items", "leaves", "signature"):
        table = "signature" if field.kind == "signature" else "word"
        texts = texts_of(snapshot, table, [each for each in counter if isinstance(each, int)])
        named: Counter[Any] = Counter()
        for each, crashes in counter.items():
            # A text may be a word of some crashes, and of others their own.
            named[texts.get(each, "") if isinstance(each, int) else each] += crashes
        counter = named
    if field.kind in ("items", "leaves"):
        items: Counter[Any] = Counter()
        for each, crashes in counter.items():
            for item in each.strip(BETWEEN).split(BETWEEN):
                items[item.replace(NAMES, "=")] += crashes
        counter = items
    else:
        counter = Counter({shown_value(field, each): crashes for each, crashes in counter.items()})
    most = sorted(counter.items(), key=lambda item: (-item[1], str(item[0])))[:size]
    return Facet(name, tuple(FacetValue(value, crashes, None) for value, crashes in most), missing)
