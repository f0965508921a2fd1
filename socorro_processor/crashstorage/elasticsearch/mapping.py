"""The mapping of every weekly index: how Elasticsearch indexes the fields of a crash.

A crash is the document ``{crash_id, processed_crash, raw_crash}``. A field that is not named here is kept in the
document and not searched. Annotations are all searched, in one ``flattened`` field, so the names that strangers
choose never become fields of the index.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Properties = Mapping[str, Mapping[str, Any]]

VERSION = 2
"""The version of the template. Add one for each change of template or mapping; an index keeps its first mapping."""

META = "socorro_processor"
"""The key of VERSION in the ``_meta`` of an index's mapping."""

_LONGEST_TERM = 32766
"""Bytes; Lucene refuses a longer one, and the whole document with it."""

_IGNORE_ABOVE = 8191
"""Characters (of up to 3 bytes a UTF-16 unit); a longer value is kept and not searched."""

FLATTENED_PATH = _LONGEST_TERM - 3 * _IGNORE_ABOVE - 1
"""Bytes of the names on the way to a value in a flattened field, which are part of its term."""

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


_PROCESSED_CRASH: Properties = {
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

PROPERTIES: Properties = {
    "crash_id": _KEYWORD,
    "processed_crash": _object(**_PROCESSED_CRASH),
    "raw_crash": _FLATTENED,
}

MAPPINGS: Mapping[str, Any] = {"dynamic": False, "_meta": {META: VERSION}, "properties": PROPERTIES}

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
    """Yield each field that holds a value, after its dotted path."""
    for name, field in properties.items():
        if "properties" in field:
            yield from fields_with_values(field["properties"], f"{within}{name}.")
        else:
            yield f"{within}{name}", field
