"""Leave out of a crash what the table of fields protects: data that only those may see who may see a user's.

The table says so for crashes of ``ProcessorAlgorithm2026``; a redactor's ``forbidden_keys`` for those of 2015.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from socorro_processor.fields.field_table import MINIDUMP, FieldTable

_Protected = dict[str, "_Protected"]
"""Protected paths as a tree; a name without any below it is itself protected."""

_WITHOUT_TABLE = (None, 2015)
"""The values of ``processing.algorithm`` in crashes that have other fields than the table's."""


def follows_table(processed_crash: Mapping[str, Any]) -> bool:
    """Return True if the algorithm that made a processed crash wrote the fields of the table."""
    processing = processed_crash.get("processing")
    algorithm = processing.get("algorithm") if isinstance(processing, Mapping) else None
    return algorithm not in _WITHOUT_TABLE


class Protection:
    """Makes copies of crashes without what is protected. Threads may share it; it never changes.

    A protected field is left out at the top of a processed crash and below each additional minidump; what it was read
    from, in ``json_dump``; and its annotations, in the raw crash. Only what loses something is copied. The rest is
    shared with the crash: change neither.
    """

    def __init__(self, table: FieldTable, more_paths: Iterable[str] = ()) -> None:
        """``more_paths``: other protected places of a processed crash, with dots and, for any index, ``*``."""
        self._table = table
        self._protected = _tree([*_paths(table), *more_paths])

    def redact(self, processed_crash: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy of a processed crash without its protected parts."""
        redacted = dict(_without(processed_crash, self._protected))
        for name in _walks(processed_crash):
            if name in redacted:
                redacted[name] = _without(redacted[name], self._protected)
        return redacted

    def redact_raw(self, raw_crash: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy of a raw crash with its public annotations only."""
        return {name: value for name, value in raw_crash.items() if self._table.is_public(name)}


def _paths(table: FieldTable) -> Iterator[str]:
    for field in table.fields:
        if field.is_protected:
            yield field.name
            if field.json_dump:
                yield f"json_dump.{field.json_dump}"


def _walks(processed_crash: Mapping[str, Any]) -> list[str]:
    """Return the names below which there may be the walk of an additional minidump, also one that failed."""
    listed = processed_crash.get("additional_minidumps")
    names = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    return [
        name
        for name, value in processed_crash.items()
        if isinstance(value, Mapping) and ("json_dump" in value or name in names or name.startswith(MINIDUMP))
    ]


def _tree(paths: Iterable[str]) -> _Protected:
    """Return the tree of these paths, without the indexes in them: what is protected in one item is so in all."""
    tree: _Protected = {}
    parts = ([part for part in path.split(".") if part != "*" and not part.isdecimal()] for path in paths)
    # Shorter paths come first: if a whole object is protected, its parts need no entry.
    for names in sorted(filter(None, parts), key=len):
        inner = tree
        for name in names[:-1]:
            if name in inner and not inner[name]:
                break
            inner = inner.setdefault(name, {})
        else:
            inner[names[-1]] = {}
    return tree


def _without(value: Any, protected: _Protected) -> Any:
    """Return an object, or all objects of a list, without the protected parts; ``value`` itself if it has none."""
    if isinstance(value, list | tuple):
        items = [_without(item, protected) for item in value]
        return value if all(map(_is_same, items, value)) else items
    if not isinstance(value, Mapping):
        return value
    copy: dict[str, Any] | None = None
    for name, below in protected.items():
        if name not in value:
            continue
        inner = _without(value[name], below) if below else None
        if below and inner is value[name]:
            continue
        copy = dict(value) if copy is None else copy
        if below:
            copy[name] = inner
        else:
            del copy[name]
    return value if copy is None else copy


def _is_same(one: object, other: object) -> bool:
    return one is other
