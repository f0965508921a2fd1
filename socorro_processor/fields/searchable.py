"""The fields that a search index has, and the kind of value of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from socorro_processor.fields.field import Field
from socorro_processor.fields.field_table import FieldTable
from socorro_processor.fields.searching import searched_fields

Kind = Literal["crash id", "signature", "text", "items", "leaves", "integer", "number", "boolean", "date"]
"""``items``: a list of texts; ``leaves``: an object, whose leaves are searched by their dotted names."""

DATE = "date_processed"
"""The field that crashes are sorted by; a crash without it has the day of its crash id."""

DIMENSIONS = ("product", "version", "release_channel", "os_name")
"""The fields that roll-ups are kept by, besides day and signature."""

OF_PROCESSING = (
    Field("processor_version", "string", "public", "keyword", "version of the processor", computed="pipeline"),
    Field("siglists_version", "string", "public", "keyword", "version of the signature lists", computed="signature"),
    Field(
        "missing_symbols",
        "array",
        "public",
        "keyword",
        "symbol files that modules in the stack that crashed lack: ``debug file/debug id``",
        computed="stack, modules",
    ),
)
"""Fields that are read from ``processing``, and that the table of fields does not have."""

_KINDS: Mapping[str, Kind] = {
    "string": "text",
    "array": "items",
    "object": "leaves",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "date": "date",
}
_KINDS_OF_FIELDS: Mapping[str, Kind] = {"uuid": "crash id", "crash_id": "crash id", "signature": "signature"}


@dataclass(frozen=True)
class SearchableField:
    """A field of the table of fields, as an index sees it."""

    field: Field
    kind: Kind

    @property
    def name(self) -> str:
        return self.field.name

    @property
    def is_protected(self) -> bool:
        return self.field.is_protected


def searchable_fields(table: FieldTable) -> dict[str, SearchableField]:
    """Return OF_PROCESSING, and all fields that the table says how to search, by name, protected ones among them."""
    return {
        field.name: SearchableField(field, _KINDS_OF_FIELDS.get(field.name) or _KINDS[field.type])
        for field in (*OF_PROCESSING, *searched_fields(table))
    }
