"""Remove characters that must not be in a signature: they are invisible, but have an effect.

without_control_characters("Abort | a\n\x1b[31mb")  # "Abort | a [31mb"
"""

from __future__ import annotations

import re
import unicodedata

_CATEGORIES = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
"""Categories of Unicode: control and format characters, lone surrogates, separators of lines and paragraphs."""
_MARK = "\0"
_RUN = re.compile(rf"[\s{_MARK}]+")


def has_control_characters(text: str) -> bool:
    return not text.isprintable() and any(map(_is_control, text))


def without_control_characters(text: str) -> str:
    """Replace each run of control characters, and the spaces around it, with one space; strip those at the ends."""
    if not has_control_characters(text):
        return text
    marked = "".join(_MARK if _is_control(character) else character for character in text)
    return _RUN.sub(lambda run: " " if _MARK in run[0] else run[0], marked).strip()


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in _CATEGORIES
