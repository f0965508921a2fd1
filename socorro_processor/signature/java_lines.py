"""Read the lines of a Java stack trace, as the JVM and Android print it, without the messages.

    java.lang.IllegalStateException: box 17 is locked  THROWN
        at org.harbor.Crane.lift(Crane.java:212)       FRAME
        Suppressed: java.io.IOException: box 17        SUPPRESSED
            at org.harbor.Box.close(Box.java:5)        FRAME
    Caused by: java.io.EOFException: end of file       CAUSE
        ... 2 more                                     MORE

The form is that of ``Throwable.printStackTrace`` in the Java API. A message may have any number of lines, hold a user's
data, and look like anything, even like a frame. What is none of these lines belongs to one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

_LINE_LENGTH = 4096
"""Characters of a line, and of the white space before it, that are looked at."""
_LINE_END = re.compile(r"[\r\n]+")
_THREAD = 'Exception in thread "'
_END_OF_THREAD = re.compile(r'"\s+')
_CLASS = re.compile(r"(?P<name>(?:[^\W\d]|\$)[\w$]*+(?:[./-][\w$]++)*+)\s*+(?::|\Z)")
_FRAME = re.compile(r"at\s+(?P<method>[^\s().]++\.[^\s()]++)\((?P<file>[^()]*+)\)")
_MORE = re.compile(r"\.\.\. [0-9]{1,9} (?:more|common frames omitted)")


class Kind(Enum):
    THROWN = "the exception that was thrown; the first line, and no other"
    CAUSE = "an exception that caused the one before"
    SUPPRESSED = "an exception that was suppressed"
    FRAME = "a frame"
    MORE = "frames that are left out, because they are those of the exception before"


_NAMED = {"Caused by:": Kind.CAUSE, "Suppressed:": Kind.SUPPRESSED}
_SHOWS_A_STACK = (Kind.FRAME, Kind.MORE)


@dataclass(frozen=True)
class Line:
    """A line of a stack trace, without a message."""

    kind: Kind
    indentation: str
    text: str
    """Without indentation, as in ``Caused by: java.io.EOFException``."""
    name: str = ""
    """Class of an exception, empty if that cannot be read; or class and method of a frame."""
    file: str = ""
    """In parentheses behind a frame, as in ``Crane.java:212``; may be empty."""

    def __str__(self) -> str:
        return self.indentation + self.text

    @property
    def is_surely_a_class(self) -> bool:
        """True if the name is that of a class, even if no frame follows, and not a word of some text."""
        _, dot, last = self.name.rpartition(".")
        return bool(dot) and last[:1].isupper()


def read_lines(text: str) -> list[Line] | None:
    """Return the lines of a stack trace; None if a text is not one.

    A line that may be the beginning of a message counts only if a stack follows.
    """
    texts = ((line, line.strip()[:_LINE_LENGTH]) for line in _LINE_END.split(text))
    filled = ((whole[: len(whole) - len(whole.lstrip())][:_LINE_LENGTH], line) for whole, line in texts if line)
    _, first = next(filled, ("", ""))
    thrown = _thrown(first)
    if thrown is None:
        return None
    lines = [thrown, *filter(None, (_line(indentation, line) for indentation, line in filled))]
    if not thrown.is_surely_a_class and not any(line.kind is Kind.FRAME for line in lines):
        return None
    return [thrown, *_named_surely(lines)]


def _thrown(line: str) -> Line | None:
    if not line.startswith(_THREAD):
        return _exception(Kind.THROWN, "", "", line)
    # The name of the thread may have quotes, too.
    ends = _END_OF_THREAD.finditer(line, len(_THREAD))
    return next(filter(None, (_exception(Kind.THROWN, "", "", line[end.end() :]) for end in ends)), None)


def _line(indentation: str, line: str) -> Line | None:
    """Return a line below the first; None if it is part of a message."""
    if match := _FRAME.match(line):
        method, file = match["method"], match["file"]
        return Line(Kind.FRAME, indentation, f"at {method}({file})", method, file)
    if match := _MORE.match(line):
        return Line(Kind.MORE, indentation, match[0])
    for named, kind in _NAMED.items():
        if line.startswith(named):
            exception = _exception(kind, indentation, f"{named} ", line.removeprefix(named).lstrip())
            return exception or Line(kind, indentation, named)
    return None


def _exception(kind: Kind, indentation: str, before: str, text: str) -> Line | None:
    match = _CLASS.match(text)
    return Line(kind, indentation, before + match["name"], match["name"]) if match else None


def _named_surely(lines: list[Line]) -> Iterator[Line]:
    """Yield the lines below the first, without those of messages that only begin like the name of an exception."""
    for line, following in pairwise([*lines[1:], None]):
        if line and (line.kind not in _NAMED.values() or line.is_surely_a_class or _is_named(line, following)):
            yield line


def _is_named(line: Line, following: Line | None) -> bool:
    """Return True if a stack follows an exception whose class may be any word, or cannot be read.

    A class cannot be read if the exception prints itself in its own way. Frames of suppressed ones are indented more.
    """
    if following is None or following.kind not in _SHOWS_A_STACK:
        return False
    if line.kind is Kind.SUPPRESSED:
        return 0 < len(line.indentation) < len(following.indentation)
    return bool(line.name)
