"""Find what a Java stack trace is about: as the JVM and Android print it, or as some clients send it, as an object.

    java.lang.IllegalStateException: box 17 is locked
        at org.harbor.Crane.lift(Crane.java:212)
    Caused by: java.io.EOFException: end of file
        at org.harbor.Manifest.read(Manifest.java:8)

is about ``java.io.EOFException: at org.harbor.Manifest.read(Manifest.java)``: the last cause, without its message and
without what differs between builds and runs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from socorro_processor.signature.java_lines import Kind, read_lines

_TEXT_LENGTH = 4096
"""Characters of a text of an object that are looked at."""

_LINE_NUMBER = re.compile(r":-?[0-9]+$")
_MODULE_VERSION = re.compile(r"@[^@/\s]*(?=/)")
_LAMBDA = re.compile(r"\$\$Lambda(?:\$[0-9]+)?(?:/(?:0x)?[0-9a-fA-F]+)?(?![\w$])")
_HIDDEN_CLASS = re.compile(r"(?<=[\w$])/(?:0x[0-9a-fA-F]+|[0-9]+)(?![\w$])")
_MAP_OF_R8 = re.compile(r"r8-map-id-\w+")


@dataclass(frozen=True)
class JavaException:
    """A class of exception, and the method that threw it."""

    class_name: str
    frame: str
    """The topmost frame, as in ``org.harbor.Crane.lift(Crane.java)``; empty if there is none."""

    def __str__(self) -> str:
        return f"{self.class_name}: at {self.frame}" if self.frame else self.class_name


def read_printed_stack(text: str) -> JavaException | None:
    """Return the exception that a printed stack trace is about: the last cause. None if it is not a stack trace.

    Suppressed exceptions and their causes do not count.
    """
    exceptions = read_printed_exceptions(text)
    return exceptions[-1] if exceptions else None


def read_printed_exceptions(text: str) -> list[JavaException]:
    """Return the exception that was thrown, and its causes; none if the text is not a stack trace.

    Suppressed exceptions and their causes do not count.
    """
    exceptions: list[JavaException] = []
    suppressed: int | None = None  # the indentation of the suppressed exception that is being read
    for line in read_lines(text) or ():
        indentation = len(line.indentation)
        if line.kind is Kind.THROWN:
            exceptions.append(JavaException(_stable_class(line.name), ""))
        elif line.kind is Kind.SUPPRESSED:
            suppressed = indentation if suppressed is None else min(suppressed, indentation)
        elif line.kind is Kind.CAUSE and (suppressed is None or indentation < max(suppressed, 1)):
            exceptions.append(JavaException(_stable_class(line.name), ""))
            suppressed = None
        elif line.kind is Kind.FRAME and suppressed is None and not exceptions[-1].frame:
            exceptions[-1] = JavaException(exceptions[-1].class_name, _stable_frame(line.name, line.file))
    return exceptions


def read_exception_object(value: Any) -> JavaException | None:
    """Return the first exception of ``{"exception": {"values": [...]}}``; None if there is none.

    Its ``type`` and ``module`` are in ``stacktrace`` or beside it. The first of ``stacktrace.frames`` is the topmost.
    """
    values = _item(_item(value, "exception"), "values")
    exception = values[0] if isinstance(values, list) and values else None
    stack = _item(exception, "stacktrace")
    place = stack if _text(stack, "type") else exception
    if not _text(place, "type"):
        return None
    frames = _item(stack, "frames")
    frame = frames[0] if isinstance(frames, list) and frames else None
    method = _dotted(frame, "module", "function") if _text(frame, "function") else ""
    return JavaException(_dotted(place, "module", "type"), _stable_frame(method, _text(frame, "filename")))


def _stable_frame(method: str, file: str) -> str:
    method = _stable_class(_MODULE_VERSION.sub("", method))
    file = _MAP_OF_R8.sub("SourceFile", _LINE_NUMBER.sub("", file))
    return f"{method}({file})" if method and file else method


def _stable_class(name: str) -> str:
    """Return the name without the number and the address of a class that the JVM made."""
    return _HIDDEN_CLASS.sub("", _LAMBDA.sub("$$Lambda", name))


def _dotted(value: Any, *keys: str) -> str:
    return ".".join(filter(None, (_text(value, key) for key in keys)))


def _item(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _text(value: Any, key: str) -> str:
    item = _item(value, key)
    return item.strip()[:_TEXT_LENGTH] if isinstance(item, str) else ""
