"""The targets of fuzzing: each takes any bytes, and raises only what its documentation declares.

``TARGETS`` may be called with any bytes. A finding is an exception that is not declared, or an AssertionError for a
broken promise.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import struct
import subprocess
import tempfile
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import zstandard

from socorro_processor.collector.limits import Limits
from socorro_processor.collector.refusal import Refused
from socorro_processor.collector.submission import Submission
from socorro_processor.collector.submission_reader import SubmissionReader, SubmissionRequest
from socorro_processor.crashstorage.base import check_dump_name
from socorro_processor.signature.normal_form import explain_frame, normalize_frame
from socorro_processor.stackwalk.comparison import comparable, first_difference
from socorro_processor.symbol_cache.index_directory import index_directory
from socorro_processor.symbols.download import DownloadLimits, receive
from socorro_processor.symbols.layout import SymbolFileID
from socorro_processor.symbols.source import SourceAway, WrongSymbolFile
from tests.shared import SHARED, own_stackwalker
from tests.unit.symbols.written_minidump import written

MAXIMUM_INPUT = 1 << 15
_WANTED = SymbolFileID.of("lib.so", "0403020106050807090A0B0C0D0E0F000")
_LIMITS = DownloadLimits(size=4 << 20, seconds=60.0)
_UPLOAD_LIMITS = Limits(maximum_body=1 << 16, maximum_decoded=4 << 20, maximum_fields=50, maximum_files=8)
_PAGE = 4096
"""Bytes of an index that end with their own checksum."""
_MEMORY = 512 << 20
"""Bytes of address space."""
_REFUSED = 1
_REFUSAL = re.compile(rb"ERROR [A-Z][A-Za-z]+ - [^\n]*\n")

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
    """Walk a minidump, or refuse it with one line."""
    path = _scratch() / "dump"
    path.write_bytes(data)
    _walk(path)


def download(data: bytes) -> None:
    """Read an answer of a symbol server: plain, gzip, zstd. The first byte says in which pieces it comes."""
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
    """Walk with a symbol file: a walk with its index has the same result as one with the whole file."""
    file = _symbols() / _WANTED.path
    file.write_bytes(data)
    indexed = _run("index", "--anew", str(file))
    assert indexed.returncode == 0, indexed.stderr
    dump = _scratch() / "dump"
    dump.write_bytes(_DUMP)
    walk = _walk(dump, "--symbols-path", str(_symbols()))
    reference = _walk(dump, "--reference", "--symbols-path", str(_symbols()))
    assert walk
    assert reference
    assert not (difference := first_difference(comparable(reference), comparable(walk))), difference


def index(data: bytes) -> None:
    """Walk with a damaged index whose checksums are right: the dump is walked in any case."""
    file = _symbols() / _WANTED.path
    file.write_bytes(SYMBOLS)
    path = index_directory(_symbols()) / f"{_WANTED.path}.index"
    path.parent.mkdir(parents=True, exist_ok=True)
    state = file.stat()
    pages = [bytearray(data[at : at + _PAGE].ljust(_PAGE, b"\0")) for at in range(0, len(data), _PAGE)]
    for number, page in enumerate(pages):
        if number == 0:
            # It must match the file's state; otherwise nothing more of it is read.
            page[24:56] = struct.pack("<QQqq", state.st_size, state.st_ino, *divmod(state.st_mtime_ns, 10**9))
        page[-4:] = struct.pack("<I", zlib.crc32(page[:-4], zlib.crc32(struct.pack("<Q", number))))
    path.write_bytes(b"".join(pages))
    dump = _scratch() / "dump"
    dump.write_bytes(_DUMP)
    assert _walk(dump, "--symbols-path", str(_symbols()))


def function_name(data: bytes) -> None:
    """The name of a function: its normal form is one line that can be printed, and the last of its steps."""
    frame = {"function": data.decode(errors="surrogateescape"), "module": "m"}
    normalized = normalize_frame(frame)
    assert normalized
    assert normalized == " ".join(normalized.split())
    assert not any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in normalized)
    assert explain_frame(frame)[-1].text == normalized


_BASE = 0x7F0000010000
_CONTEXT = bytearray(1232)
for _place, _value in ((0x30, 0x10001F), (0x98, 0x1000), (0xF8, _BASE + 0x1008)):
    struct.pack_into("<Q", _CONTEXT, _place, _value)
_ADDRESSES = b"".join(struct.pack("<Q", _BASE + address) for address in range(0xFF0, 0x2040, 4))
_DUMP = written(9, modules=((_BASE, 0x10000),), names=("lib.so",), stack=_ADDRESSES, exception_context=bytes(_CONTEXT))
"""A stack of addresses in the symbol file."""

NAMES = (
    "public: virtual void __cdecl acme::Shop::`scalar deleting destructor'(unsigned int)const ",
    "`void __cdecl `anonymous namespace'::f(int)'::`2'::<lambda_1>::operator()",
    "bool acme::operator< <acme::Part>(acme::f()::{lambda(int)#2}) requires C<int> [clone .cold.1]",
    "void (*acme::handler(int))(char)",
    "_$LT$crane..Yard$u20$as$u20$core..ops..drop..Drop$GT$::drop::h00aa17fe93bd4c2e",
    "<<A as B>::C as crane::Move<u8>>::lift::<fn(u32) -> D>::{closure#0}",
    "closure #1 (Swift.Int) -> () in Orchard.(Pruner in _2A9D4E61C07F3B58E1D6A40C9B7F2385).run() -> ()",
    "protocol witness for A.f() -> () in conformance B : A in C",
    "merged generic specialization <A> of A.f<B>(b: B) async throws -> C",
    "__33-[Orchard(Tree) prune:height:]_block_invoke_2",
    "kfun:org.orchard.TreeModel#<init>(kotlin.Int){}",
    "main.(*List[go.shape.int]).Push",
    "int orchard.pick!(int, string).pick(int)",
)


def upload(data: bytes) -> None:
    """An upload is refused, or read the same in whatever pieces it comes.

    The first byte is the length of the pieces, and the place where a form is cut, which is then refused or still whole;
    the second is the kind of the body.
    """
    if len(data) < 2:
        return
    form = "multipart/form-data; boundary=b" if data[1] & 1 else ""
    request = SubmissionRequest(form, "gzip" if data[1] & 2 else "")
    body = data[2:]
    step = data[0] + 1
    whole = _submission(request, [body])
    pieces = _submission(request, [body[first : first + step] for first in range(0, len(body), step)])
    assert whole == pieces, "read in another way in pieces"
    if form and whole is not None:
        cut = _submission(request, [body[: len(body) * data[0] // 256]])
        assert cut in (None, whole), "a cut form is read as another one"


def _submission(request: SubmissionRequest, pieces: list[bytes]) -> tuple[Submission, bytes] | None:
    sink = io.BytesIO()
    try:
        reader = SubmissionReader(request, sink, _UPLOAD_LIMITS)
        for piece in pieces:
            reader.feed(piece)
        submission = reader.finish()
    except Refused:
        return None
    for file in submission.files:
        check_dump_name(file.name)
        stored = sink.getvalue()[file.start : file.start + file.size]
        assert hashlib.sha256(stored).hexdigest() == file.sha256
    assert len({file.name for file in submission.files}) == len(submission.files)
    assert sum(file.size for file in submission.files) == len(sink.getvalue())
    return submission, sink.getvalue()


UPLOADS = (
    b'--b\r\nContent-Disposition: form-data; name="extra"; filename="e.json"\r\n\r\n{"ProductName": "P", "a": [1]}\r\n'
    b'--b\r\nContent-Disposition: form-data; name="upload_file_minidump"; filename="C:\\x\\1.dmp"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\nMDMP\x93\xa7\0\0\r\n--b--\r\n",
    b"--b\nContent-Disposition: form-data; name=uuid\n\nde1bb258-cbbf-4589-a673-34f801261202\n"
    b'--b \nContent-Disposition: form-data; name="__sentry-event"; filename=x\n\n\x81\xa7release\xa3a@1--b--',
    b'--b\r\nContent-Disposition: form-data; name="upload_file_minidump"; filename="x"\r\n\r\n'
    + gzip.compress(b"MDMP", mtime=0)
    + b"\r\n--b--",
    b'--b\r\nContent-Disposition: form-data; name="log"; filename="x"\r\n\r\nno line end'
    b'--b\r\nContent-Disposition: form-data; name="upload_file_minidump"; filename="x"\r\n\r\n'
    + zstandard.ZstdCompressor().compress(b"MDMP") * 2
    + b"--b--",
)

TARGETS: tuple[Callable[[bytes], None], ...] = (minidump, download, symbol_file, index, function_name, upload)


def seeds() -> Iterator[tuple[Callable[[bytes], None], bytes]]:
    """Yield sound seeds for each target."""
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
    file = _symbols() / _WANTED.path
    file.write_bytes(SYMBOLS)
    _run("index", "--anew", str(file))
    yield index, (index_directory(_symbols()) / f"{_WANTED.path}.index").read_bytes()

    for name in NAMES:
        yield function_name, name.encode()
    for body in UPLOADS:
        for step in (b"\0", b"\x0f", b"\xff"):
            yield upload, step + b"\1" + body
        yield upload, b"\x10\3" + gzip.compress(body, mtime=0)
    yield upload, b"\x10\0MDMP\x93\xa7"


def _scratch() -> Path:
    return Path(_scratch_directory().name)


@cache
def _scratch_directory() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="fuzz-")


def _symbols() -> Path:
    """Return a store of symbols with a path for one file."""
    store = _scratch() / "symbols"
    (store / _WANTED.path).parent.mkdir(parents=True, exist_ok=True)
    return store


def _walk(dump: Path, *arguments: str) -> dict[str, Any] | None:
    """Return the output for a dump; None if the dump is refused."""
    done = _run(*arguments, str(dump))
    if done.returncode == _REFUSED:
        assert not done.stdout
        assert _REFUSAL.fullmatch(done.stderr), done.stderr
        return None
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr!r}"
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


def _run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    limited = ["prlimit", f"--as={_MEMORY}", "--cpu=10", "--core=0", str(_stackwalker()), *arguments]
    return subprocess.run(limited, capture_output=True, timeout=60, check=False)


@cache
def _stackwalker() -> Path:
    return own_stackwalker()
