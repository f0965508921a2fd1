"""The normal form of a frame: its name in signatures.

    nsTArray<RefPtr<Foo> >::Append(Foo *,int)  ->  nsTArray<T>::Append(Foo*, int)

Function names come from symbol files, and can be of any length and form. Therefore each step takes time in proportion
to the length, and the length has a limit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from socorro_processor.signature.siglists import PatternList

MAXIMUM_NAME_LENGTH = 4096
"""Characters of the name of a function, file or module that are looked at; the rest is ignored."""


@dataclass(frozen=True)
class Brackets:
    """A pair of brackets, and the text that replaces its content."""

    opening: str
    closing: str
    opened: str
    """Text in place of the opening bracket of an outermost pair. If that never closes, nothing more is written."""
    closed: str
    exempt: tuple[str, ...]
    """Words directly before or behind an opening bracket that protect it and the next closing one."""
    tokens: re.Pattern[str]
    """A pattern that finds the brackets, and operators that only look like them, as a whole."""


_PLACEHOLDER = re.compile(r"<(?:unknown|\.\S+ ELF section) in [^<>]*>")
"""The name that symbol files give to code whose function they do not know."""

TEMPLATES = Brackets(
    opening="<",
    closing=">",
    opened="<",
    closed="T>",
    exempt=("name omitted", "IPC::ParamTraits"),
    tokens=re.compile(r"\boperator(?:<<=?|<=>?|>>?=?|->\*?)|->|[<>]"),
)
ARGUMENTS = Brackets(
    opening="(",
    closing=")",
    opened="",
    closed="",
    exempt=("anonymous namespace", "operator"),
    tokens=re.compile(r"[()]"),
)


def normalize(frame: Mapping[str, Any], with_line_numbers: PatternList, *, collapse_arguments: bool = False) -> str:
    """Return the normal form of ``frame``, an object of the stackwalker's JSON; always a string."""
    if cached := _text(frame, "normalized"):
        return cached
    line = frame.get("line")
    function = _text(frame, "function")[:MAXIMUM_NAME_LENGTH]
    if _PLACEHOLDER.fullmatch(function):
        function = ""
    # If the function is nothing but an argument list, nothing may be left of it.
    if name := _function(function, line, with_line_numbers, collapse_arguments):
        return name
    if (file := _text(frame, "file")) and isinstance(line, int | str) and line:
        return f"{_base_name(file)}#{_scalar(line)}"
    if module := _text(frame, "module"):
        return f"{module[:MAXIMUM_NAME_LENGTH]}@{_scalar(frame.get('module_offset'))}"
    return f"@{_scalar(frame.get('offset'))}"


def as_walked(frame: object) -> str:
    """Return the text of the stackwalker for a frame, unchanged: a function, or an address in a module."""
    if not isinstance(frame, Mapping):
        return ""
    if function := _text(frame, "function"):
        return function[:MAXIMUM_NAME_LENGTH]
    if module := _text(frame, "module"):
        return f"{module[:MAXIMUM_NAME_LENGTH]} + {_scalar(frame.get('module_offset'))}"
    return _scalar(frame.get("offset"))


def collapse(text: str, brackets: Brackets) -> str:
    """Replace the content of the outermost brackets, including nested ones."""
    kept: list[str] = []
    done = 0  # the position up to which `text` is handled
    depth = 0
    exempt = False  # the next closing bracket belongs to an exempt opening one
    words = tuple(word for word in brackets.exempt if word in text)
    for token in brackets.tokens.finditer(text):
        symbol = token.group()
        if not depth:
            kept.append(text[done : token.start()])
        done = token.end()
        if symbol == brackets.opening and not (words and _is_exempt(text, token, words)):
            depth += 1
            if depth == 1:
                kept.append(brackets.opened)
        elif symbol == brackets.closing and depth and not exempt:
            depth -= 1
            if not depth:
                kept.append(brackets.closed)
        else:
            if symbol in (brackets.opening, brackets.closing):
                exempt = symbol == brackets.opening
            if not depth:
                kept.append(symbol)
    if not depth:
        kept.append(text[done:])
    return "".join(kept)


def _is_exempt(text: str, bracket: re.Match[str], words: tuple[str, ...]) -> bool:
    return text.startswith(words, bracket.end()) or text.endswith(words, 0, bracket.start())


def _function(function: str, line: object, with_line_numbers: PatternList, collapse_arguments: bool) -> str:
    function = collapse(function, TEMPLATES)
    if collapse_arguments:
        function = collapse(function, ARGUMENTS)
    if function and with_line_numbers.matches(function):
        function = f"{function}:{_scalar(line)}"
    for symbol in "*&,":
        function = function.replace(f" {symbol}", symbol)
    # One space after each comma, even if there is one already.
    return function.replace(", ", ",").replace(",", ", ")


def _base_name(file: str) -> str:
    # A path with a backslash comes from Windows, where a slash may be in the last part of the name.
    file = file[-MAXIMUM_NAME_LENGTH:].rstrip("/\\")
    return file.rsplit("\\" if "\\" in file else "/", 1)[-1]


def _text(frame: Mapping[str, Any], key: str) -> str:
    value = frame.get(key)
    return value if isinstance(value, str) else ""


def _scalar(value: object) -> str:
    """Return the text of a number or a string; ``None`` for an object or a list, which must not be in a signature."""
    return str(value)[:100] if isinstance(value, int | str) else "None"
