"""Forms that single fields have beyond their type, by the name of the field.

A form takes the value of the source as it is. It returns the value of the field, or None if there is nothing to say,
and raises NotOfType.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from socorro_processor.fields.values import NotOfType, array, cleaned, converted, integer, string, without_nuls

_MAIN_PROCESS = "parent"
_OTHER_NAMES_OF_MAIN = ("main", "browser")
_WITH_SORTED_KEYS = json.JSONEncoder(sort_keys=True)
_LINE_END = re.compile(r"[\r\n]+")


def parent_or_other(value: object) -> str:
    """Return the kind of process, whose main one has several names."""
    kind = string(value).strip()
    return _MAIN_PROCESS if kind in _OTHER_NAMES_OF_MAIN else kind


def words_between_commas(value: object) -> list[str] | None:
    return _texts(value, ",")


def lines(value: object) -> list[str] | None:
    """Return the lines that are not empty."""
    return _texts(value, _LINE_END)


def _texts(value: object, separator: str | re.Pattern[str]) -> list[str] | None:
    if isinstance(value, list):
        texts = [string(item) for item in value]
    elif isinstance(separator, str):
        texts = [text.strip() for text in string(value).split(separator)]
    else:
        texts = [text.rstrip() for text in separator.split(string(value))]
    return [text for text in texts if text.strip()] or None


def list_of_texts(value: object) -> list[str]:
    texts = array(value)
    if not all(isinstance(text, str) for text in texts):
        raise NotOfType("a list of texts")
    return texts


def breadcrumbs(value: object) -> list[dict[str, Any]]:
    """Return a list of objects; Sentry's clients have it within ``values``."""
    found = converted(value, "object") if _is_object(value) else {"values": value}
    items = array(found.get("values"))
    if not all(isinstance(item, dict) for item in items):
        raise NotOfType("a list of objects")
    return items


def _is_object(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, str) and value.lstrip("\0 \t\r\n\ufeff").startswith("{"))


def hexadecimal(value: object) -> str:
    """Return an address as people write it; it is sent as a decimal number."""
    number = _unsigned(value)
    return f"0x{number:x}"


def microcode(value: object) -> str:
    """Return a version of microcode; old stackwalkers print it as a number."""
    return hexadecimal(value) if type(value) is int else string(value)


def json_of_records(value: object) -> str | None:
    """Return the JSON of an object or a list with its keys in order; None if it has no records."""
    if not isinstance(value, dict | list):
        raise NotOfType("an object or a list")
    records = value.get("records") if isinstance(value, dict) else value
    return _WITH_SORTED_KEYS.encode(value) if records else None


def json_text(value: object) -> str:
    """Return a text as it is, and an object, which clients send who do not quote it, as JSON."""
    return _WITH_SORTED_KEYS.encode(without_nuls(value)) if isinstance(value, dict) else string(value)


def stripped(value: object) -> str:
    return string(value).strip()


def _unsigned(value: object) -> int:
    """Return a number of 64 bits without a sign, which may be a decimal text."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,20}", text := cleaned(value).strip(), re.ASCII):
        value = int(text)
    elif type(value) is not int:
        value = integer(value)
    if value not in range(2**64):
        raise NotOfType("an address as a decimal number")
    return value


FORMS: Mapping[str, Callable[[object], Any]] = {
    "async_shutdown_timeout": json_text,
    "breadcrumbs": breadcrumbs,
    "cpu_microcode_version": microcode,
    "crash_inconsistencies": list_of_texts,
    "list_annotations": lines,
    "mac_boot_args": stripped,
    "mac_crash_info": json_of_records,
    "phc_base_address": hexadecimal,
    "process_type": parent_or_other,
    "soft_errors": json_of_records,
    "utility_actors_name": words_between_commas,
}
