"""Convert the values of a processed crash for the columns of the tables; a stranger may have put anything into it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from socorro_processor.errors import PermanentStorageError
from socorro_processor.serialization import Note, encode

Converter = Callable[[Any], Any]
"""A function that returns a value as its column takes it. Raises Misfit."""


class Misfit(Exception):
    """The column does not take this value, and becomes null."""


_BIGINT = range(-(2**63), 2**63)
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")
"""The characters that PostgreSQL does not take: NUL and surrogates."""

_LARGEST_JSON = 2**28 - 1
"""Bytes of the content of a JSONB value, at most."""

_LARGEST_TEXT = 2**30 - 1
"""Bytes of a text, at most; JSONB is read as text."""
_WITH_SPACES = 1.5
"""The ratio of that text to ours, because PostgreSQL adds spaces: ``[],`` becomes ``[], ``."""
_EXPONENT = re.compile(rb"\de[+-]?\d\d")
_DIGITS = 330
"""The most digits of a number that we write with an exponent, and PostgreSQL without one."""
_MAY_GROW_TOO_MUCH = _LARGEST_TEXT // 64
"""Bytes; shorter JSON does not grow too much, even if it is nothing but ``1e308,``."""


def text(maximum: int | None = None) -> Converter:
    """Return a converter to text, cut to ``maximum`` characters; a number becomes its digits."""

    def converter(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Misfit
        try:
            whole = str(value)
        except ValueError:  # Python refuses to write integers of thousands of digits
            raise Misfit from None
        return storable_text(whole[:maximum])

    return converter


def storable_text(text: str) -> str:
    """Return the text with U+FFFD in place of each character that PostgreSQL does not take."""
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
    """Return the time in UTC of a text in ISO 8601; without a time zone it is taken as UTC."""
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

# An index entry may have 2,704 bytes at most, and has two of these.
INDEXED = text(255)
"""The converter for the columns of a unique key, and those beside it."""

PLUGIN: Mapping[str, Converter] = {"PluginFilename": INDEXED, "PluginName": INDEXED, "PluginVersion": INDEXED}
"""The columns about a plugin that crashed."""


def convert_row(crash: Mapping[str, Any], columns: Mapping[str, Converter]) -> tuple[dict[str, Any], list[str]]:
    """Return the values of the columns, and the names of the columns that are null because of a misfit."""
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
"""A NUL as it is written in JSON; after an odd number of backslashes it is something else."""


def to_jsonb_text(value: Mapping[str, Any], note: Note) -> str:
    """Return ``value`` as a JSON text that JSONB takes; ``note`` is called with what was mended."""
    data = encode(value, note)
    if len(data) > _LARGEST_JSON:
        raise PermanentStorageError(f"{len(data)} bytes of JSON are more than the {_LARGEST_JSON} that JSONB takes")
    if len(data) > _MAY_GROW_TOO_MUCH:
        written = int(len(data) * _WITH_SPACES) + _DIGITS * sum(1 for _ in _EXPONENT.finditer(data))
        if written > _LARGEST_TEXT:
            raise PermanentStorageError(
                f"{len(data)} bytes of JSON may be {written} once PostgreSQL has written them out, more than the "
                f"{_LARGEST_TEXT} that it can read"
            )
    if rb"\u0000" in data:
        data, count = _NUL.subn(rb"\1\\ufffd", data)
        if count:
            note(f"JSON: texts got U+FFFD in place of NUL ({count})")
    return data.decode()
