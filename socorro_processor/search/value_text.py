"""The value of a field as text, for people and for tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any


def value_text(value: Any) -> str:
    """Return a value of a found crash as text; None is empty, the items of a list have commas between them."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, list):
        return ", ".join(map(value_text, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}={value_text(each)}" for name, each in value.items())
    return str(value)
