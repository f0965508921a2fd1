"""Decompress while the data come, in pieces of bounded size, whatever they claim to hold."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Protocol

import zstandard

from socorro_processor.collector.refusal import malformed

GZIP_MAGIC, ZSTD_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_PIECE = 256 * 1024
"""The most bytes that are decompressed at once."""
_MAXIMUM_WINDOW = 32 << 20
"""The most memory that a zstd stream may ask for, in bytes; that of ``zstd -19`` is 8 MB."""

_ZSTD_STEP = 256
"""The bytes that are decompressed at once: four can stand for 128 kB, and the library gives all that they hold."""

Take = Callable[[bytes], None]
"""Takes a decompressed piece; it may refuse by an exception, which ends the decompression."""


class Decompressor(Protocol):
    def feed(self, data: bytes) -> None:
        """Decompress more, and pass it on in pieces. Raises Refused if the data are damaged."""
        ...

    def finish(self) -> None:
        """Raise Refused if the data were cut."""
        ...


class Uncompressed:
    """Passes data on as they are."""

    def __init__(self, take: Take) -> None:
        self._take = take

    def feed(self, data: bytes) -> None:
        if data:
            self._take(data)

    def finish(self) -> None:
        pass


class Gunzip:
    """Decompresses gzip (RFC 1952), of one or several members. Zeros behind the last one are ignored."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._member = _new_member()
        self._has_begun = False

    def feed(self, data: bytes) -> None:
        try:
            while data:
                if self._member.eof:
                    data = data.lstrip(b"\0")
                    if not data:
                        return
                    self._member, self._has_begun = _new_member(), False
                self._has_begun = True
                if piece := self._member.decompress(data, _PIECE):
                    self._take(piece)
                data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
                if not data and not self._member.eof:
                    self._drain()
        except zlib.error as error:
            raise malformed("gzip", f"the gzip data are damaged: {error}") from None

    def _drain(self) -> None:
        """Pass on what is decompressed but was more than one piece."""
        while piece := self._member.decompress(b"", _PIECE):
            self._take(piece)

    def finish(self) -> None:
        if not self._member.eof:
            raise malformed("gzip", "the gzip data are cut" if self._has_begun else "there are no gzip data")


def _new_member() -> zlib._Decompress:
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)


class Unzstd:
    """Decompresses one frame of zstd (RFC 8878)."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._frame = zstandard.ZstdDecompressor(max_window_size=_MAXIMUM_WINDOW).decompressobj()

    def feed(self, data: bytes) -> None:
        try:
            for first in range(0, len(data), _ZSTD_STEP):
                if self._frame.eof:
                    return
                if piece := self._frame.decompress(data[first : first + _ZSTD_STEP]):
                    self._take(piece)
        except zstandard.ZstdError as error:
            raise malformed("zstd", f"the zstd data are damaged: {error}") from None

    def finish(self) -> None:
        if not self._frame.eof:
            raise malformed("zstd", "the zstd data are cut")
