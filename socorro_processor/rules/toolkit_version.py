"""The order of Mozilla's version numbers, which differs from that of other programs.

    ToolkitVersion("17.0a1") < ToolkitVersion("17") == ToolkitVersion("17.0.0") < ToolkitVersion("17.0.1pre")

https://developer.mozilla.org/docs/Mozilla/Toolkit_version_format
"""

from __future__ import annotations

import re
from functools import total_ordering

_PARTS = 10
_DIGITS = 20
# A part is number, word, number, word, each of them optional: 0b12pre. The pattern must not be ambiguous, because
# versions come from anywhere.
_PART = re.compile(r"(-?[0-9]*)([^0-9+-]*)([+-]?[0-9]*)(.*)", re.ASCII | re.DOTALL)
_WORD_AFTER_ALL = "\U0010ffff"
"""The key of a missing word: 1.0 is newer than 1.0 followed by any word, such as 1.0a."""

_Key = tuple[float, str, float, str]
_NOTHING: _Key = (0, _WORD_AFTER_ALL, 0, _WORD_AFTER_ALL)


@total_ordering
class ToolkitVersion:
    """A version that compares as in the toolkit. Any text is a version: a word alone means 0 and the word."""

    def __init__(self, text: str) -> None:
        parts = [_key(part[:100]) for part in text.strip().split(".", _PARTS)[:_PARTS]]
        while parts and parts[-1] == _NOTHING:
            parts.pop()
        # A shorter version is continued with empty parts, which other parts may be above or below.
        self._key = (*parts, *[_NOTHING] * (_PARTS - len(parts)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ToolkitVersion) and self._key == other._key

    def __lt__(self, other: ToolkitVersion) -> bool:
        return self._key < other._key

    def __hash__(self) -> int:
        return hash(self._key)


def _key(part: str) -> _Key:
    if part == "*":
        return (float("inf"), _WORD_AFTER_ALL, 0, _WORD_AFTER_ALL)
    number, word, second, rest = _PART.fullmatch(part).groups()  # type: ignore[union-attr] # it matches any text
    if second == "+" and not word and not rest:
        # 1.0+ is the version that leads up to 1.1: 1.1pre
        return (_number(number) + 1, "pre", 0, _WORD_AFTER_ALL)
    return (_number(number), word or _WORD_AFTER_ALL, _number(second), rest or _WORD_AFTER_ALL)


def _number(text: str) -> float:
    digits = text[: _DIGITS + 1]
    return int(digits) if digits.strip("+-") else 0
