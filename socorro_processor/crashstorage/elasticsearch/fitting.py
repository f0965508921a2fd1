"""Leave out the parts of a crash that do not fit the mapping.

Elasticsearch refuses a whole document because of an object where a number is mapped, a text where an object is
mapped, or an empty name. The mapping itself decides here what fits, so the two cannot drift apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from operator import itemgetter
from typing import Any

from socorro_processor.crashstorage.elasticsearch.mapping import FLATTENED_DEPTH, FLATTENED_PATH, Properties
from socorro_processor.serialization import encode

Misfit = Callable[[str, object], None]
"""A function that is called with field and value of what is left out; ``raw_crash.*`` stands for any annotation."""

_LONG = range(-(2**63), 2**63)
_DAY = "0000-00-00"
_LISTS = (list, tuple, set, frozenset)
_LIST_DEPTH = 4
_LEFT_OUT = object()


def fit_to_mapping(
    crash: Mapping[str, Any], properties: Properties, misfit: Misfit, within: str = ""
) -> dict[str, Any]:
    """Return a copy of ``crash`` without the values that do not fit their fields, and without impossible names."""
    fitting: dict[str, Any] = {}
    for name, value in crash.items():
        field = properties.get(name)
        if field is None:
            if _is_name(name):
                fitting[name] = value
            else:
                misfit(f"{within}*", name)
        elif value is None:
            fitting[name] = None
        elif "properties" in field and isinstance(value, Mapping):
            fitting[name] = fit_to_mapping(value, field["properties"], misfit, f"{within}{name}.")
        elif field["type"] == "flattened" and isinstance(value, Mapping):
            fitting[name] = _fit_flattened(value, f"{within}{name}.*", misfit)
        elif field["type"] in FITS and FITS[field["type"]](value):
            fitting[name] = value
        else:
            misfit(f"{within}{name}", value)
    return fitting


def cut_to_size(document: Mapping[str, Any], size: int, misfit: Misfit) -> dict[str, Any]:
    """Return a copy of a fitting document without its largest values, so that its JSON has ``size`` bytes at most.

    Only annotations, and values of the processed crash that are at most one object deep, can be left out, which may
    not be enough.
    """
    processed = document["processed_crash"].items()
    cut = {
        **document,
        "processed_crash": {name: dict(value) if isinstance(value, Mapping) else value for name, value in processed},
        "raw_crash": dict(document["raw_crash"]),
    }
    values = sorted(_values(cut), key=itemgetter(0), reverse=True)
    remaining = sum(value[0] for value in values)
    for value_size, field, holder, name in values:
        if remaining <= size:
            break
        misfit(field, holder.pop(name))
        remaining -= value_size
    return cut


def _values(document: Mapping[str, Any]) -> Iterator[tuple[int, str, dict[str, Any], str]]:
    """Yield for each value its size in bytes, its field, the object that it is in, and its name there."""
    processed, raw = document["processed_crash"], document["raw_crash"]
    for name, value in processed.items():
        holder = value if isinstance(value, dict) else processed
        for key in value if holder is value else [name]:
            yield len(encode(holder[key])) + _size(key), f"processed_crash.{name}", holder, key
    for name, value in raw.items():
        yield len(encode(value)) + _size(name), "raw_crash.*", raw, name


def possible_misfits(properties: Properties, within: str = "") -> Iterator[str]:
    """Yield each field that ``fit_to_mapping`` can report as a misfit."""
    yield f"{within}*"
    for name, field in properties.items():
        yield f"{within}{name}"
        if "properties" in field:
            yield from possible_misfits(field["properties"], f"{within}{name}.")
        elif field["type"] == "flattened":
            yield f"{within}{name}.*"


def _is_name(name: object) -> bool:
    """Return True if Elasticsearch takes the name beside mapped ones, where it reads dots as a path."""
    return isinstance(name, str) and "." not in name and bool(name.strip())


def _fit_flattened(
    value: Mapping[str, Any], field: str, misfit: Misfit, room: int = FLATTENED_PATH, depth: int = FLATTENED_DEPTH
) -> dict[str, Any]:
    """Return a copy without names that are too long, or contain a NUL, which separates name and value in a term."""
    fitting: dict[str, Any] = {}
    for name, item in value.items():
        if not isinstance(name, str) or "\0" in name or (size := _size(name)) > room:
            misfit(field, name)
        elif (item := _fit_flattened_item(item, field, misfit, room - size - 1, depth - 1)) is not _LEFT_OUT:
            fitting[name] = item
    return fitting


def _fit_flattened_item(item: Any, field: str, misfit: Misfit, room: int, depth: int) -> Any:
    """Return a copy of what is in a flattened object or in a list there; ``_LEFT_OUT`` if it is too deep."""
    if _is_text(item):
        return item
    if depth < 1:
        misfit(field, item)
        return _LEFT_OUT
    if isinstance(item, Mapping):
        return _fit_flattened(item, field, misfit, room, depth)
    # A list within a list counts as deeper, an object in a list does not.
    inner = (_fit_flattened_item(each, field, misfit, room, depth - isinstance(each, _LISTS)) for each in item)
    return [each for each in inner if each is not _LEFT_OUT]


def _size(name: str) -> int:
    return len(name) if name.isascii() else len(name.encode("utf-8", "surrogatepass"))


def _is_text(value: object, depth: int = _LIST_DEPTH) -> bool:
    """Return True for a text, for a number, which becomes text, and for a list of them; a search finds each."""
    if isinstance(value, _LISTS):
        return depth > 0 and all(_is_text(item, depth - 1) for item in value)
    return not isinstance(value, Mapping)


def _is_long(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in _LONG


def _is_double(value: object) -> bool:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _is_date(value: object) -> bool:
    """Return True for a date, or its text in ISO 8601 with dashes; Python reads more than Elasticsearch does."""
    if isinstance(value, (date, datetime)):
        return True
    if not isinstance(value, str) or value[4:5] != "-" or value[7:8] != "-" or value[len(_DAY) :][:1] not in ("", "T"):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


FITS: Mapping[str, Callable[[object], bool]] = {
    "keyword": _is_text,
    "text": _is_text,
    "long": _is_long,
    "double": _is_double,
    "boolean": lambda value: isinstance(value, bool),
    "date": _is_date,
}
"""The function, by type of field, that returns True for a possible value. Objects and ``flattened`` have none."""
