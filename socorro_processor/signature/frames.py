"""The normal form of a frame: what a signature calls it.

    nsTArray<RefPtr<Foo> >::Append(Foo *,int)  ->  nsTArray<T>::Append(Foo*, int)

Function names come from symbol files and are as long and as twisted as somebody likes, so each step
takes time in proportion to the length, and the length has a limit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from socorro_processor.signature.siglists import PatternList

MAXIMUM_NAME_LENGTH = 4096
"""Characters of a function's, a file's or a module's name that are looked at; the rest is as good as not there."""


@dataclass(frozen=True)
class Brackets:
    """A pair of brackets, and what becomes of what it holds."""

    opening: str
    closing: str
    opened: str
    """Written where an outermost pair opens. Where it never closes, nothing more is written."""
    closed: str
    exempt: tuple[str, ...]
    """Words that, directly before or behind an opening bracket, keep it and the next closing one."""
    tokens: re.Pattern[str]
    """Finds the brackets, and whole what only looks like one."""


_PLACEHOLDER = re.compile(r"<(?:unknown|\.\S+ ELF section) in [^<>]*>")
"""What symbol files call code of which they know no function."""

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
    """The normal form of ``frame``, an object of the stackwalker's JSON; whatever it holds, a string comes back."""
    if cached := _text(frame, "normalized"):
        return cached
    line = frame.get("line")
    function = _text(frame, "function")[:MAXIMUM_NAME_LENGTH]
    if _PLACEHOLDER.fullmatch(function):
        function = ""
    # Of a function that is one argument list, nothing may be left.
    if name := _function(function, line, with_line_numbers, collapse_arguments):
        return name
    if (file := _text(frame, "file")) and isinstance(line, int | str) and line:
        return f"{_base_name(file)}#{_scalar(line)}"
    if module := _text(frame, "module"):
        return f"{module[:MAXIMUM_NAME_LENGTH]}@{_scalar(frame.get('module_offset'))}"
    return f"@{_scalar(frame.get('offset'))}"


def as_walked(frame: object) -> str:
    """Return what the stackwalker says of a frame, before anything is made of it: a function, or a module's address."""
    if not isinstance(frame, Mapping):
        return ""
    if function := _text(frame, "function"):
        return function[:MAXIMUM_NAME_LENGTH]
    if module := _text(frame, "module"):
        return f"{module[:MAXIMUM_NAME_LENGTH]} + {_scalar(frame.get('module_offset'))}"
    return _scalar(frame.get("offset"))


def collapse(text: str, brackets: Brackets) -> str:
    """Replace what the outermost brackets hold, nested ones and all."""
    kept: list[str] = []
    done = 0  # up to here `text` is dealt with
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
    # A space after each comma, without a second one where there is one already.
    return function.replace(", ", ",").replace(",", ", ")


def _base_name(file: str) -> str:
    # A file with a backslash comes from Windows; there a slash may stand within a name's last part.
    file = file[-MAXIMUM_NAME_LENGTH:].rstrip("/\\")
    return file.rsplit("\\" if "\\" in file else "/", 1)[-1]


def _text(frame: Mapping[str, Any], key: str) -> str:
    value = frame.get(key)
    return value if isinstance(value, str) else ""


def _scalar(value: object) -> str:
    """A number or a string as it is; what belongs into no signature, an object or a list, as None."""
    return str(value)[:100] if isinstance(value, int | str) else "None"
