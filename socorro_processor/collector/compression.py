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
_SMALL = 16 * 1024
"""Bytes below which a piece waits for the next one."""
_GZIP_STEP = 4 * 1024
"""The bytes that are decompressed at once; they can stand for a thousand times as many."""
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
        self._pieces = _Pieces(take)
        self._member = _new_member()
        self._has_begun = False

    def feed(self, data: bytes) -> None:
        # A member of a byte has 21: each copies what is behind it, so that must be little.
        for first in range(0, len(data), _GZIP_STEP):
            self._feed(data[first : first + _GZIP_STEP])
        self._pieces.flush()

    def finish(self) -> None:
        if not self._member.eof:
            raise malformed("gzip", "the gzip data are cut" if self._has_begun else "there are no gzip data")

    def _feed(self, data: bytes) -> None:
        try:
            while data:
                if self._member.eof:
                    data = data.lstrip(b"\0")
                    if not data:
                        return
                    self._member, self._has_begun = _new_member(), False
                self._has_begun = True
                self._pieces.add(self._member.decompress(data, _PIECE))
                data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
                if not data and not self._member.eof:
                    self._drain()
        except zlib.error as error:
            raise malformed("gzip", f"the gzip data are damaged: {error}") from None

    def _drain(self) -> None:
        """Pass on what is decompressed but was more than one piece."""
        while piece := self._member.decompress(b"", _PIECE):
            self._pieces.add(piece)


def _new_member() -> zlib._Decompress:
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)


class Unzstd:
    """Decompresses zstd (RFC 8878), of one or several frames."""

    def __init__(self, take: Take) -> None:
        self._pieces = _Pieces(take)
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_MAXIMUM_WINDOW)
        self._frame = self._decompressor.decompressobj()

    def feed(self, data: bytes) -> None:
        for first in range(0, len(data), _ZSTD_STEP):
            self._feed(data[first : first + _ZSTD_STEP])
        self._pieces.flush()

    def finish(self) -> None:
        if not self._frame.eof:
            raise malformed("zstd", "the zstd data are cut")

    def _feed(self, data: bytes) -> None:
        try:
            while data:
                if self._frame.eof:
                    self._frame = self._decompressor.decompressobj()
                self._pieces.add(self._frame.decompress(data))
                data = self._frame.unused_data if self._frame.eof else b""
        except zstandard.ZstdError as error:
            raise malformed("zstd", f"the zstd data are damaged: {error}") from None


class _Pieces:
    """Passes pieces on, small ones as one: thousands of members may hold a byte each."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._held = bytearray()

    def add(self, piece: bytes) -> None:
        if len(self._held) + len(piece) < _SMALL:
            self._held += piece
            return
        self.flush()
        if len(piece) < _SMALL:
            self._held += piece
        else:
            self._take(piece)

    def flush(self) -> None:
        if self._held:
            piece, self._held = bytes(self._held), bytearray()
            self._take(piece)
