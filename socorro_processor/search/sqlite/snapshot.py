"""A snapshot of the index's file, and how values are read from it: the texts of numbers, the types of fields."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from socorro_processor.crashstorage.indexed_crash import BETWEEN, NAMES
from socorro_processor.fields.searchable import DATE, SearchableField
from socorro_processor.search.sqlite.conditions import Condition, Conditions, moment_of
from socorro_processor.search.sqlite.schema import OWN, Column
from socorro_processor.search.sqlite.writing import crash_id_text

_PARAMETERS = 1000
"""Parameters of a statement."""
_BATCH = 2000
"""Rows that are read at once."""


class Snapshot(NamedTuple):
    """A file that is being read, in one snapshot."""

    connection: sqlite3.Connection
    columns: Mapping[str, Column]
    conditions: Conditions
    known: dict[Any, Any]
    """Results that later calls may ask for again."""

    def batches(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a query, some at a time: fewer calls than one by one, and not all in memory."""
        rows = self.connection.execute(sql, parameters)
        while batch := rows.fetchmany(_BATCH):
            yield batch

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, parameters).fetchall()

    def select(self, expressions: str, condition: Condition, rest: str = "") -> list[tuple[Any, ...]]:
        """Return these expressions of the crashes that fulfil a condition."""
        return self.rows(condition.select(expressions, rest), condition.parameters)

    def column(self, field: SearchableField) -> Column | None:
        return self.columns.get(field.name)


def count_crashes(snapshot: Snapshot, condition: Condition) -> int:
    return int(snapshot.select("count(*)", condition)[0][0])


def sql_of_value(snapshot: Snapshot, by: SearchableField) -> tuple[str, bool]:
    """Return the SQL of the value that is sorted by, and True if it is never null."""
    if by.name == DATE:
        return "date", True
    if by.kind == "crash id":
        return "hex(crash_id)", True
    if by.kind == "signature":
        return "(SELECT text FROM signature WHERE id = crash.signature)", False
    column = snapshot.column(by)
    if column is None:
        return "NULL", False
    return (sql_of_text(column) if column.has_words else column.name), False


def sql_of_text(column: Column) -> str:
    """Return the SQL of the text of a crash."""
    word = f"(SELECT text FROM word WHERE id = crash.{column.name})"  # nosec B608
    text = f"coalesce({word}, {sql_of_own_text(column)})"
    return f"CASE typeof({column.name}) WHEN 'integer' THEN {text} ELSE {column.name} END"


def sql_of_stored(field: SearchableField, column: Column | None) -> str:
    """Return the SQL of a value as it is stored: the number of a word or a signature, an own text, or the value."""
    if field.name == DATE:
        return "date"
    if field.kind == "crash id":
        return "crash_id"
    if field.kind == "signature":
        return "nullif(signature, 0)"
    if column is None:
        return "NULL"
    if not column.has_words:
        return column.name
    return f"CASE WHEN {column.name} = {OWN} THEN {sql_of_own_text(column)} ELSE {column.name} END"


def sql_of_own_text(column: Column) -> str:
    return f"(SELECT {column.name} FROM own WHERE own.n = crash.n)"  # nosec B608


def texts_of(snapshot: Snapshot, table: str, numbers: list[int]) -> dict[int, str]:
    """Return the texts of words, or of signatures, by their numbers."""
    texts: dict[int, str] = {}
    for first in range(0, len(numbers), _PARAMETERS):
        part = numbers[first : first + _PARAMETERS]
        condition = Condition(f"id IN ({', '.join('?' * len(part))})", part)
        texts.update((row[0], row[1]) for row in snapshot.rows(condition.select("id, text", source=table), part))
    return texts


def shown_value(field: SearchableField, value: Any) -> Any:
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
