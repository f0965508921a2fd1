"""Read a processed crash that may contain anything: values from strangers, of any type and length.

    text_of(crash, "json_dump", "crash_info", "instruction")

A value that is missing, or not of the right type, is read as empty. All text is ``plain``, safe to print.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

_MAPPINGS = (dict, Mapping)
"""A dict is recognized much faster than another mapping, and almost all are dicts."""
_FRACTION_OF_SECOND = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)\.\d+")


def plain(value: object) -> str:
    """Return ``value`` on one line that is safe to print.

    A character that is not printable is escaped, as in ``\\x1b``: control characters, which begin escape
    sequences, line ends, marks that change the direction of writing, lone surrogates.
    """
    if isinstance(value, str):
        if value.isprintable():
            return value
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)
    if isinstance(value, int) and not -(2**64) < value < 2**64:
        return hex(value)
    if isinstance(value, (int, float, date)):
        return str(value)
    return "" if value is None else f"({type(value).__name__})"


def joined(separator: str, *parts: str | bool) -> str:
    """Return the parts that are not empty, joined."""
    return separator.join(part for part in parts if isinstance(part, str) and part)


def value_of(mapping: object, *keys: Any) -> Any:
    """Return the value below these keys, each a level deeper; None if there is none."""
    for key in keys:
        mapping = mapping.get(key) if isinstance(mapping, _MAPPINGS) and isinstance(key, str) else None
    return mapping


def text_of(mapping: object, *keys: Any) -> str:
    return plain(value_of(mapping, *keys)).strip()


def hex_of(mapping: object, *keys: Any) -> str:
    """Return the text there; a hexadecimal number without its leading zeros."""
    text = text_of(mapping, *keys)
    return hex(int(text, 16)) if re.fullmatch("0x[0-9a-fA-F]{1,32}", text) else text


def moment_of(mapping: object, *keys: Any) -> str:
    """Return the time there, to the second."""
    return _FRACTION_OF_SECOND.sub(r"\1", text_of(mapping, *keys))


def mapping_of(mapping: object, *keys: Any) -> Mapping[str, Any]:
    value = value_of(mapping, *keys)
    return value if isinstance(value, Mapping) else {}


def list_of(mapping: object, *keys: Any) -> list[Any]:
    value = value_of(mapping, *keys)
    return value if isinstance(value, list) else []


def mappings_of(mapping: object, *keys: Any) -> list[Mapping[str, Any]]:
    """Return the mappings in the list there."""
    return [item for item in list_of(mapping, *keys) if isinstance(item, _MAPPINGS)]
