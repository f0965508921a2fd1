"""What is fuzzed: each target takes any bytes, and raises only what its documentation declares.

``TARGETS`` may be called with anything. What they let through is a finding: an exception that is not declared,
or an AssertionError where a promise is broken.
"""

from __future__ import annotations

import gzip
import io
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy
import zstandard

from socorro_processor.errors import ProcessingEnvironmentError
from socorro_processor.rules.symbol_index_process import ask
from socorro_processor.stackwalk.stackwalker import find_stackwalker
from socorro_processor.symbols.download import DownloadLimits, receive
from socorro_processor.symbols.dump_file import NotUnderstood
from socorro_processor.symbols.index import FileState, SymbolIndex, UnusableIndex
from socorro_processor.symbols.index_building import build
from socorro_processor.symbols.minidump import read
from socorro_processor.symbols.source import SourceAway, WrongSymbolFile
from socorro_processor.symbols.verdict import NoVerdict, is_corrupt
from socorro_processor.symbols.wanted import Wanted, needed_symbols
from tests.shared import SHARED
from tests.unit.symbols.written_minidump import written

MAXIMUM_INPUT = 1 << 15
_WANTED = Wanted.of("lib.so", "0403020106050807090A0B0C0D0E0F100")
_LIMITS = DownloadLimits(size=4 << 20, seconds=60.0)
_VERSION = "0.27.0"
_CRC_AT = 12

SYMBOLS = b"""MODULE Linux x86_64 0403020106050807090A0B0C0D0E0F100 lib.so
INFO CODE_ID 0102030405060708090A0B0C0D0E0F10
INFO URL https://example.com/lib.so
FILE 0 /source/a.c
FILE 1 /source/b.c
INLINE_ORIGIN 0 inlined
FUNC m 1000 30 0 first(int)
INLINE 0 7 0 0 1004 8
1000 10 5 0
1010 20 6 1
FUNC 1020 40 8 overlaps
1020 40 9 1
PUBLIC m 2000 0 a_public
PUBLIC 2000 4 another
STACK CFI INIT 1000 30 .cfa: $rsp 8 + .ra: .cfa 8 - ^
STACK CFI 1004 .cfa: $rsp 16 +
STACK WIN 4 1000 30 1 0 4 0 8 0 1 $T0 $ebp = $eip $T0 4 + ^ =
STACK WIN 0 1010 30 1 0 4 0 8 0 0 1
"""


def minidump(data: bytes) -> None:
    """A minidump, as the processor reads one to find the symbols that it needs."""
    path = _scratch() / "dump"
    path.write_bytes(data)
    try:
        dump = read(path)
        candidates = dump.candidates()
        needed_symbols(dump)
    except NotUnderstood:
        return
    assert (candidates[1:] > candidates[:-1]).all()
    if dump.cpu != "arm64":
        spans = [(module.base, module.end) for module in dump.modules]
        assert all(any(base <= each < end for base, end in spans) for each in candidates[:20].tolist())


def download(data: bytes) -> None:
    """What a symbol server sends: plain, gzip, zstd. The first byte says in which pieces."""
    size = 1 + data[0] * data[0] if data else 1
    pieces = (data[at : at + size] for at in range(1, len(data), size))
    received = io.BytesIO()
    try:
        count = receive(pieces, received, _WANTED, _LIMITS)
    except (WrongSymbolFile, SourceAway):
        return
    assert count == len(received.getvalue()) <= _LIMITS.size
    assert received.getvalue().startswith(b"MODULE ")


def symbol_file(data: bytes) -> None:
    """A symbol file that is indexed, at once and in small pieces: the index is the same.

    What the stackwalker calls corrupt is never read by the builder of indexes.
    """
    path = _scratch() / "lib.so.sym"
    path.write_bytes(data)
    try:
        whole, pieces = build(path, _VERSION), build(path, _VERSION, chunk=512)
        if whole.unsliceable or pieces.unsliceable:
            return
        assert (whole.module, whole.url) == (pieces.module, pieces.url)
        for name, table in whole.tables.items():
            for column, values in table.items():
                assert numpy.array_equal(values, pieces.tables[name][column]), (name, column)
    except Exception:
        if not _is_corrupt(path):
            raise


def index(data: bytes) -> None:
    """A damaged index whose checksum is right."""
    path = _scratch() / "lib.so.sym.index"
    if len(data) > _CRC_AT + 8:
        checksum = struct.pack("<I", zlib.crc32(data[_CRC_AT + 8 :]))
        data = data[:_CRC_AT] + checksum + data[_CRC_AT + 4 :]
    path.write_bytes(data)
    try:
        loaded = SymbolIndex.load(path, _STATE, _VERSION)
    except UnusableIndex:
        return
    assert loaded.memory >= 0


_STATE = FileState(1, 2, 3)

TARGETS: tuple[Callable[[bytes], None], ...] = (minidump, download, symbol_file, index)


def seeds() -> Iterator[tuple[Callable[[bytes], None], bytes]]:
    """Sound input for each target, to begin with."""
    for cpu in (0, 5, 9, 12, 0x8003):
        stack = struct.pack("<4Q", 0x7F0000010010, 0x400010, 0x7F0000010FFF, 1)
        modules = ((0x400000, 0x1000), (0x7F0000010000, 0x10000))
        yield minidump, written(cpu, modules=modules, stack=stack, memory=stack, context=bytes(1232))
        yield minidump, written(cpu, memory64=stack, padding=4, exception_context=bytes(716), platform=2)
    for path in sorted([*SHARED.glob("crashes/*/*.dmp"), *SHARED.glob("hostile/*.dmp")]):
        if path.stat().st_size <= MAXIMUM_INPUT:
            yield minidump, path.read_bytes()
    for sent in (SYMBOLS, gzip.compress(SYMBOLS, mtime=0), zstandard.compress(SYMBOLS), gzip.compress(b"", mtime=0)):
        for pieces in (b"\x01", b"\xff"):
            yield download, pieces + sent
            yield download, pieces + sent + sent
    for line_end in (b"\n", b"\r\n"):
        yield symbol_file, SYMBOLS.replace(b"\n", line_end)
    path = _scratch() / "seed"
    path.write_bytes(SYMBOLS)
    built = build(path, _VERSION)
    SymbolIndex(_STATE, _VERSION, module=built.module, url=built.url, tables=built.tables).save(path)
    yield index, path.read_bytes()


def _scratch() -> Path:
    return Path(_scratch_directory().name)


@cache
def _scratch_directory() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="fuzz-")


def _is_corrupt(file: Path) -> bool:
    try:
        return is_corrupt(file, str(_stackwalker()), ask)
    except (NoVerdict, ProcessingEnvironmentError):
        return False


@cache
def _stackwalker() -> Path:
    return find_stackwalker()
