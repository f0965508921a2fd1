"""The table of fields that a configuration makes: the project's own, an operator's, and annotations made public.

[resource]
    [[fields]]
        own_fields = [{"name": "album", "annotations": ["Album"], "access": "public", "doc": "album shown"}]
        public_annotations = CrashCount, Theme
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from socorro_processor.configuration import DotDict, Namespace
from socorro_processor.fields.field import Access, Field, FieldType, Search
from socorro_processor.fields.table import FIELDS, FIELDS_BY_NAME
from socorro_processor.fields.values import converted

_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}", re.ASCII)
_PATH = re.compile(r"[^.\s]{1,100}(?:\.[^.\s]{1,100}){0,9}")
_NAMES_OF_2016 = {field.name_of_2016 for field in FIELDS}
MINIDUMP = "upload_file_minidump"
"""The beginning of a minidump's name, below which the processed crash has the walk of it."""

_SEARCHES: Mapping[FieldType, tuple[Search, ...]] = {
    "string": ("keyword", "text", "no"),
    "integer": ("number", "no"),
    "number": ("number", "no"),
    "boolean": ("boolean", "no"),
    "date": ("date", "no"),
    "array": ("keyword", "text", "no"),
    "object": ("flattened", "no"),
}
"""How fields of a type can be searched; the first is the default."""


class FieldTable:
    """All fields, and the access to annotations that follows from them. Threads may share it; it never changes."""

    def __init__(self, own_fields: Iterable[Field] = (), public_annotations: Iterable[str] = ()) -> None:
        self.own_fields = tuple(own_fields)
        self.fields: tuple[Field, ...] = (*FIELDS, *self.own_fields)
        self.by_name: Mapping[str, Field] = {field.name: field for field in self.fields}
        protected = {name for field in self.fields if field.is_protected for name in field.annotations}
        named = {name for field in self.fields for name in field.annotations}
        self.protected_annotations = frozenset(protected)
        """The annotations that a protected field names, even if a public one does, too."""
        self.public_annotations = frozenset((named | set(public_annotations)) - protected)
        """All annotations that everyone may see; any other is protected."""

    @classmethod
    def of(cls, config: DotDict) -> FieldTable:
        """Make the table of a section with ``field_options``."""
        return cls(config.own_fields.fields, config.public_annotations.names)

    def is_public(self, annotation: str) -> bool:
        """Return True if everyone may see an annotation of the raw crash."""
        return annotation in self.public_annotations


class OwnFields:
    """An operator's own fields: the value of the option ``own_fields``."""

    def __init__(self, text: str) -> None:
        """Read a JSON list of objects. Raises ValueError, which says which field is wrong, and why."""
        self._text = text.strip()
        rows = json.loads(self._text or "[]")
        if not isinstance(rows, list):
            raise ValueError('a JSON list of objects such as {"name": "album", "annotations": ["Album"]}')
        self.fields = tuple(map(_field, rows))
        for name in (names := [field.name for field in self.fields]):
            if names.count(name) > 1:
                raise ValueError(f"two fields are named {name!r}")

    def to_str(self) -> str:
        return self._text


class PublicAnnotations:
    """Annotations that no field names and that everyone may see: the value of the option ``public_annotations``."""

    def __init__(self, text: str) -> None:
        """Read names with commas between them. Raises ValueError for one that a protected field names."""
        self.names = tuple(name.strip() for name in text.split(",") if name.strip())
        for field in FIELDS:
            if field.is_protected and (found := set(field.annotations).intersection(self.names)):
                raise ValueError(f"{min(found)} stays protected: the field {field.name} holds it")

    def to_str(self) -> str:
        return ", ".join(self.names)


def field_options() -> Namespace:
    """Return the options of whatever works with the table of fields; all share their values, in ``resource.fields``."""
    options = Namespace()
    options.add_option(
        "own_fields",
        default="",
        doc="fields of your own: a JSON list of objects with name, and annotations (names, in order) or json_dump (a "
        f"path); type ({', '.join(get_args(FieldType))}; default string), access ({', '.join(get_args(Access))}; "
        "default protected), search (default: by its type), default (the value where there is none), doc",
        from_string_converter=OwnFields,
        reference_value_from="resource.fields",
    )
    options.add_option(
        "public_annotations",
        default="",
        doc="annotations that everyone may see although no field names them, separated by commas; any other that no "
        "field names is protected",
        from_string_converter=PublicAnnotations,
        reference_value_from="resource.fields",
    )
    return options


_KEYS = frozenset(("name", "type", "annotations", "json_dump", "access", "search", "default", "doc"))


def _field(row: object) -> Field:
    """Make a field of an object. Raises ValueError."""
    if not isinstance(row, dict):
        raise ValueError(f"a field is an object, not {json.dumps(row)[:60]}")
    name = row.get("name")
    try:
        return _checked(row)
    except ValueError as error:
        raise ValueError(f"field {json.dumps(name)[:100]}: {error}") from error


def _checked(row: Mapping[str, Any]) -> Field:
    if unknown := sorted(row.keys() - _KEYS):
        raise ValueError(f"{unknown[0]!r} is not a key of a field; there are {', '.join(sorted(_KEYS))}")
    name = _text(row, "name", "")
    if not _NAME.fullmatch(name):
        raise ValueError("its name must be of small letters, digits and '_', and begin with a letter")
    if name in FIELDS_BY_NAME or name in _NAMES_OF_2016 or name.startswith(MINIDUMP):
        raise ValueError("this name is taken: the project's own table cannot be changed")
    field_type: FieldType = _one_of(row, "type", get_args(FieldType))
    search: Search = _one_of(row, "search", _SEARCHES[field_type])
    access: Access = _one_of(row, "access", ("protected", "public"))
    annotations = row.get("annotations", [])
    if not isinstance(annotations, list) or not all(isinstance(each, str) and each for each in annotations):
        raise ValueError("its annotations must be a list of names")
    json_dump = _text(row, "json_dump", "")
    if json_dump and not _PATH.fullmatch(json_dump):
        raise ValueError("its json_dump must be a path with dots between the names")
    if access == "public":
        _refuse_what_is_protected(annotations, json_dump)
    if not annotations and not json_dump:
        raise ValueError("it has no source: neither annotations nor json_dump")
    default = row.get("default")
    if not isinstance(default, str | int | None):
        raise ValueError("its default must be a text or a whole number")
    if default is not None:
        converted(default, field_type)
    doc = _text(row, "doc", "a field of this installation")
    return Field(name, field_type, access, search, doc, tuple(annotations), json_dump, default=default)


def _refuse_what_is_protected(annotations: Iterable[str], json_dump: str) -> None:
    """Raise ValueError if a public field would show what a protected one holds."""
    for field in FIELDS:
        if not field.is_protected:
            continue
        if taken := set(annotations).intersection(field.annotations):
            raise ValueError(f"its access must be protected, as that of {field.name}, which holds {min(taken)}, too")
        if field.json_dump and _is_within(json_dump, field.json_dump):
            raise ValueError(f"its access must be protected, as that of {field.name}")


def _is_within(path: str, other: str) -> bool:
    """Return True if one of two paths leads to a part of what the other leads to; ``*`` is any index."""
    pairs = zip(path.split("."), other.split("."), strict=False)
    return bool(path) and all(one == two or "*" in (one, two) for one, two in pairs)


def _text(row: Mapping[str, Any], key: str, absent: str) -> str:
    value = row.get(key, absent)
    if not isinstance(value, str):
        raise ValueError(f"its {key} must be a text")
    return value


def _one_of(row: Mapping[str, Any], key: str, allowed: tuple[Any, ...]) -> Any:
    """Return the value of ``key``, one of ``allowed``; the first of them if there is none."""
    value = row.get(key, allowed[0])
    if value not in allowed:
        raise ValueError(f"its {key} must be one of {', '.join(allowed)}")
    return value
