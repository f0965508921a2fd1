from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Mapping
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.collector.multipart import MAXIMUM_BOUNDARY, MAXIMUM_HEADERS, MultipartReader
from socorro_processor.collector.refusal import Refused
from tests.cpu_time import cpu_seconds


class Parts:
    """Keeps the parts as they come."""

    def __init__(self) -> None:
        self.headers: list[Mapping[str, str]] = []
        self.contents: list[bytes] = []
        self.ended = 0

    def begin_part(self, headers: Mapping[str, str]) -> None:
        self.headers.append(headers)
        self.contents.append(b"")

    def part_data(self, data: bytes) -> None:
        assert data
        self.contents[-1] += data

    def end_part(self) -> None:
        self.ended += 1


def parts_of(body: bytes, boundary: bytes = b"b") -> tuple[Parts, bool]:
    parts = Parts()
    reader = MultipartReader(boundary, parts)
    reader.feed(body)
    return parts, reader.is_complete


@given(contents=st.lists(st.binary(max_size=60), max_size=4), last_line_end=st.sampled_from((b"\r\n", b"")))
def test_any_contents_come_out_as_they_went_in(contents: list[bytes], last_line_end: bytes) -> None:
    """But for a CRLF at the end of a file without one before its boundary, which cannot be told from that."""
    boundary = b"=_a boundary that is in no file_="
    if not last_line_end and contents and contents[-1].endswith(b"\r\n"):
        contents[-1] += b"."
    body = b"".join(b"--" + boundary + b"\r\nA: b\r\n\r\n" + content + b"\r\n" for content in contents)
    body = body[: len(body) - 2] + last_line_end if contents else body
    parts, is_complete = parts_of(body + b"--" + boundary + b"--", boundary)
    assert parts.contents == contents
    assert parts.ended == len(contents)
    assert is_complete


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"--b-", id="one hyphen too few"),
        pytest.param(b"\r\n--bb\r\n", id="a longer word"),
        pytest.param(b"--b x\r\n", id="more on the line"),
        pytest.param(b"--", id="only hyphens"),
        pytest.param(b"\r\n\r\n\r\n", id="line ends"),
    ],
)
def test_what_is_only_similar_to_a_boundary_is_content(content: bytes) -> None:
    parts, is_complete = parts_of(b"--b\r\n\r\n" + content + b"\r\n--b--")
    assert parts.contents == [content]
    assert is_complete


def test_a_part_without_headers_or_content_is_one() -> None:
    assert parts_of(b"--b\r\n\r\n\r\n--b\r\n\r\n--b--")[0].contents == [b"", b""]


def test_folded_headers_and_any_spelling_of_their_names_are_read() -> None:
    assert len(parts_of(b"--b\r\n" + b"A: b\r\n" * MAXIMUM_HEADERS + b"\r\n--b--")[0].headers) == 1
    parts, _ = parts_of(b"--b\r\nCONTENT-type:  a;\r\n\t b \r\nX-Y:\r\n\r\n--b--")
    assert parts.headers == [{"content-type": "a; b", "x-y": ""}]


@pytest.mark.parametrize("body", [b"", b"--b", b"--b\r\n", b"--b\r\n\r\nx\r\n--b", b"--b\r\n\r\nx\r\n--b-", b"--c--"])
def test_a_body_without_its_closing_boundary_is_incomplete(body: bytes) -> None:
    assert not parts_of(body)[1]


def test_what_follows_the_closing_boundary_means_nothing() -> None:
    parts, is_complete = parts_of(b"--b\r\n\r\nx\r\n--b--\r\n--b\r\n\r\ny\r\n--b--")
    assert parts.contents == [b"x"]
    assert is_complete


@pytest.mark.parametrize(
    "headers", [b"no header\r\n\r\n", b": no name\r\n\r\n", b"A: b\r\n" * (MAXIMUM_HEADERS + 1) + b"\r\n"]
)
def test_headers_that_are_none_or_too_many_are_refused(headers: bytes) -> None:
    with pytest.raises(Refused) as caught:
        parts_of(b"--b\r\n" + headers)
    assert caught.value.code == "malformed_headers"


@pytest.mark.parametrize("step", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("end", [b"\r\n\r\n", b"\n\n", b""])
def test_headers_may_be_as_long_as_their_limit_in_whatever_pieces_they_come(step: int, end: bytes) -> None:
    for size in range(30, 36):
        body = b"--b\r\n" + b"A: ".ljust(size, b"x") + end + b"--b--"
        parts = Parts()
        reader = MultipartReader(b"b", parts, maximum_headers=32)
        with suppress(Refused):
            for first in range(0, len(body), step):
                reader.feed(body[first : first + step])
        assert reader.is_complete == (bool(end) and size <= 32)


def test_headers_without_an_end_are_refused_with_the_name_of_their_limit() -> None:
    with pytest.raises(Refused) as caught:
        parts_of(b"--b\r\nA: " + b"x" * 20_000)
    assert (caught.value.status, caught.value.code) == (413, "too_large_maximum_headers")
    assert "collector.maximum_headers" in caught.value.words


@pytest.mark.parametrize("boundary", [b"", b"x" * (MAXIMUM_BOUNDARY + 1)])
def test_a_boundary_that_is_empty_or_too_long_is_refused(boundary: bytes) -> None:
    with pytest.raises(Refused) as caught:
        MultipartReader(boundary, Parts())
    assert caught.value.code == "malformed_boundary"


@pytest.mark.parametrize("beginning", [b"--b\r\n\r\n", b""], ids=["content", "preamble"])
def test_a_large_body_takes_no_memory(beginning: bytes) -> None:
    class Forgetful(Parts):
        def part_data(self, data: bytes) -> None:
            pass

    reader = MultipartReader(b"b", Forgetful())
    piece = (b"\r\n--" + b"x" * 1020) * 64
    tracemalloc.start()
    try:
        reader.feed(beginning)
        for _ in range(500):
            reader.feed(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * len(piece)


def _read_many_parts(count: int) -> None:
    parts_of(b"--b\r\nA: b\r\n\r\n\r\n" * count + b"--b--")


def _read_similar_boundaries(count: int) -> None:
    parts_of(b"--b\r\n\r\n" + b"--b x" * count + b"--b--")


def _read_headers_by_the_byte(count: int) -> None:
    reader = MultipartReader(b"b", Parts(), maximum_headers=count)
    reader.feed(b"--b\r\n")
    for _ in range(count):
        reader.feed(b"a")


@pytest.mark.parametrize(
    ("read", "count"),
    [(_read_many_parts, 4_000), (_read_similar_boundaries, 4_000), (_read_headers_by_the_byte, 2_000)],
)
def test_the_time_for_a_body_grows_with_its_length_alone(read: Callable[[int], None], count: int) -> None:
    def seconds(count: int) -> float:
        return min(cpu_seconds(lambda: read(count)) for _ in range(3))

    assert seconds(16 * count) < 50 * seconds(count) + 0.01
