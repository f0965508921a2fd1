"""Annotations and fields as a page shows them, those that are protected apart from the others."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from socorro_processor.crashstorage.base import MAIN_DUMP, ProcessedCrash, RawCrash
from socorro_processor.fields import FieldTable, Protection
from socorro_processor.layout import counted
from socorro_processor.serialization import encode
from socorro_processor.untrusted import list_of, mapping_of, plain

_MAXIMUM_ROWS = 400
_LONGEST_NAME = 100  # characters
_LONGEST_VALUE = 1200  # characters
_MAXIMUM_LINES = 25  # of a value
_MAXIMUM_ATTACHMENTS = 60


class ValueRow(NamedTuple):
    name: str
    doc: str
    """A phrase about the field; empty if the table of fields does not know it."""
    lines: list[str]
    left_out: str


class ValuesView(NamedTuple):
    public: list[ValueRow]
    protected: list[ValueRow]
    hidden: int
    """Protected ones that the viewer may not see."""
    left_out: str


class Attachment(NamedTuple):
    name: str
    kind: str
    path: str
    """The address of the download; empty if the viewer may not have it, or no store can have such a name."""


def annotations_view(raw: RawCrash, fields: FieldTable, *, sees_protected: bool) -> ValuesView:
    public = Protection(fields).redact_raw(raw)
    return _values(raw, public.keys(), {}, sees_protected=sees_protected)


def fields_view(processed: ProcessedCrash, public: Iterable[str], fields: FieldTable, number: int) -> ValuesView:
    """Return all fields of a processed crash except the walks of its dumps.

    ``processed`` has what the viewer may see, ``public`` are the names of what everyone may see, ``number`` is that of
    all fields.
    """
    walks = {"json_dump", *(name for name in list_of(processed, "additional_minidumps") if isinstance(name, str))}
    shown = {
        name: value
        for name, value in processed.items()
        if name not in walks and not (name.startswith(MAIN_DUMP) and isinstance(value, Mapping))
    }
    docs = {name: field.doc.replace("``", "") for name, field in fields.by_name.items()}
    return _values(shown, set(public), docs, sees_protected=True)._replace(hidden=number - len(processed))


def attachment_names(raw: RawCrash, processed: ProcessedCrash) -> list[str]:
    """Return the names of all dumps and attachments that the crash was sent with, as far as it tells.

    A store may have removed them meanwhile.
    """
    sent = [name for name in list_of(processed, "crash_report_keys") if name not in raw] if raw else []
    checksums = mapping_of(raw, "dump_checksums") or mapping_of(raw, "metadata", "dump_checksums")
    walked = [MAIN_DUMP] if mapping_of(processed, "json_dump") else []
    names = [*walked, *list_of(processed, "additional_minidumps"), *checksums, *sent]
    texts = sorted({name for name in names if isinstance(name, str)}, key=lambda name: (name != MAIN_DUMP, name))
    return texts[:_MAXIMUM_ATTACHMENTS]


def _values(
    values: Mapping[str, Any], public: Iterable[str], docs: Mapping[str, str], *, sees_protected: bool
) -> ValuesView:
    kept = set(public)
    names = sorted((name for name, value in values.items() if value not in (None, "", [], {})), key=str.lower)
    shown = [name for name in names if name in kept or sees_protected]
    rows = [(name in kept, _row(name, values[name], docs.get(name, ""))) for name in shown[:_MAXIMUM_ROWS]]
    left_out = len(shown) - len(rows)
    return ValuesView(
        [row for is_public, row in rows if is_public],
        [row for is_public, row in rows if not is_public],
        len(names) - len(shown),
        counted(left_out, "more", "more") if left_out else "",
    )


def _row(name: str, value: object, doc: str) -> ValueRow:
    text = value if isinstance(value, str) else _as_json(value)
    cut = text[:_LONGEST_VALUE]
    lines = [plain(line.expandtabs(4)) for line in cut.splitlines()]
    left_out = counted(len(text) - len(cut), "more character") if len(text) > len(cut) else ""
    if len(lines) > _MAXIMUM_LINES:
        more = counted(len(lines) - _MAXIMUM_LINES, "more line")
        left_out = f"{more} and {left_out}" if left_out else more
    return ValueRow(_cut_name(plain(name)), plain(doc), lines[:_MAXIMUM_LINES], left_out)


def _as_json(value: object) -> str:
    if isinstance(value, dict | list | bool):
        return json.dumps(json.loads(encode(value)), ensure_ascii=False)
    return plain(value)


def _cut_name(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
