"""Read the value of an annotation, or of a part of the stackwalker's JSON, as the type of its field.

Annotations are texts; clients that send all of them as one JSON document send numbers, booleans and objects, too.
Each function raises NotOfType for a value of another type.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from socorro_processor.fields.field import FieldType
from socorro_processor.serialization import NotJSON, decode

_BOOLEANS: Mapping[str, bool] = {"1": True, "true": True, "0": False, "false": False}
_INTEGER = re.compile(r"[+-]?[0-9]{1,40}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_INTEGERS = range(-(2**63), 2**63)
"""The integers that stores take."""


class NotOfType(ValueError):
    """The value has another type than its field."""

    def __init__(self, expected: str) -> None:
        """``expected``: the type that it should have, with its article."""
        super().__init__(f"it is not {expected}")


def converted(value: object, field_type: FieldType) -> Any:
    """Return ``value`` as ``field_type``. Raises NotOfType."""
    return _CONVERTERS[field_type](value)


def is_empty(value: object) -> bool:
    """Return True for null, and for a text of nothing but white space and NUL characters."""
    return value is None or (isinstance(value, str) and not cleaned(value).strip())


def cleaned(text: str) -> str:
    """Return ``text`` without NUL characters and without white space at its end."""
    return text.replace("\0", "").rstrip()


def string(value: object) -> str:
    """Return a text, cleaned; a number or a boolean is read as JSON writes it."""
    if isinstance(value, str):
        return cleaned(value)
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise NotOfType("a text")


def boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value) if type(value) is int else value
    found = _BOOLEANS.get(cleaned(text).strip().lower()) if isinstance(text, str) else None
    if found is None:
        raise NotOfType("a boolean")
    return found


def integer(value: object) -> int:
    """Return a whole number of 64 bits."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    elif isinstance(value, str) and _INTEGER.fullmatch(stripped := cleaned(value).strip()):
        value = int(stripped)
    if type(value) is not int or value not in _INTEGERS:
        raise NotOfType("a whole number of 64 bits")
    return value


def number(value: object) -> float:
    if isinstance(value, str) and _NUMBER.fullmatch(stripped := cleaned(value).strip()):
        value = float(stripped)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise NotOfType("a number")
    return float(value)


def date(value: object) -> str:
    """Return a moment in ISO 8601, in UTC; a time without a zone is UTC."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(string(value).strip())
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC).isoformat()
    except (ValueError, OverflowError) as error:
        raise NotOfType("a date in ISO 8601") from error


def array(value: object) -> list[Any]:
    """Return a list, or the list of a JSON text, without NUL characters."""
    found = _parsed(value)
    if not isinstance(found, list):
        raise NotOfType("a list")
    return [without_nuls(item) for item in found]


def mapping(value: object) -> dict[str, Any]:
    """Return an object, or the object of a JSON text, without NUL characters."""
    found = without_nuls(_parsed(value))
    if not isinstance(found, dict):
        raise NotOfType("an object")
    return found


def without_nuls(value: Any) -> Any:
    """Return a copy of a JSON value without NUL characters. JSON that was read is at most 200 levels deep."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [without_nuls(item) for item in value]
    if isinstance(value, dict):
        return {str(key).replace("\0", ""): without_nuls(item) for key, item in value.items()}
    return value


def _parsed(value: object) -> object:
    """Return the value of a JSON text; any other value as it is."""
    if not isinstance(value, str):
        return value
    try:
        return decode(value.encode("utf-8", "surrogatepass"))
    except NotJSON as error:
        raise NotOfType("JSON") from error


_CONVERTERS: Mapping[FieldType, Callable[[object], Any]] = {
    "string": string,
    "integer": integer,
    "number": number,
    "boolean": boolean,
    "date": date,
    "array": array,
    "object": mapping,
}
