"""The fields that can be searched, and the values that a search finds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from socorro_processor.fields.field import Field, FieldType
from socorro_processor.fields.field_table import FieldTable


def searched_fields(table: FieldTable) -> tuple[Field, ...]:
    """Return the fields that the table says how to search, protected ones among them."""
    return tuple(field for field in table.fields if field.search != "no" and not field.is_part)


def is_of_type(value: Any, field_type: FieldType) -> bool:
    """Return True for a value as the rules write it into a field of this type."""
    return _IS_OF_TYPE[field_type](value)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in range(-(2**63), 2**63)


def _is_number(value: object) -> bool:
    return _is_integer(value) or (isinstance(value, float) and math.isfinite(value))


_IS_OF_TYPE: Mapping[FieldType, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": _is_integer,
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "date": lambda value: isinstance(value, str | date | datetime),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, Mapping),
}
