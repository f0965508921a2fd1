"""Find the fields that an operator's own rules wrote: neither the processor's fields nor a client's annotations.

    Other
      album: Summer 2016
      album_size: {"photos": 17, "videos": 2}

There may be any number of them, and their text may be a stranger's, of any length.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.crashstorage.elasticsearch.mapping import PROCESSED_CRASH_OF_2015
from socorro_processor.fields import FIELDS_BY_NAME, follows_table
from socorro_processor.serialization import encode
from socorro_processor.untrusted import list_of, plain

_MAXIMUM_FIELDS = 30
_LONGEST_NAME = 60  # characters
_LONGEST_VALUE = 300  # characters

_ANNOTATIONS = ("AbortMessage", "Comments", "Email", "JavaException", "JavaStackTrace", "ReleaseChannel", "URL")
KNOWN = frozenset(
    (
        *PROCESSED_CRASH_OF_2015,
        *_ANNOTATIONS,
        *("abort_message", "completeddatetime", "crash_id", "memory_info", "memory_report", "startedDateTime"),
        *("moz_crash_reason", "moz_crash_reason_raw"),
    )
)
"""The fields that the processor's rules write: shown elsewhere in the report, of little use to its reader, or not for
everyone (``email``). A crash of 2026 has those of the table of fields, too."""


def other_fields(crash: Mapping[str, Any]) -> tuple[list[tuple[str, str]], int]:
    """Return names and values of the first other fields that have one, sorted, and the number of the others."""
    of_table = FIELDS_BY_NAME if follows_table(crash) else ()
    known = {*KNOWN, *of_table, *(name for name in list_of(crash, "additional_minidumps") if isinstance(name, str))}
    names = sorted(
        name
        for name, value in crash.items()
        if isinstance(name, str) and name not in known and not name.startswith(MAIN_DUMP) and value not in (None, "")
    )
    shown = names[:_MAXIMUM_FIELDS]
    fields = [(_cut(plain(name), _LONGEST_NAME), _cut(_as_text(crash[name]), _LONGEST_VALUE)) for name in shown]
    return fields, len(names) - len(shown)


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return plain(value[: _LONGEST_VALUE + 1])
    if isinstance(value, (dict, list, bool)):
        return plain(json.dumps(json.loads(encode(value)), ensure_ascii=False))
    return plain(value)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"
