"""Make texts that the beginning of a regular expression matches: a few short ones that try its branches.

example_texts(r"(Rtl)?FreeHeap(<int>)?$")  # ["FreeHeap", "FreeHeap<int>", "RtlFreeHeap", "RtlFreeHeap<int>"]
"""

from __future__ import annotations

import re

# The module is private, but the only one that reads regular expressions as Python does. A test notices if it changes.
from re import _constants as opcodes  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

_MAXIMUM_TEXTS = 64
_MAXIMUM_LENGTH = 500
_CHARACTERS = "aT1_A0x:. <>()@#-"
"""Characters that are tried where an expression allows several."""
_REPEATS = (opcodes.MAX_REPEAT, opcodes.MIN_REPEAT, opcodes.POSSESSIVE_REPEAT)

_IN_CATEGORY = {
    opcodes.CATEGORY_WORD: re.compile(r"\w").match,
    opcodes.CATEGORY_DIGIT: re.compile(r"\d").match,
    opcodes.CATEGORY_SPACE: re.compile(r"\s").match,
    opcodes.CATEGORY_NOT_WORD: re.compile(r"\W").match,
    opcodes.CATEGORY_NOT_DIGIT: re.compile(r"\D").match,
    opcodes.CATEGORY_NOT_SPACE: re.compile(r"\S").match,
}


def example_texts(pattern: str) -> list[str]:
    """Return texts that ``pattern``, a regular expression, matches; none if none is found."""
    compiled = re.compile(pattern)
    return [text for text in dict.fromkeys(_texts(_parser.parse(pattern))) if compiled.match(text)]


def _texts(parsed: Any) -> list[str]:
    texts = [""]
    for operation, argument in parsed:
        pieces = _pieces(operation, argument)
        texts = [text + piece for text in texts for piece in pieces if len(text + piece) <= _MAXIMUM_LENGTH]
        texts = texts[:_MAXIMUM_TEXTS]
    return texts


def _pieces(operation: Any, argument: Any) -> list[str]:
    """Return texts that a part of an expression matches; the empty text for what only looks around."""
    if operation is opcodes.LITERAL:
        return [chr(argument)]
    if operation is opcodes.ANY:
        return ["a", "T"]
    if operation in (opcodes.NOT_LITERAL, opcodes.IN):
        return _of_class([(operation, argument)] if operation is opcodes.NOT_LITERAL else argument)
    if operation is opcodes.BRANCH:
        return [text for branch in argument[1] for text in _texts(branch)]
    if operation is opcodes.SUBPATTERN:
        return _texts(argument[-1])
    if operation is opcodes.ATOMIC_GROUP:
        return _texts(argument)
    if operation in _REPEATS:
        minimum, maximum, repeated = argument
        once = _texts(repeated)
        least = [text * min(minimum, _MAXIMUM_LENGTH) for text in once] if minimum else [""]
        return [*least, *once] if not minimum and maximum else least
    return [""]


def _of_class(members: Any) -> list[str]:
    """Return a few characters of a class, such as ``[a-z]`` and ``\\w``."""
    characters = _CHARACTERS + "".join(chr(value) for kind, value in members if kind is opcodes.LITERAL)
    characters += "".join(chr(value[0]) for kind, value in members if kind is opcodes.RANGE)
    return [each for each in dict.fromkeys(characters) if _is_member(each, members)][:2]


def _is_member(character: str, members: Any) -> bool:
    """Return True if a character is in a class, of which a ``^`` is the first member."""
    code, negated, is_in = ord(character), False, False
    for kind, value in members:
        if kind is opcodes.NEGATE:
            negated = True
        elif kind is opcodes.NOT_LITERAL:
            is_in |= code != value
        elif kind is opcodes.LITERAL:
            is_in |= code == value
        elif kind is opcodes.RANGE:
            is_in |= value[0] <= code <= value[1]
        elif kind is opcodes.CATEGORY:
            is_in |= _IN_CATEGORY[value](character) is not None
    return is_in != negated
