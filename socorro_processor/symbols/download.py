"""Turn what a source sends into a symbol file that is known to be the right one.

The data is decompressed (gzip, zstd), limited in size and time, and checked while it comes: the first line must
be ``MODULE`` with the debug id that was asked for and, if that is not a GUID, with the debug file too.
"""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

import zstandard

from socorro_processor.symbol_path import symbol_path
from socorro_processor.symbols.layout import SymbolFileID
from socorro_processor.symbols.source import SourceAway, WrongSymbolFile

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
"""RFC 1952, section 2.3.1; RFC 8878, section 3.1.1."""
_MAGIC = max(map(len, (_GZIP, _ZSTD)))
_PIECE = 1 << 20
_ZSTD_PIECE = 1 << 10
"""Compressed bytes that are decompressed at once, to less than 64 MB: a block of a few bytes can hold 128 KB."""
_ZSTD_WINDOW = 1 << 27
_LONGEST_MODULE_LINE = 4_096
"""Bytes."""
_GUID_DIGITS = 32
"""A debug id that begins with a GUID has at least one more digit, the age."""
_MODULE = re.compile(rb"MODULE [^ \r\n]+ [^ \r\n]+ ([0-9A-Fa-f]+) ([^\r\n]+)\r?\n")
"""Breakpad, docs/symbol_files.md, MODULE records."""


@dataclass(frozen=True)
class DownloadLimits:
    size: int
    """Bytes, decompressed."""
    seconds: float


def receive(
    chunks: Iterable[bytes],
    file: BinaryIO,
    wanted: SymbolFileID,
    limits: DownloadLimits,
    stopped: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Write the symbol file and return its size.

    Raises WrongSymbolFile; SourceAway if the source is too slow, or the processor stops; or OSError.
    """
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
    for piece in _checked(decompressed(in_time()), wanted):
        size += len(piece)
        if size > limits.size:
            raise WrongSymbolFile(f"more than {limits.size} bytes")
        last = piece
        file.write(piece)
    # The stackwalker would reject a file that was cut off.
    if not last.endswith(b"\n"):
        raise WrongSymbolFile("its last line was cut off")
    return size


def module_line(data: bytes) -> tuple[str, str] | None:
    """Return debug file and debug id from the start of a symbol file; None if ``data`` does not begin one."""
    match = _MODULE.match(data)
    return (match[2].decode("utf-8", "replace"), match[1].decode("ascii")) if match else None


def _checked(pieces: Iterator[bytes], wanted: SymbolFileID) -> Iterator[bytes]:
    begin = b""
    for piece in pieces:
        begin += piece
        if b"\n" in begin or len(begin) >= _LONGEST_MODULE_LINE or not b"MODULE ".startswith(begin[:7]):
            break
    module = module_line(begin[:_LONGEST_MODULE_LINE])
    if module is None:
        raise WrongSymbolFile("not a symbol file: it does not begin with a MODULE line")
    try:
        path = symbol_path(*module)
    except ValueError as error:
        raise WrongSymbolFile(f"not a symbol file: {error}") from None
    # A whole GUID identifies one build, whose file may have another name: libc.so.6 in a dump, libc-2.32.so in the
    # MODULE line. Windows' file names, and ids, may be in any case.
    is_same_id = module[1].casefold() == wanted.debug_id.casefold()
    if not is_same_id or (len(wanted.debug_id) <= _GUID_DIGITS and path.casefold() != wanted.path.casefold()):
        raise WrongSymbolFile("the symbol file of another module or build")
    yield begin
    yield from pieces


def decompressed(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the data, decompressed if it is gzip or zstd. Raises WrongSymbolFile if it is damaged."""
    begin = b""
    for chunk in chunks:
        begin += chunk
        if len(begin) >= _MAGIC:
            break
    if begin.startswith(_GZIP):
        yield from _gunzipped(chain((begin,), chunks))
    elif begin.startswith(_ZSTD):
        yield from _unzstd(chain((begin,), chunks))
    else:
        yield from chain((begin,), chunks)


def _gunzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                if unpacker.eof:  # gzip members may follow one another
                    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
                if piece := unpacker.decompress(rest, _PIECE):
                    yield piece
                rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
    except zlib.error as error:
        raise WrongSymbolFile(f"damaged gzip: {error}") from error
    if not unpacker.eof:
        raise WrongSymbolFile("gzip that was cut off")


def _unzstd(chunks: Iterator[bytes]) -> Iterator[bytes]:
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
