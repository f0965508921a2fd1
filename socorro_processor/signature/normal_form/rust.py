"""Rust: what its older mangling could not write.

_$LT$crane..Yard$u20$as$u20$core..ops..drop..Drop$GT$::drop  ->  <crane::Yard as core::ops::drop::Drop>::drop
"""

from __future__ import annotations

import re

_NAMED = {"LT": "<", "GT": ">", "RF": "&", "BP": "*", "LP": "(", "RP": ")", "C": ",", "SP": "@"}
_ESCAPE = re.compile(r"\$(?:(LT|GT|RF|BP|LP|RP|C|SP)|u([0-9a-f]{1,6}))\$")
_UNDERSCORE = re.compile(r"(?:(?<=::)|^)_(?=\$)")
"""A component that begins with an escape has it in front, for a symbol begins with a letter."""


def comes_from_rust(file: str) -> bool:
    return file[-3:].lower() == ".rs"


def has_escapes(name: str) -> bool:
    return "$" in name and _ESCAPE.search(name) is not None


def without_escapes(name: str) -> str:
    """Return the name with the characters that its escapes stand for, ``::`` for ``..``."""
    return _ESCAPE.sub(_character, _UNDERSCORE.sub("", name).replace("..", "::"))


def _character(escape: re.Match[str]) -> str:
    if escape[1]:
        return _NAMED[escape[1]]
    code = int(escape[2], 16)
    character = chr(code) if code <= 0x10FFFF else ""
    # Letters and digits of ASCII, `$` and `.` are never escaped: whoever does it wants an escape to come out.
    return escape[0] if not character or character in "$._" or (code < 0x80 and character.isalnum()) else character
