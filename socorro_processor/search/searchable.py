"""The operators of searchable fields, who may name which field, and a filter's values read as its type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from socorro_processor.errors import QueryError
from socorro_processor.fields import FieldTable
from socorro_processor.fields.searchable import Kind, SearchableField
from socorro_processor.fields.values import NotOfType, converted
from socorro_processor.search.filters import Filter, Operator

ALIASES = {"frame": "proto_signature", "module": "modules_in_stack"}
"""More names: of the functions, and of the modules, of the stack that crashed."""

_TEXTS: tuple[Operator, ...] = ("is", "contains", "begins", "exists")
_RANGES: tuple[Operator, ...] = ("is", "at least", "more than", "at most", "less than", "exists")
OPERATORS: Mapping[Kind, tuple[Operator, ...]] = {
    "crash id": ("is", "begins", "exists"),
    "signature": _TEXTS,
    "text": _TEXTS,
    "items": _TEXTS,
    "leaves": ("is", "begins", "exists"),
    "integer": _RANGES,
    "number": _RANGES,
    "boolean": ("is", "exists"),
    "date": _RANGES,
}
"""The operators that a field of each kind takes."""

_DAY = timedelta(days=1)
_LENGTH_OF_DAY = len("2016-11-23")


@dataclass(frozen=True)
class Moments:
    """The time that a date without a time stands for: from ``first`` on, and before ``end``."""

    first: datetime
    end: datetime


class FieldLookup:
    """Finds the fields that searches name, for a reader who may see protected ones or not."""

    def __init__(self, table: FieldTable, fields: Mapping[str, SearchableField]) -> None:
        self._table = table
        self._fields = fields

    def of_filter(self, condition: Filter, *, protected: bool) -> tuple[SearchableField, str]:
        """Return the field of a filter, and the name of the leaf in it, if it is an object. Raises QueryError."""
        first, _, leaf = condition.field.partition(".")
        field = self._field(condition.field, ALIASES.get(first, first), protected=protected)
        if bool(leaf) != (field.kind == "leaves"):
            why = f"name what is in it: {first}.NAME" if field.kind == "leaves" else "there is nothing inside it"
            raise QueryError(f"cannot search by {_shown(condition.field)}: {why}")
        if condition.operator not in OPERATORS[field.kind]:
            raise QueryError(
                f"cannot search by {_shown(condition.field)} with '{condition.operator}': a field of type "
                f"{field.field.type} takes {', '.join(OPERATORS[field.kind])}"
            )
        return field, leaf

    def of_name(self, name: str, *, protected: bool) -> SearchableField:
        """Return the field that is to be shown, counted or sorted by. Raises QueryError."""
        return self._field(name, ALIASES.get(name, name), protected=protected)

    def _field(self, asked: str, name: str, *, protected: bool) -> SearchableField:
        field = self._fields.get(name)
        if field is None:
            why = "it is kept, but not searched" if name in self._table.by_name else "there is no such field"
            raise QueryError(f"cannot search by {_shown(asked)}: {why}")
        if field.is_protected and not protected:
            raise QueryError(f"cannot search by {_shown(asked)}: it is protected")
        return field


def value_of_filter(field: SearchableField, text: str) -> Any:
    """Return a filter's text as a value of the field; Moments for a date. Raises QueryError."""
    try:
        if field.kind == "date":
            return _moments(text)
        is_text = field.kind in ("crash id", "signature", "text", "items", "leaves")
        return converted(text, "string" if is_text else field.field.type)
    except NotOfType as error:
        raise QueryError(f"cannot search by {field.name} for {_shown(text)}: {error}") from error


def _moments(text: str) -> Moments:
    """Read a day (the whole of it), or a moment."""
    first = datetime.fromisoformat(converted(text, "date"))
    length = _DAY if len(text.strip()) <= _LENGTH_OF_DAY else timedelta(milliseconds=1)
    try:
        return Moments(first, first + length)
    except OverflowError:
        raise NotOfType("a date before the end of the year 9999") from None


def _shown(text: str) -> str:
    return json.dumps(text)[:100]
