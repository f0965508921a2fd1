"""Places where a browser may break a name that is too long for its line.

    breakable("std::map<int, Rect>::find")  ->  std::<wbr>map&lt;<wbr>int, Rect&gt;::<wbr>find

The text stays what it is: who copies it gets no further character.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from markupsafe import Markup, escape

from socorro_processor.untrusted import plain

_BEHIND = re.compile(r"(?:::|[<,(|/\\@;])+(?=.)")
"""The signs behind which words are broken."""
_BEHIND_IN_LONG_PARTS = re.compile(r"[_.$-]+(?=.)")
_LONG = 16
"""A part of more characters is also broken behind its underscores and points."""
_LONGEST = 40
"""No part has more characters, so that a column of names is not wider."""


def breakable(text: object) -> Markup:
    """Return a text as HTML, with ``<wbr>`` where it may be broken besides at its spaces."""
    words = plain(text).split(" ")
    return Markup(" ").join(Markup("<wbr>").join(map(escape, _parts_of(word))) for word in words)


def _parts_of(word: str) -> Iterator[str]:
    for part in _split(word, _BEHIND):
        for each in _split(part, _BEHIND_IN_LONG_PARTS) if len(part) > _LONG else (part,):
            # The empty text has one part, too.
            for start in range(0, len(each) or 1, _LONGEST):
                yield each[start : start + _LONGEST]


def _split(text: str, behind: re.Pattern[str]) -> Iterator[str]:
    start = 0
    for sign in behind.finditer(text):
        # Nothing stands alone before a sign, such as that of <T>.
        if start < sign.start():
            yield text[start : sign.end()]
            start = sign.end()
    yield text[start:]
