"""The fields of a processed crash that own rules wrote: neither the processor's own nor a client's annotations.

    Other
      album: Summer 2016
      album_size: {"photos": 17, "videos": 2}

The text in them may be a stranger's, of any length, and there may be any number of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from socorro_processor.cli.untrusted import list_of, plain
from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.crashstorage.elasticsearch.mapping import PROPERTIES
from socorro_processor.serialization import encode

_MAXIMUM_FIELDS = 30
_LONGEST_NAME = 60  # characters
_LONGEST_VALUE = 300  # characters

_ANNOTATIONS = ("AbortMessage", "Comments", "Email", "JavaException", "JavaStackTrace", "ReleaseChannel", "URL")
KNOWN = frozenset(
    (
        *PROPERTIES["processed_crash"]["properties"],
        *_ANNOTATIONS,
        *("abort_message", "completeddatetime", "crash_id", "memory_info", "memory_report", "startedDateTime"),
        *("moz_crash_reason", "moz_crash_reason_raw"),
    )
)
"""The fields that the processor's own rules write: shown elsewhere in the report, of little use to its reader, or not
for everyone's eyes (``email``)."""


def other_fields(crash: Mapping[str, Any]) -> Iterator[str]:
    """Yield each other field with a value as ``name: value``, in order of their names; the first ones of very many."""
    known = {*KNOWN, *(name for name in list_of(crash, "additional_minidumps") if isinstance(name, str))}
    names = sorted(
        name
        for name, value in crash.items()
        if isinstance(name, str) and name not in known and not name.startswith(MAIN_DUMP) and value not in (None, "")
    )
    for name in islice(names, _MAXIMUM_FIELDS):
        yield f"{_cut(plain(name), _LONGEST_NAME)}: {_cut(_as_text(crash[name]), _LONGEST_VALUE)}"
    if len(names) > _MAXIMUM_FIELDS:
        yield f"... {len(names) - _MAXIMUM_FIELDS} more fields, which --json has ..."


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return plain(value[: _LONGEST_VALUE + 1])
    if isinstance(value, (dict, list, bool)):
        return plain(json.dumps(json.loads(encode(value)), ensure_ascii=False))
    return plain(value)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"
