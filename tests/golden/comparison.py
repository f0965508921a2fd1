"""Compare golden cases: values with their types, dates as moments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*")


@dataclass(frozen=True)
class Difference:
    """A place within an outcome where it is not as expected."""

    path: str
    expected: str
    got: str


def instants(value: Any) -> Any:
    """Return times as datetimes in UTC, from any form."""
    if isinstance(value, dict):
        return {key: instants(item) for key, item in value.items()}
    if isinstance(value, list):
        return [instants(item) for item in value]
    if isinstance(value, str) and _ISO_TIME.fullmatch(value):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)
    return value


class _Absent:
    def __repr__(self) -> str:
        return "nothing there"


ABSENT = _Absent()


def unequal(expected: Any, got: Any) -> bool:
    """Return True if two values differ, or their types do: JSON tells true from 1, and so do those who read it."""
    if isinstance(expected, dict) and isinstance(got, dict):
        return expected.keys() != got.keys() or any(unequal(expected[key], got[key]) for key in expected)
    if isinstance(expected, list) and isinstance(got, list):
        return len(expected) != len(got) or any(map(unequal, expected, got))
    return type(expected) is not type(got) or bool(expected != got)
