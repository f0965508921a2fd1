from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import zstandard

from socorro_processor.collector.compression import Decompressor, Gunzip, Unzstd
from socorro_processor.collector.refusal import Refused
from tests.cpu_time import cpu_seconds

KINDS: list[Any] = [
    pytest.param(Gunzip, gzip.compress, id="gzip"),
    pytest.param(Unzstd, lambda data: zstandard.ZstdCompressor(write_checksum=True).compress(data), id="zstd"),
]
each_kind = pytest.mark.parametrize(("kind", "compress"), KINDS)

Kind = Callable[[Callable[[bytes], None]], Decompressor]
Compress = Callable[[bytes], bytes]


@each_kind
@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_data_come_out_as_they_went_in(kind: Kind, compress: Compress, step: int) -> None:
    data = bytes(range(256)) * 3000
    pieces: list[bytes] = []
    decompressor = kind(pieces.append)
    compressed = compress(data)
    for first in range(0, len(compressed), step):
        decompressor.feed(compressed[first : first + step])
    decompressor.finish()
    assert b"".join(pieces) == data


@each_kind
def test_data_that_are_cut_anywhere_are_refused(kind: Kind, compress: Compress) -> None:
    compressed = compress(b"some text, and some more " * 9)
    for length in range(len(compressed)):
        decompressor = kind(lambda data: None)
        with pytest.raises(Refused):  # noqa: PT012 - either may raise it
            decompressor.feed(compressed[:length])
            decompressor.finish()


@each_kind
def test_damaged_data_are_refused(kind: Kind, compress: Compress) -> None:
    compressed = compress(bytes(range(256)))
    for place in range(4, len(compressed)):
        damaged = compressed[:place] + bytes([compressed[place] ^ 0xFF]) + compressed[place + 1 :]
        pieces: list[bytes] = []
        decompressor = kind(pieces.append)
        with suppress(Refused):
            decompressor.feed(damaged)
            decompressor.finish()
            # A header's date, or the like.
            assert b"".join(pieces) == bytes(range(256))


@each_kind
def test_a_bomb_is_given_in_small_pieces_until_it_is_refused(kind: Kind, compress: Compress) -> None:
    bomb = compress(b"\0" * (200 << 20))
    taken = 0

    def take(piece: bytes) -> None:
        nonlocal taken
        taken += len(piece)
        if taken > 100 << 20:
            raise Refused(413, "too_large_maximum_decoded", "enough")

    tracemalloc.start()
    try:
        with pytest.raises(Refused, match="enough"):
            kind(take).feed(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 120 << 20
    assert peak < 24 << 20


@each_kind
@pytest.mark.parametrize("step", [1, 9, 1 << 20])
def test_several_members_or_frames_are_one_text(kind: Kind, compress: Compress, step: int) -> None:
    compressed = compress(b"one ") + compress(b"") + compress(b"two")
    pieces: list[bytes] = []
    decompressor = kind(pieces.append)
    for first in range(0, len(compressed), step):
        decompressor.feed(compressed[first : first + step])
    decompressor.finish()
    assert b"".join(pieces) == b"one two"


@each_kind
@pytest.mark.parametrize("behind", [b"x", b"some other text"])
def test_data_with_something_else_behind_them_are_refused(kind: Kind, compress: Compress, behind: bytes) -> None:
    """They may be a dump that somebody has damaged, but not the one that was sent."""
    decompressor = kind(lambda data: None)
    with pytest.raises(Refused):  # noqa: PT012 - either may raise it
        decompressor.feed(compress(b"one") + behind)
        decompressor.finish()


def test_zeros_behind_gzip_mean_nothing() -> None:
    pieces: list[bytes] = []
    decompressor = Gunzip(pieces.append)
    decompressor.feed(gzip.compress(b"one") + b"\0" * 9)
    decompressor.feed(b"\0")
    decompressor.finish()
    assert b"".join(pieces) == b"one"


@each_kind
def test_thousands_of_tiny_members_or_frames_take_no_more_time_than_others_and_come_out_as_one_piece(
    kind: Kind, compress: Compress
) -> None:
    pieces: list[bytes] = []
    one = compress(b"x")

    def seconds(count: int) -> float:
        data = one * count
        return min(cpu_seconds(lambda: kind(pieces.append).feed(data)) for _ in range(3))

    assert seconds(16_000) < 50 * seconds(1_000) + 0.01
    assert set(pieces) == {b"x" * 1_000, b"x" * 16_000}
