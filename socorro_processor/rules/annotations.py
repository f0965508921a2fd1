"""Read annotations from the raw crash: they should be strings, but may be anything and cannot be trusted."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

from socorro_processor.pipeline.rule import Crash

_INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*", re.ASCII)
_MAXIMUM_DIGITS = 20


def text(crash: Crash, annotation: str) -> str | None:
    """Return the text of the annotation; None if there is none.

    A number or a boolean, which some clients send, is read as its text. Any other value counts as absent, because
    readers of the processed crash could not deal with it. Both are noted.
    """
    value = crash.raw.get(annotation)
    text = as_text(value)
    if value is not text:
        reading = "" if text is None else f": it is read as {text[:60]!r}"
        note = f"{annotation} is not a string, but {type(value).__name__}{reading}"
        if note not in crash.notes:  # several rules read some annotations
            crash.note(note)
    return text


def as_text(value: object) -> str | None:
    """Return a string as it is, a number or a boolean as JSON writes it, and None for any other value."""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return value if isinstance(value, str) else None


def carry_over(crash: Crash, fields: Mapping[str, tuple[str, str | None]]) -> None:
    """Set each field to its annotation, or to its default if there is no annotation."""
    for field, (annotation, default) in fields.items():
        value = text(crash, annotation)
        crash.processed[field] = default if value is None else value


def integer(value: object, digits: int = _MAXIMUM_DIGITS) -> int | None:
    """Return ``value``, a number or its text, as a whole number; None if it is neither.

    A float loses its fraction. A text must have no fraction, and no more than ``digits`` digits.
    """
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value) if len(value.strip().lstrip("+-")) <= digits else None
    if isinstance(value, float) and math.isfinite(value):
        return int(value)
    return value if type(value) is int else None
