"""What the columns of the tables take of a processed crash, whatever a stranger has put into it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from socorro_processor.errors import PermanentStorageError
from socorro_processor.serialization import Note, encode

Converter = Callable[[Any], Any]
"""The value as its column takes it. Raises Misfit."""


class Misfit(Exception):
    """The column takes no such value: it is to be null."""


_BIGINT = range(-(2**63), 2**63)
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")
"""What is no text to PostgreSQL: NUL, and surrogates."""

_LARGEST_JSON = 2**28 - 1
"""Bytes of what is within a JSONB value."""

_LARGEST_TEXT = 2**30 - 1
"""Bytes of a text, as which JSONB is read."""
_SPACED = 1.5
"""How much longer that is than ours, for its spaces: ``[],`` becomes ``[], ``."""
_EXPONENT = re.compile(rb"\de[+-]?\d\d")
_DIGITS = 330
"""So many has a number at most that we write with an exponent, and PostgreSQL without one."""
_MAY_GROW_TOO_MUCH = _LARGEST_TEXT // 64
"""Bytes; what is shorter does not, were it all of ``1e308,``."""


def text(maximum: int | None = None) -> Converter:
    """Text of so many characters, the rest cut off; of a number its digits."""

    def converter(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Misfit
        try:
            whole = str(value)
        except ValueError:  # Python refuses to write integers of thousands of digits
            raise Misfit from None
        return storable(whole[:maximum])

    return converter


def storable(text: str) -> str:
    """The text with U+FFFD in place of each character that PostgreSQL takes none of."""
    return _NOT_TEXT.sub("\ufffd", text) if "\0" in text or not text.isascii() else text


def integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value not in _BIGINT:
        raise Misfit
    return value


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Misfit
    return value


def timestamp(value: Any) -> datetime:
    """A moment in UTC, from ISO 8601; without a time zone it is taken for UTC."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise Misfit from None


REPORT: Mapping[str, Converter] = {
    "client_crash_date": timestamp,
    "date_processed": timestamp,
    "product": text(30),
    "version": text(16),
    "build": text(30),
    "signature": text(255),
    "url": text(255),
    "install_age": integer,
    "last_crash": integer,
    "uptime": integer,
    "cpu_name": text(100),
    "cpu_info": text(100),
    "reason": text(255),
    "address": text(20),
    "os_name": text(100),
    "os_version": text(100),
    "email": text(100),
    "user_id": text(50),
    "started_datetime": timestamp,
    "completed_datetime": timestamp,
    "success": boolean,
    "truncated": boolean,
    "processor_notes": text(),
    "user_comments": text(1024),
    "app_notes": text(1024),
    "distributor": text(20),
    "distributor_version": text(20),
    "topmost_filenames": text(),
    "addons_checked": boolean,
    "flash_version": text(),
    "hangid": text(),
    "process_type": text(),
    "release_channel": text(),
    "productid": text(),
    "exploitability": text(),
}
"""The columns of ``reports`` that are fields of the processed crash, of the same name."""

# With both in an index, a page of it takes 2,704 bytes at most.
INDEXED = text(255)
"""What is part of a unique key, and what stands beside it."""

PLUGIN: Mapping[str, Converter] = {"PluginFilename": INDEXED, "PluginName": INDEXED, "PluginVersion": INDEXED}
"""What is known of a plugin that crashed."""


def row(crash: Mapping[str, Any], columns: Mapping[str, Converter]) -> tuple[dict[str, Any], list[str]]:
    """The columns' values; and the names of those that hold null for a value they do not take."""
    values: dict[str, Any] = {}
    misfits: list[str] = []
    for name, converter in columns.items():
        value = crash.get(name)
        try:
            values[name] = None if value is None else converter(value)
        except Misfit:
            values[name] = None
            misfits.append(name)
    return values, misfits


_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
"""Of a NUL that is written in JSON: after an odd number of backslashes it would be another thing."""


def json(value: Mapping[str, Any], note: Note) -> str:
    """``value`` as a JSON text that JSONB takes; ``note`` is told what was mended."""
    data = encode(value, note)
    if len(data) > _LARGEST_JSON:
        raise PermanentStorageError(f"{len(data)} bytes of JSON are more than the {_LARGEST_JSON} that JSONB takes")
    if len(data) > _MAY_GROW_TOO_MUCH:
        written = int(len(data) * _SPACED) + _DIGITS * sum(1 for _ in _EXPONENT.finditer(data))
        if written > _LARGEST_TEXT:
            raise PermanentStorageError(
                f"{len(data)} bytes of JSON may be {written} once PostgreSQL has written them out, of which it reads "
                f"{_LARGEST_TEXT}"
            )
    if rb"\u0000" in data:
        data, count = _NUL.subn(rb"\1\\ufffd", data)
        if count:
            note(f"JSON: texts got U+FFFD in place of NUL ({count})")
    return data.decode()
