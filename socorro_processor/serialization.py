"""Read and write JSON so that no input can break it.

    annotations = decode(data, crash.note)
    data = encode(annotations)

orjson does the work. It refuses some input and would silently lose some values: the standard library
reads those, and this module mends them. Lone surrogates become U+FFFD; NaN and infinities become null;
integers beyond 64 bits become text; values nested deeper than 200 become null. Each kind is noted once.
``encode`` takes what ``decode`` returns without a note.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import marshal
import math
import pathlib
import re
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import orjson

Note = Callable[[str], None]
"""A function that receives what had to be mended or left out, in words for the reader of the crash."""


def ignore(text: str) -> None:
    """Do nothing: the Note of a caller that needs none."""


MAXIMUM_DEPTH = 200
"""Levels of arrays and objects; deeper ones are cut."""

_INTEGERS = range(-(2**63), 2**64)
"""The integers that orjson takes."""


class NotJSON(ValueError):
    """The bytes are not JSON, and cannot be mended."""


def decode(data: bytes, note: Note = ignore) -> Any:
    """Return the value of a JSON text in UTF-8, mended if necessary. Raises only NotJSON."""
    try:
        value = _decode_if_shallow(data)
    except ValueError:
        return _decode_mending(data, note)
    if _is_flat(value) or not _has_large_integer(data):
        return value
    return _decode_mending(data, note)


def encode(value: Any, note: Note = ignore) -> bytes:
    """Return ``value`` as JSON in UTF-8, mended if necessary; ``value`` itself is not changed.

    Dates and times are written in ISO 8601, bytes as text, sets as arrays. Any other object is written as the
    name of its type, with a note, so that no crash is lost because a rule left an odd object in it.
    """
    try:
        if _is_flat(value):
            return orjson.dumps(value)
        if not _has_lossy_float(value):
            return _encode_if_shallow(value)
    except (TypeError, ValueError):
        pass
    mends = _Mends()
    data = orjson.dumps(mends.mended(value))
    mends.tell(note)
    return data


_FLAT_TYPES = frozenset((str, int, bool, type(None)))


def _is_flat(value: Any) -> bool:
    """Return True for an object of only texts, whole numbers, booleans and nulls, as most annotations are.

    It has no nesting and no floats, so orjson loses nothing in either direction.
    """
    return type(value) is dict and _FLAT_TYPES.issuperset(map(type, value.values()))


# orjson has its own limits on depth: 1024 to read, 254 to write. Wrapping the text or value in arrays brings them down
# to MAXIMUM_DEPTH; that is much cheaper than measuring the depth.
_READ_WRAPPING = 1024 - MAXIMUM_DEPTH
_WRITE_WRAPPING = 254 - MAXIMUM_DEPTH
_SMALL = 64 * 1024  # bytes


def _decode_if_shallow(data: bytes) -> Any:
    """Decode by orjson alone. Raises ValueError if it cannot read the text, or the text is nested too deeply."""
    if len(data) < _SMALL:
        value = orjson.loads(data)
        if _is_flat(value) or data.count(b"[") + data.count(b"{") <= MAXIMUM_DEPTH:
            return value
    value = orjson.loads(b"".join((b"[" * _READ_WRAPPING, data, b"]" * _READ_WRAPPING)))
    for _ in range(_READ_WRAPPING):
        # Text that is JSON only inside the wrapping (`1],[2`) adds a second item to one of its arrays.
        (value,) = value
    return value


_DIGITS = bytes(byte in b"0123456789" for byte in range(256))
_LONG_RUN = b"\1" * len(str(2**63))
_NO_DIGIT = re.compile(rb"[^0-9]")
_BEFORE_A_NUMBER = frozenset((b"", b"[", b":", b",", b" ", b"\n", b"\r", b"\t"))
_WITHIN_A_FLOAT = frozenset((b".", b"e", b"E"))
PART = 1 << 20
"""Bytes that are searched for large integers at once."""


def _has_large_integer(data: bytes) -> bool:
    """Return True if valid JSON has an integer beyond 64 bits, which orjson would silently turn into a float.

    Digits in a text count too if they look the same, which costs only time. The data are searched in parts, so that
    the copies are small.
    """
    for first in range(0, len(data), PART):
        digits = data[first : first + PART + len(_LONG_RUN) - 1].translate(_DIGITS)
        at = digits.find(_LONG_RUN)
        while at >= 0:
            if _begins_large_integer(data, first + at):
                return True
            at = digits.find(_LONG_RUN, at + len(_LONG_RUN))
    return False


def _begins_large_integer(data: bytes, start: int) -> bool:
    """Return True if the digits from ``start`` on are an integer beyond 64 bits."""
    if data[start - 1 : start] == b"-":
        start -= 1
    if data[max(start - 1, 0) : start] not in _BEFORE_A_NUMBER:
        return False
    match = _NO_DIGIT.search(data, start + 1)
    end = match.start() if match else len(data)
    if data[end : end + 1] in _WITHIN_A_FLOAT:
        return False
    return end - start > len(str(2**64)) or int(data[start:end]) not in _INTEGERS


def _decode_mending(data: bytes, note: Note) -> Any:
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    mends = _Mends()
    mends["bytes that are not UTF-8 became U+FFFD"] = text.count("\ufffd") - data.count("\ufffd".encode())
    text = mends.without_depth(text)
    try:
        value = json.loads(text, strict=False, parse_int=mends.integer)
    except ValueError as error:
        # The message of a JSONDecodeError quotes no text, but its `doc` is the whole text.
        raise NotJSON(f"not JSON: {error}") from None
    value = mends.mended(value)
    mends.tell(note)
    return value


# The floats as marshal writes them, without the byte for their type. Their last byte does not occur in UTF-8 text
# (except 7F, delete), so there are few places to check.
_LOSSY_FLOATS = frozenset(marshal.dumps(lossy)[1:] for lossy in (math.nan, -math.nan, math.inf, -math.inf))
_LAST_BYTES = (b"\x7f", b"\xff")


def _has_lossy_float(value: Any) -> bool:
    """Return True if there may be a NaN or an infinity, which orjson silently turns into null.

    marshal is the fastest way to find every float. It also raises ValueError for values that would crash orjson:
    tuples nested about ten thousand deep.
    """
    data = marshal.dumps(value)
    for last in _LAST_BYTES:
        at = data.find(last)
        while at >= 0:
            if data[at - 7 : at + 1] in _LOSSY_FLOATS:
                return True
            at = data.find(last, at + 1)
    return False


def _encode_if_shallow(value: Any) -> bytes:
    """Encode by orjson alone. Raises TypeError if it cannot write ``value``, or ``value`` is nested too deeply."""
    for _ in range(_WRITE_WRAPPING):
        value = [value]
    return orjson.dumps(value)[_WRITE_WRAPPING:-_WRITE_WRAPPING]


_STRUCTURE = re.compile(r'[\[{]+|[\]}]+|"|\\.', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")

_MAXIMUM_DECIMAL_BITS = 2048
"""Larger integers are written in hexadecimal; for decimal, Python refuses or takes quadratic time."""

_CUT_NOTE = f"values nested deeper than {MAXIMUM_DEPTH} became null"


class _Mends(Counter[str]):
    """The number of things that were mended in one value, by kind."""

    def tell(self, note: Note) -> None:
        for kind, count in self.items():
            if count:
                note(f"JSON: {kind} ({count})")

    def without_depth(self, text: str) -> str:
        """Return JSON text with null for values nested too deeply, which the recursive ``json`` cannot read."""
        if text.count("[") + text.count("{") <= MAXIMUM_DEPTH:
            return text
        kept: list[str] = []
        start = depth = 0
        in_text = False
        for token in _STRUCTURE.finditer(text):
            first, length = text[token.start()], token.end() - token.start()
            if first == '"':
                in_text = not in_text
            elif in_text or first == "\\":
                continue
            elif first in "[{":
                if depth <= MAXIMUM_DEPTH < depth + length:
                    kept.append(text[start : token.start() + MAXIMUM_DEPTH - depth])
                    kept.append("null")
                    self[_CUT_NOTE] += 1
                depth += length
            else:
                if depth - length <= MAXIMUM_DEPTH < depth:
                    start = token.start() + depth - MAXIMUM_DEPTH
                depth -= length
        if depth <= MAXIMUM_DEPTH:
            kept.append(text[start:])
        return "".join(kept)

    def integer(self, digits: str) -> int | str:
        """Return the integer, or its digits if it is beyond 64 bits."""
        if len(digits) <= len(str(2**64)) and (number := int(digits)) in _INTEGERS:
            return number
        self["integers beyond 64 bits became text"] += 1
        return digits

    def mended(self, value: Any) -> Any:
        """Return a copy of ``value`` that is valid JSON. Not recursive: the caller's stack may be nearly full."""
        top = [value]
        copies: list[tuple[Any, int, Any]] = [(top, 0, None)]
        ancestors: set[int] = set()
        while copies:
            copy, depth, original = copies.pop()
            if copy is None:
                ancestors.discard(id(original))
                continue
            if original is not None:
                ancestors.add(id(original))
                copies.append((None, depth, original))
            for key, item in copy.items() if isinstance(copy, dict) else enumerate(copy):
                if isinstance(item, enum.Enum):
                    item = item.value
                if isinstance(item, (str, int, float, type(None))):
                    copy[key] = self._scalar(item)
                elif not isinstance(item, (Mapping, list, tuple, set, frozenset)):
                    copy[key] = self._object(item)
                elif depth == MAXIMUM_DEPTH or id(item) in ancestors:
                    self[_CUT_NOTE] += 1
                    copy[key] = None
                else:
                    copy[key] = self._mapping(item) if isinstance(item, Mapping) else list(item)
                    copies.append((copy[key], depth + 1, item))
        return top[0]

    def _mapping(self, mapping: Mapping[Any, Any]) -> dict[str, Any]:
        """Return a copy whose keys are text and whose values are not yet mended."""
        return {self._key(key): value for key, value in mapping.items()}

    def _key(self, key: Any) -> str:
        if isinstance(key, str):
            return self._text(key)
        self["keys that are not text became text"] += 1
        key = self._scalar(key) if isinstance(key, (int, float, type(None))) else self._object(key)
        return key if isinstance(key, str) else json.dumps(key)

    def _scalar(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int) and value not in _INTEGERS:
            self["integers beyond 64 bits became text"] += 1
            return str(value) if value.bit_length() <= _MAXIMUM_DECIMAL_BITS else hex(value)
        if isinstance(value, float) and not math.isfinite(value):
            self["NaN and infinite numbers became null"] += 1
            return None
        return value

    def _text(self, text: str) -> str:
        if text.isascii() or not _SURROGATE.search(text):
            return text
        self["texts with lone surrogates got U+FFFD in their place"] += 1
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def _object(self, value: Any) -> str:
        if isinstance(value, (datetime.date, datetime.time)):
            return value.isoformat()
        if isinstance(value, (uuid.UUID, pathlib.PurePath, decimal.Decimal)):
            return self._text(str(value))
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        self[f"values of the type {type(value).__name__[:60]} became its name"] += 1
        return type(value).__name__
