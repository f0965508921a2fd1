"""White space and invisible characters in texts that strangers wrote.

one_line(" acme::Sh\\x07op::close(\\n\\tint) ")  # "acme::Shop::close( int)"
"""

from __future__ import annotations

import re
import unicodedata

_WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""Unicode's property White_Space (PropList.txt)."""
_RUN_OF_WHITE_SPACE = re.compile(f"[{re.escape(_WHITE_SPACE)}]+")
_INVISIBLE_CATEGORIES = frozenset(("Cc", "Cf", "Cs"))
"""Control and format characters, lone surrogates."""
_INVISIBLE_RANGES = (
    (0x034F, 0x034F),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2065, 0x2065),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0xE0000, 0xE0FFF),
)
"""Code points of Unicode's property Default_Ignorable_Code_Point that are in other categories, first and last."""


def one_line(text: str) -> str:
    """Return ``text`` with one space for any white space, none at the ends, and without what cannot be seen."""
    if text.isascii() and text.isprintable():
        if "  " not in text and text == text.strip():
            return text
    else:
        text = _RUN_OF_WHITE_SPACE.sub(" ", text)
        if not text.isprintable() or not text.isascii():
            text = "".join(character for character in text if not _is_invisible(character))
    # A character that is dropped may have stood between two spaces.
    return " ".join(part for part in text.split(" ") if part)


def _is_invisible(character: str) -> bool:
    if unicodedata.category(character) in _INVISIBLE_CATEGORIES:
        return True
    code = ord(character)
    return code >= _INVISIBLE_RANGES[0][0] and any(first <= code <= last for first, last in _INVISIBLE_RANGES)
