"""The part of an abort message that is the same for all crashes with the same cause.

    [Parent 4711, Main Thread] ###!!! ABORT: cannot open "/home/jane/a.db": file /src/a.cpp, line 88

becomes ``cannot open "<path>"``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from socorro_processor.signature.c_signature import truncate
from socorro_processor.signature.normal_form import one_line

MAXIMUM = 80
_LOOKED_AT = 100_000
"""Characters of a message that are read."""

_FONT = "unable to find a usable font"
_ADDRESS = re.compile(r"(?<![0-9A-Za-z_])0[xX][0-9a-fA-F]{4,}")
_PATH = re.compile(
    r"""
    \.{0,2}[/\\]        # /home, ./a, ../a, \\server
    | ~[^/\\]*[/\\]     # ~/a, ~jane/a
    | [A-Za-z]:[/\\]    # C:\a
    | [A-Za-z][A-Za-z0-9+.-]*://
    | (?:about|blob|data|file|javascript|mailto|view-source):
    """,
    re.VERBOSE,
)
_SEPARATOR = re.compile(r"[/\\]")


def stable_message(message: str) -> str:
    """Return the message without process, place, paths, addresses and translated text; empty if nothing is left."""
    message = without_place(message[:_LOOKED_AT]) or ""
    message = one_line(_without_translated_text(one_line(message)))
    message = _ADDRESS.sub("<addr>", "".join(_with_paths_hidden(message)))
    return truncate(message, MAXIMUM)


def without_place(message: str) -> str | None:
    """Return the message itself; None if there is only the place, which changes with every build."""
    if "###!!! ABORT: file " in message:
        return None
    # The process is in front of it: [Parent 1234] ###!!! ABORT: message: file a.cpp, line 1
    if "###!!! ABORT:" in message:
        message = message.partition("###!!! ABORT:")[2].strip()
    if ": file " in message:
        message = message.partition(": file ")[0].strip()
    return message


def _without_translated_text(message: str) -> str:
    """Leave out parentheses with letters beyond ASCII, and the one behind the message about fonts, with a name."""
    kept: list[str] = []
    done = 0
    for start, end in _parentheses(message):
        inner = message[start:end]
        is_name_of_font = message[:start].rstrip().endswith(_FONT)
        if is_name_of_font or any(character.isalpha() and not character.isascii() for character in inner):
            kept.append(message[done:start])
            done = end
    kept.append(message[done:])
    return "".join(kept)


def _parentheses(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each outermost pair of parentheses."""
    depth = start = 0
    for position, character in enumerate(text):
        if character == "(":
            if not depth:
                start = position
            depth += 1
        elif character == ")" and depth:
            depth -= 1
            if not depth:
                yield start, position + 1


def _with_paths_hidden(text: str) -> Iterator[str]:
    """Yield the parts of a text, with ``<path>`` for what is between quotes and is a path or an address of the web."""
    done = 0
    for start, end in _quoted(text):
        quoted = text[start:end]
        if start >= done and (_PATH.match(quoted) or (_SEPARATOR.search(quoted) and " " not in quoted)):
            yield text[done:start]
            yield "<path>"
            done = end
    yield text[done:]


def _quoted(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each text between two quotes of the same kind, without others of that kind in it.

    An apostrophe at the end of a word opens no quotation, and one at its beginning closes none.
    """
    pairs = []
    for mark in "\"'":
        opening = text.find(mark)
        while (closing := text.find(mark, opening + 1)) >= 0:
            if not (text[opening - 1 : opening].isalnum() or text[closing + 1 : closing + 2].isalnum()):
                pairs.append((opening + 1, closing))
            opening = closing
    return iter(sorted(pairs))
