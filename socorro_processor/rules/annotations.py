"""What rules read from the raw crash: annotations are strings, and nothing in them is to be trusted."""

from __future__ import annotations

import re
from collections.abc import Mapping

from socorro_processor.pipeline.rule import Crash

_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,20}\s*", re.ASCII)


def text(crash: Crash, annotation: str) -> str | None:
    """The annotation, None where there is none.

    One that is no string came from no client of ours, and what reads the processed crash would
    stumble over it: it counts as absent, and is noted.
    """
    value = crash.raw.get(annotation)
    if value is None or isinstance(value, str):
        return value
    crash.note(f"{annotation} is no string, but {type(value).__name__}")
    return None


def carry_over(crash: Crash, fields: Mapping[str, tuple[str, str | None]]) -> None:
    """Set each field to its annotation, or to what is given beside it where there is none."""
    for field, (annotation, absent) in fields.items():
        value = text(crash, annotation)
        crash.processed[field] = absent if value is None else value


def integer(value: object) -> int | None:
    """The whole number that ``value`` is or says; None where it is none of up to 20 digits."""
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    return value if type(value) is int else None
