"""Reduce an object to the properties that a JSON Schema names.

    reduction = read_schema(path)
    report = reduction.reduce(crash)

Only ``type``, ``properties``, ``items`` and ``$ref`` (to a place within the schema) are read; the rest is for
people and validators. Properties that the schema does not name are left out, and so are values of another type:
a stranger could put an object full of anything where the schema has a text.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from socorro_processor.errors import ConfigurationError
from socorro_processor.serialization import NotJSON, decode

_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")

_LEFT_OUT = object()


@dataclass(frozen=True)
class Reduction:
    """One place of a schema, and the values that may be there."""

    types: frozenset[str]
    properties: Mapping[str, Reduction] = field(default_factory=dict)
    items: Reduction | None = None

    def reduce(self, crash: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy of an object with the properties that are named here."""
        return {
            name: reduced
            for name, place in self.properties.items()
            if name in crash and (reduced := place._reduce_value(crash[name])) is not _LEFT_OUT
        }

    def _reduce_value(self, value: Any) -> Any:
        if self.types.isdisjoint(_types_of(value)):
            return _LEFT_OUT
        if isinstance(value, Mapping):
            return self.reduce(value)
        if isinstance(value, (list, tuple)) and self.items is not None:
            reduced = map(self.items._reduce_value, value)
            return [item for item in reduced if item is not _LEFT_OUT]
        return value


def read_schema(path: Path) -> Reduction:
    """Read the reduction to a schema for objects. Raises ConfigurationError, which names the place in the file."""
    try:
        schema = decode(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"cannot read the JSON Schema {path}: {error.strerror}") from error
    except NotJSON as error:
        raise ConfigurationError(f"the JSON Schema {path} is {error}") from None
    try:
        reduction = _Reader(schema).read_place(schema, "#", ())
        if reduction.types != {"object"}:
            raise ValueError("#: a crash report is an object, so the type must be object")
    except ValueError as error:
        raise ConfigurationError(f"the JSON Schema {path} cannot be used: {error}") from None
    return reduction


class _Reader:
    """Reads a schema place by place. Raises ValueError, which names the place that it cannot use."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema

    def read_place(self, schema: Any, where: str, within: tuple[str, ...]) -> Reduction:
        if not isinstance(schema, dict):
            raise ValueError(f"{where}: an object was expected")
        if (reference := schema.get("$ref")) is not None:
            if reference in within:
                raise ValueError(f"{where}: {reference} has no end: it refers to itself")
            return self.read_place(self._resolve(reference, where), str(reference), (*within, str(reference)))
        types = schema.get("type")
        types = types if isinstance(types, list) else [types]
        if not types or any(name not in _TYPES for name in types):
            raise ValueError(f"{where}: type must be one or more of {', '.join(_TYPES)}")
        properties: dict[str, Reduction] = {}
        items = None
        if "object" in types:
            named = schema.get("properties")
            if not isinstance(named, dict) or not named:
                raise ValueError(f"{where}: an object needs properties, or nothing of it is kept")
            for name, inner in named.items():
                properties[name] = self.read_place(inner, f"{where}/properties/{name}", within)
        if "array" in types:
            items = self.read_place(schema.get("items"), f"{where}/items", within)
        return Reduction(frozenset(types), properties, items)

    def _resolve(self, reference: Any, where: str) -> Any:
        place = self._schema
        for name in str(reference).removeprefix("#/").split("/"):
            place = place.get(name) if isinstance(place, dict) else None
        if place is None or not str(reference).startswith("#/"):
            raise ValueError(f"{where}: there is nothing at {reference} in this file")
        return place


_TYPES_OF: tuple[tuple[type | tuple[type, ...], tuple[str, ...]], ...] = (
    (type(None), ("null",)),
    (bool, ("boolean",)),
    (int, ("integer", "number")),
    (float, ("number",)),
    ((str, datetime.date), ("string",)),
    (Mapping, ("object",)),
    ((list, tuple), ("array",)),
)
"""The types that a value has in a schema, by its class; the first class that fits counts."""


def _types_of(value: Any) -> tuple[str, ...]:
    return next((types for classes, types in _TYPES_OF if isinstance(value, classes)), ())
