"""From what a source sends to a symbol file that is known to be the right one.

It is unpacked (gzip, zstd), limited in size and time, and checked while it comes: the first line must
be ``MODULE`` with the debug id that was asked for, and, where that is no GUID, with the debug file too.
"""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import zstandard

from socorro_processor.symbols.layout import SymbolFileID, symbol_path
from socorro_processor.symbols.source import SourceAway, WrongSymbolFile

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
"""RFC 1952, section 2.3.1; RFC 8878, section 3.1.1."""
_MAGIC = max(map(len, (_GZIP, _ZSTD)))
_PIECE = 1 << 20
_ZSTD_PIECE = 1 << 10
"""Bytes of compressed data that are unpacked at once: a few stand for 128 KB at most, so this for less than 64 MB."""
_ZSTD_WINDOW = 1 << 27
_FIRST_LINE = 4_096
_GUID = 32
"""Digits; one more at least is the age."""
_MODULE = re.compile(rb"MODULE [^ \r\n]+ [^ \r\n]+ ([0-9A-Fa-f]+) ([^\r\n]+)\r?\n")
"""Breakpad, docs/symbol_files.md, MODULE records."""


@dataclass(frozen=True)
class DownloadLimits:
    size: int
    """Bytes, unpacked."""
    seconds: float


def receive(
    chunks: Iterable[bytes],
    file: BinaryIO,
    wanted: SymbolFileID,
    limits: DownloadLimits,
    stopped: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Write the symbol file; its size. Raises WrongSymbolFile, SourceAway (it was too slow) or OSError."""
    end = clock() + limits.seconds

    def in_time() -> Iterator[bytes]:
        for chunk in chunks:
            if clock() > end:
                raise SourceAway(f"a download was not done after {limits.seconds:g} s")
            if stopped():
                raise SourceAway("the processor ends")
            yield chunk

    size = 0
    last = b""
    for piece in _checked(unpacked(in_time()), wanted):
        size += len(piece)
        if size > limits.size:
            raise WrongSymbolFile(f"more than {limits.size} bytes")
        last = piece
        file.write(piece)
    # Nor would the stackwalker take one that was cut off.
    if not last.endswith(b"\n"):
        raise WrongSymbolFile("its last line has no end")
    return size


def module_line(data: bytes) -> tuple[str, str] | None:
    """Debug file and debug id of the symbol file that begins with ``data``; None where none does."""
    match = _MODULE.match(data)
    return (match[2].decode("utf-8", "replace"), match[1].decode("ascii")) if match else None


def _checked(pieces: Iterator[bytes], wanted: SymbolFileID) -> Iterator[bytes]:
    begin = b""
    for piece in pieces:
        begin += piece
        if b"\n" in begin or len(begin) >= _FIRST_LINE or not b"MODULE ".startswith(begin[:7]):
            break
    module = module_line(begin[:_FIRST_LINE])
    if module is None:
        raise WrongSymbolFile("no symbol file: it does not begin with a MODULE line")
    try:
        found = symbol_path(*module)
    except ValueError as error:
        raise WrongSymbolFile(f"no symbol file: {error}") from None
    # An id of a whole GUID is that of one build. Its file may have another name: a dump says libc.so.6, the MODULE
    # line libc-2.32.so. Names of Windows' files, and ids, are written in any case.
    same = module[1].casefold() == wanted.debug_id.casefold()
    if not same or (len(wanted.debug_id) <= _GUID and found.casefold() != wanted.path.casefold()):
        raise WrongSymbolFile("the symbol file of another module or build")
    yield begin
    yield from pieces


def unpacked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the data, unpacked where gzip or zstd compressed it. Raises WrongSymbolFile if it is damaged."""
    begin = b""
    for chunk in chunks:
        begin += chunk
        if len(begin) >= _MAGIC:
            break
    if begin.startswith(_GZIP):
        yield from _gunzipped(_after(begin, chunks))
    elif begin.startswith(_ZSTD):
        yield from _unzstandard(_after(begin, chunks))
    else:
        yield from _after(begin, chunks)


def _after(begin: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield begin
    yield from chunks


def _gunzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                if unpacker.eof:  # gzip files may stand one behind another
                    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
                if piece := unpacker.decompress(rest, _PIECE):
                    yield piece
                rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
    except zlib.error as error:
        raise WrongSymbolFile(f"damaged gzip: {error}") from error
    if not unpacker.eof:
        raise WrongSymbolFile("gzip that was cut off")


def _unzstandard(chunks: Iterator[bytes]) -> Iterator[bytes]:
    def new() -> zstandard.ZstdDecompressionObj:
        return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()

    unpacker = new()
    try:
        for chunk in chunks:
            for start in range(0, len(chunk), _ZSTD_PIECE):
                rest = chunk[start : start + _ZSTD_PIECE]
                while rest:
                    if unpacker.eof:
                        unpacker = new()
                    if piece := unpacker.decompress(rest):
                        yield piece
                    rest = unpacker.unused_data if unpacker.eof else b""
    except zstandard.ZstdError as error:
        raise WrongSymbolFile(f"damaged zstd: {error}") from error
    if not unpacker.eof:
        raise WrongSymbolFile("zstd that was cut off")
