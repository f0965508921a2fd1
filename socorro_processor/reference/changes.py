"""Compare new tables of reference data with the present ones, and check that a provider can keep them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from socorro_processor.reference.tables import PRIMARY_KEYS, TABLE_COLUMNS, Row, Tables, refuse_mistakes

_LONGEST_TEXT = 255
_LARGEST = {"build_id": 2**63 - 1}
_LARGEST_INTEGER = 2**31 - 1

Values = tuple[Any, ...]
"""The values of a row, in the order of the table's columns."""


@dataclass(frozen=True)
class TableChanges:
    table: str
    before: int
    """The number of rows before the changes."""
    added: list[Values]
    changed: list[Values]
    """The changed rows with their new values."""
    removed: list[Values]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def __len__(self) -> int:
        return len(self.added) + len(self.changed) + len(self.removed)

    @property
    def written(self) -> list[Values]:
        return self.added + self.changed

    def __str__(self) -> str:
        counts = {"added": self.added, "changed": self.changed, "removed": self.removed}
        words = [f"{len(rows)} {word}" for word, rows in counts.items() if rows]
        return f"{self.table}: {', '.join(words) or 'nothing changes'} ({self.before} rows before)"


Approve = Callable[[list[TableChanges]], None]
"""A function that receives the changes before they are made; if it raises an error, nothing is changed."""


def compare_tables(before: Tables, after: Tables) -> list[TableChanges]:
    """Return the changes of each table."""
    return [_changes(table, before[table], after[table]) for table in TABLE_COLUMNS]


def row_values(table: str, row: Row) -> Values:
    return tuple(row[column] for column in TABLE_COLUMNS[table])


def row_key(table: str, row: Values) -> Values:
    return tuple(
        value for column, value in zip(TABLE_COLUMNS[table], row, strict=True) if column in PRIMARY_KEYS[table]
    )


def check_rows(tables: Tables, name: str) -> None:
    """Raise ConfigurationError if a provider could not keep one of the rows, whose types have been checked."""
    refuse_mistakes(name, [mistake for table in TABLE_COLUMNS for mistake in _mistakes(table, tables[table])])


def _changes(table: str, before: Iterable[Row], after: Iterable[Row]) -> TableChanges:
    old = {row_key(table, row): row for row in (row_values(table, row) for row in before)}
    new = {row_key(table, row): row for row in (row_values(table, row) for row in after)}
    return TableChanges(
        table,
        len(old),
        added=[row for name, row in new.items() if name not in old],
        changed=[row for name, row in new.items() if name in old and old[name] != row],
        removed=[row for name, row in old.items() if name not in new],
    )


def _mistakes(table: str, rows: Iterable[Row]) -> Iterator[str]:
    seen: dict[Values, int] = {}
    for number, row in enumerate(rows, start=1):
        for column, kind in TABLE_COLUMNS[table].items():
            value = row[column]
            if kind is str and not (value and len(value) <= _LONGEST_TEXT and value.isprintable()):
                yield f"{table}, row {number}: {column} is empty, over {_LONGEST_TEXT} characters or not printable"
            if kind is int and not 0 <= value <= _LARGEST.get(column, _LARGEST_INTEGER):
                yield f"{table}, row {number}: {column} is below 0 or too large"
        first = seen.setdefault(row_key(table, row_values(table, row)), number)
        if first != number:
            yield f"{table}, row {number} has the same {' and '.join(PRIMARY_KEYS[table])} as row {first}"
