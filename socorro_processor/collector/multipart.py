"""Read multipart bodies (RFC 2046, section 5.1) as real clients write them, while they come.

    reader = MultipartReader(boundary, handler)
    for data in body:
        reader.feed(data)
    reader.is_complete      # True only after the closing boundary

The bytes may come in pieces of any length, and no more is held than the headers of one part. Other parsers lose a file
without an error if the line end before a boundary is missing, as Breakpad omits it on Windows and macOS, or if the body
is cut. Here a boundary counts wherever it stands, if ``--`` or the end of the line follows, and the caller learns that
the body is incomplete.

Without a line end before the boundary, a file that itself ends in CRLF loses these two bytes: nothing tells them apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum, auto
from typing import Protocol

from socorro_processor.collector.refusal import malformed, too_large

MAXIMUM_BOUNDARY = 200
"""Bytes. The standard allows 70."""

MAXIMUM_HEADERS = 64
"""Headers of a part; clients send two or three."""

_BEHIND_BOUNDARY = rb"(?:(?P<closing>--)|[ \t]{0,64}(?P<line_end>\r?\n)|(?:-|[ \t]{0,64}\r?)\Z)"
"""The ends of a boundary; the last is the beginning of one, at the end of the bytes that have come so far."""
_LINE_END = re.compile(rb"\r?\n")
_EMPTY_LINE = re.compile(rb"\r?\n\r?\n")
_HEADER_END = re.compile(rb"\r?\n(?![ \t])")
_FOLD = re.compile(rb"\r?\n[ \t]+")


class PartHandler(Protocol):
    """Takes the parts of a body, one after another."""

    def begin_part(self, headers: Mapping[str, str]) -> None:
        """Begin a part. The names of headers are in small letters."""
        ...

    def part_data(self, data: bytes) -> None:
        """Take more of the part's content; never empty."""
        ...

    def end_part(self) -> None: ...


class _State(Enum):
    PREAMBLE = auto()
    HEADERS = auto()
    CONTENT = auto()
    EPILOGUE = auto()


class MultipartReader:
    """Finds the parts of a body, and hands them to ``handler``, whose exceptions go through."""

    def __init__(self, boundary: bytes, handler: PartHandler, *, maximum_headers: int = 16 * 1024) -> None:
        if not 0 < len(boundary) <= MAXIMUM_BOUNDARY:
            raise malformed("boundary", f"the boundary of the parts must have 1 to {MAXIMUM_BOUNDARY} characters")
        self._delimiter = b"--" + boundary
        self._boundary = re.compile(re.escape(self._delimiter) + _BEHIND_BOUNDARY)
        self._held_back = len(self._delimiter) + len(b"\r\n") - 1
        self._handler = handler
        self._maximum_headers = maximum_headers
        self._state = _State.PREAMBLE
        self._buffer = b""
        self._at = 0
        """The place in the buffer up to which it is read."""
        self._searched = 0
        """The place up to which the end of the headers was looked for, from ``_at`` on."""
        self._line_end = b""
        """The line end of this body, known from its first boundary on."""

    @property
    def is_complete(self) -> bool:
        """True once the closing boundary has come."""
        return self._state is _State.EPILOGUE

    def feed(self, data: bytes) -> None:
        """Read more of the body. Raises Refused if the headers of a part are too long or are none."""
        self._buffer += data
        while self._state is not _State.EPILOGUE and self._read_on():
            pass
        if self._state is _State.EPILOGUE:
            self._at = len(self._buffer)  # what follows means nothing
        # Once for all parts in the data: thousands of small ones would copy the rest as many times.
        self._buffer, self._at = self._buffer[self._at :], 0

    def _read_on(self) -> bool:
        """Read up to the next change of state. Return False if more of the body is needed."""
        if self._state is _State.HEADERS:
            return self._read_headers()
        # A regular expression takes longer to find the first one, but less for many that are only similar.
        at = self._buffer.find(self._delimiter, self._at)
        match = self._boundary.search(self._buffer, at) if at >= 0 else None
        if not match:
            self._pass_on(len(self._buffer) - self._held_back)
            return False
        if match["closing"]:
            self._end_at(match.start(), _State.EPILOGUE)
            return True
        if match["line_end"]:
            self._line_end = self._line_end or match["line_end"]
            self._end_at(match.start(), _State.HEADERS)
            self._at = match.end()
            return True
        self._pass_on(match.start() - len(b"\r\n"))
        return False

    def _read_headers(self) -> bool:
        end = self._end_of_headers()
        # Without an end, the last bytes may be the beginning of one.
        if (end.start() if end else len(self._buffer) - len(b"\r\n\r")) - self._at > self._maximum_headers:
            raise too_large("maximum_headers", "the bytes of the headers of a part", self._maximum_headers)
        if not end:
            return False
        headers = _read_header_lines(self._buffer[self._at : end.start()])
        self._at = end.end()
        self._state = _State.CONTENT
        self._handler.begin_part(headers)
        return True

    def _end_of_headers(self) -> re.Match[bytes] | None:
        """Look for an empty line where it has not been looked for: headers may come byte by byte."""
        if match := _LINE_END.match(self._buffer, self._at):
            return match
        match = _EMPTY_LINE.search(self._buffer, self._at + self._searched)
        self._searched = 0 if match else max(len(self._buffer) - self._at - len(b"\r\n\r"), 0)
        return match

    def _end_at(self, at: int, state: _State) -> None:
        """End what is before the boundary at ``at``: the preamble or a part, without the line end that ends it."""
        if self._state is _State.CONTENT:
            end = at
            if self._buffer.endswith(b"\r\n", self._at, at):
                end -= 2
            elif self._line_end == b"\n" and self._buffer.endswith(b"\n", self._at, at):
                end -= 1
            self._pass_on(end)
            self._handler.end_part()
        self._state = state

    def _pass_on(self, end: int) -> None:
        """Pass on the content up to this place of the buffer; of the preamble, forget it."""
        if end <= self._at:
            return
        if self._state is _State.CONTENT:
            self._handler.part_data(self._buffer[self._at : end])
        self._at = end


def _read_header_lines(data: bytes) -> dict[str, str]:
    headers = {}
    lines = _HEADER_END.split(data, MAXIMUM_HEADERS)
    if len(lines) > MAXIMUM_HEADERS:
        raise malformed("headers", f"a part has more than {MAXIMUM_HEADERS} headers")
    for line in lines:
        if not line:
            continue
        name, colon, value = _FOLD.sub(b" ", line).partition(b":")
        if not colon or not name.strip():
            raise malformed("headers", "a part has a line before its content that is not a header")
        headers[name.strip().decode("latin-1").lower()] = value.strip().decode("utf-8", "replace")
    return headers
