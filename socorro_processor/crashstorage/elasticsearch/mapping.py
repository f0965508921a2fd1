"""The mapping of every weekly index: how Elasticsearch indexes the fields of a crash.

A crash is the document ``{crash_id, processed_crash, raw_crash}``. A field that is not named here is kept in the
document, but not searched. All annotations are searched, in one ``flattened`` field, so the names that strangers
choose never become fields of the index.

The fields of 2015 are named here. Those of today, and an operator's own, follow from the table of fields: the public
ones, because the protected ones are not in the document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from socorro_processor.fields import Field, FieldTable, searched_fields

Properties = Mapping[str, Mapping[str, Any]]

VERSION = 3
"""The version of the template. Increment it with each change of template or mapping.

An existing index gets new fields; those that it has stay as they are."""

META = "socorro_processor"
"""The key of VERSION in the ``_meta`` of an index's mapping."""

_LONGEST_TERM = 32766
"""Bytes; Lucene refuses a longer one, and the whole document with it."""

_IGNORE_ABOVE = 8191
"""Characters (of up to 3 bytes a UTF-16 unit); a longer value is kept, but not searched."""

FLATTENED_PATH = _LONGEST_TERM - 3 * _IGNORE_ABOVE - 1
"""Bytes of the names that lead to a value in a flattened field, which are part of its term."""

FLATTENED_DEPTH = 20
"""Objects within each other in a flattened field; Elasticsearch refuses more."""

_KEYWORD = {"type": "keyword", "ignore_above": _IGNORE_ABOVE}
_TEXT = {"type": "text"}
_TEXT_AND_FULL = {"type": "text", "fields": {"full": _KEYWORD}}
_FLATTENED = {"type": "flattened", "ignore_above": _IGNORE_ABOVE, "depth_limit": FLATTENED_DEPTH}
_LONG = {"type": "long"}
_DOUBLE = {"type": "double"}
_BOOLEAN = {"type": "boolean"}
_DATE = {"type": "date", "format": "strict_date_optional_time"}


def _object(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "dynamic": False, "properties": properties}


PROCESSED_CRASH_OF_2015: Properties = {
    "PluginFilename": _KEYWORD,
    "PluginName": _KEYWORD,
    "PluginVersion": _KEYWORD,
    "Winsock_LSP": _TEXT,
    "additional_minidumps": _KEYWORD,
    "addons": _KEYWORD,
    "addons_checked": _BOOLEAN,
    "address": _KEYWORD,
    "app_notes": _TEXT,
    "build": _KEYWORD,
    "classifications": _FLATTENED,
    "client_crash_date": _DATE,
    "completed_datetime": _DATE,
    "cpu_info": _KEYWORD,
    "cpu_name": _KEYWORD,
    "crash_time": _LONG,
    "crashedThread": _LONG,
    "date_processed": _DATE,
    "distributor": _KEYWORD,
    "distributor_version": _KEYWORD,
    "earlier_signature": _KEYWORD,
    "email": _KEYWORD,
    "exploitability": _KEYWORD,
    "flash_version": _KEYWORD,
    "hang_type": _LONG,
    "hangid": _KEYWORD,
    "install_age": _LONG,
    "java_stack_trace": _TEXT,
    "json_dump": _object(
        largest_free_vm_block=_KEYWORD,
        tiny_block_size=_KEYWORD,
        write_combine_size=_KEYWORD,
    ),
    "last_crash": _LONG,
    "mdsw_return_code": _LONG,
    "mdsw_status_string": _KEYWORD,
    "original_signature": _KEYWORD,
    "os_name": _KEYWORD,
    "os_pretty_version": _KEYWORD,
    "os_version": _KEYWORD,
    "process_type": _KEYWORD,
    "processing": _object(
        attempt=_LONG,
        durations=_object(fetch=_DOUBLE, rules=_DOUBLE, stackwalk=_DOUBLE),
        # Rows [debug file, debug id, code file, code id]: a search finds a crash by any of the four.
        missing_symbols=_KEYWORD,
        processor_version=_KEYWORD,
        siglists_version=_KEYWORD,
    ),
    "processor_notes": _TEXT,
    "product": _KEYWORD,
    "productid": _KEYWORD,
    "proto_signature": _TEXT_AND_FULL,
    "reason": _KEYWORD,
    "release_channel": _KEYWORD,
    "signature": _TEXT_AND_FULL,
    "started_datetime": _DATE,
    "submitted_timestamp": _DATE,
    "success": _BOOLEAN,
    "topmost_filenames": _KEYWORD,
    "truncated": _BOOLEAN,
    "uptime": _LONG,
    "url": _KEYWORD,
    "user_comments": _TEXT,
    "user_id": _KEYWORD,
    "uuid": _KEYWORD,
    "version": _KEYWORD,
}

_BY_SEARCH: Mapping[str, Mapping[str, Any]] = {
    "keyword": _KEYWORD,
    "text": _TEXT,
    "number": _DOUBLE,
    "boolean": _BOOLEAN,
    "date": _DATE,
    "flattened": _FLATTENED,
}
_WHOLE_TOO = ("signature", "proto_signature")
"""The fields with words that are also searched as a whole, by ``.full``."""


def properties_of(table: FieldTable) -> Properties:
    """Return the mapping of a document; a field that crashes of 2015 have, too, is mapped as theirs."""
    of_table = {field.name: _of_field(field) for field in searched_fields(table) if not field.is_protected}
    return {
        "crash_id": _KEYWORD,
        "processed_crash": _object(**{**of_table, **PROCESSED_CRASH_OF_2015}),
        "raw_crash": _FLATTENED,
    }


def mappings_of(properties: Properties) -> dict[str, Any]:
    """Return the mapping of an index with these properties."""
    return {"dynamic": False, "_meta": {META: VERSION}, "properties": properties}


def missing_properties(wanted: Properties, present: Properties) -> dict[str, Any]:
    """Return the properties that an index lacks, as Elasticsearch takes them to add them to it."""
    missing: dict[str, Any] = {}
    for name, field in wanted.items():
        if name not in present:
            missing[name] = field
        elif "properties" in field and present[name].get("type", "object") == "object":
            inner = missing_properties(field["properties"], present[name].get("properties", {}))
            missing |= {name: {"properties": inner}} if inner else {}
    return missing


def with_properties(properties: Properties, more: Properties) -> dict[str, Any]:
    """Return properties with those added that they lack."""
    merged: dict[str, Any] = dict(properties)
    for name, field in missing_properties(more, properties).items():
        there = merged.get(name)
        merged[name] = (
            field
            if there is None
            else {**there, "properties": with_properties(there.get("properties", {}), field["properties"])}
        )
    return merged


def _of_field(field: Field) -> Mapping[str, Any]:
    if field.name in _WHOLE_TOO:
        return _TEXT_AND_FULL
    return _LONG if field.type == "integer" else _BY_SEARCH[field.search]


PROPERTIES: Properties = properties_of(FieldTable())
"""The mapping of the project's own table of fields."""

SETTINGS_OF_THE_MAPPING: Mapping[str, Any] = {
    # A value that only Elasticsearch refuses, such as a date in the year 300000, costs that field only.
    "mapping.ignore_malformed": True,
}

SETTINGS: Mapping[str, Any] = {
    **SETTINGS_OF_THE_MAPPING,
    "codec": "best_compression",
    "auto_expand_replicas": "0-1",
}


def fields_with_values(
    properties: Properties = PROPERTIES, within: str = ""
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each field that has a value, after its dotted path."""
    for name, field in properties.items():
        if "properties" in field:
            yield from fields_with_values(field["properties"], f"{within}{name}.")
        else:
            yield f"{within}{name}", field
