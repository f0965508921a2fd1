"""Filters of Elasticsearch for fields of the table of fields: who may search what, and how."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from socorro_processor.errors import ConfigurationError
from socorro_processor.fields import Field, FieldTable, Search, searched_fields
from socorro_processor.fields.values import NotOfType, converted


def field_filter(table: FieldTable, name: str, text: str) -> dict[str, Any]:
    """Return the filter for crashes whose field has a value, read from ``text`` as its type.

    ``name`` may lead into a flattened object, with dots. Raises ConfigurationError for a field that Elasticsearch
    cannot search: one that the table does not have or does not say how to search, or a protected one.
    """
    first, _, inner = name.partition(".")
    field = {each.name: each for each in searched_fields(table)}.get(first)
    if field is None or bool(inner) != (field.search == "flattened"):
        raise ConfigurationError(f"cannot search by {json.dumps(name)[:100]}: {_why(table, first, field)}")
    if field.is_protected:
        raise ConfigurationError(f"cannot search by {name}: it is protected, and Elasticsearch does not have it")
    try:
        return _FILTERS[field.search](f"processed_crash.{name}", _value(field, text))
    except NotOfType as error:
        raise ConfigurationError(f"cannot search by {name} for {json.dumps(text)[:100]}: {error}") from error


def _why(table: FieldTable, name: str, field: Field | None) -> str:
    if field is None:
        return "it is kept, but not searched" if name in table.by_name else "there is no such field"
    return "name what is in it, with a dot" if field.search == "flattened" else "there is nothing inside it"


def _value(field: Field, text: str) -> Any:
    return converted(text, "string" if field.type in ("array", "object") else field.type)


def _term(path: str, value: Any) -> dict[str, Any]:
    return {"term": {path: value}}


def _words(path: str, value: Any) -> dict[str, Any]:
    return {"match": {path: {"query": value, "operator": "and"}}}


_FILTERS: Mapping[Search, Callable[[str, Any], dict[str, Any]]] = {
    "keyword": _term,
    "text": _words,
    "number": _term,
    "boolean": _term,
    "date": _term,
    "flattened": _term,
}
