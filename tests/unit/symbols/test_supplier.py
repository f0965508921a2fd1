"""The supplier, with a real HTTP server and directories."""

from __future__ import annotations

import errno
import gzip
import logging
import re
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import zstandard

from socorro_processor.configuration import defaults
from socorro_processor.errors import ConfigurationError
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.symbols.directory_source import DirectorySource
from socorro_processor.symbols.layout import SymbolFileID
from socorro_processor.symbols.s3_source import S3Source
from socorro_processor.symbols.source import SourceAway
from socorro_processor.symbols.staging import Staging
from socorro_processor.symbols.supplier import PAUSES, SymbolSupplier, parse_sources
from tests.certificates import Authority
from tests.symbol_server import Answer, Request, SymbolServer, always
from tests.tcp_proxy import TCPProxy

DEADLINE = 30.0
SOON = 10.0
A_MOMENT = 0.1
ID = "83CF4DC03621B778E931FC713889E8F10"
XUL = SymbolFileID.of("xul.pdb", ID)
LIBC = SymbolFileID.of("libc.so.6", ID)
SYM = f"MODULE windows x86_64 {ID} xul.pdb\nFUNC 1000 10 0 main\n".encode()
SLOW = {"read_timeout": "0.3"}
"""Options for servers that send nothing."""


class Suppliers:
    """Suppliers over a cache of their own."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.now = 1000.0
        self._made: list[SymbolSupplier] = []

    def supplier(self, *sources: object, **options: object) -> SymbolSupplier:
        config = defaults(SymbolSupplier, sources=",".join(map(str, sources)), **options)
        self._made.append(SymbolSupplier(config, str(self.cache), clock=lambda: self.now))
        return self._made[-1]

    def files(self) -> dict[str, bytes]:
        """Return the files in the cache, and the leftovers of downloads."""
        roots = (self.cache, Path(f"{self.cache}.staging"))
        found = [file for root in roots for file in root.rglob("*") if file.is_file() and file.parent.name != "missing"]
        return {str(file.relative_to(self.cache.parent)): file.read_bytes() for file in found}

    def close(self) -> None:
        for supplier in self._made:
            supplier.close()


@pytest.fixture
def its(tmp_path: Path) -> Iterator[Suppliers]:
    with closing(Suppliers(tmp_path / "cache")) as suppliers:
        yield suppliers


@pytest.fixture
def server() -> Iterator[SymbolServer]:
    with SymbolServer(always(SYM)) as server:
        yield server


# Successful downloads


@pytest.mark.parametrize(
    "content",
    [
        SYM,
        gzip.compress(SYM),
        gzip.compress(SYM[:20]) + gzip.compress(SYM[20:]),
        zstandard.compress(SYM),
        zstandard.compress(SYM[:20]) + zstandard.compress(SYM[20:]),
        SYM.replace(b"\n", b"\r\n"),
        SYM.replace(ID.encode(), ID.lower().encode()),
        SYM.replace(b"xul.pdb", b"XUL.PDB"),
        SYM + b"FUNC 1 1 0 x\n" * 200_000,
    ],
    ids=["plain", "gzip", "gzips", "zstd", "zstds", "crlf", "id in lower case", "name in upper case", "big"],
)
def test_a_symbol_file_is_decompressed_into_the_cache(its, server, content):
    server.answers(always(content))
    assert its.supplier(server.url).supply([XUL]).fetched == [XUL]
    [(name, found)] = its.files().items()
    assert name == f"cache/{XUL.path}"
    assert found.lower().replace(b"\r", b"").startswith(SYM.lower())
    assert (its.cache / XUL.path).stat().st_mode & 0o444 == 0o444


def test_a_file_of_the_same_build_may_have_another_name(its, server):
    """A module like libc.so.6, whose file is libc-2.32.so."""
    server.answers(always(SYM.replace(b"xul.pdb", b"libc-2.32.so")))
    assert its.supplier(server.url).supply([LIBC]).fetched == [LIBC]


def test_if_the_id_is_a_time_and_not_a_guid_the_name_must_be_the_same(its, server):
    server.answers(always(SYM.replace(ID.encode(), b"3FBA8B1E1")))
    assert its.supplier(server.url).supply([SymbolFileID.of("nss3.pdb", "3FBA8B1E1")]).missing
    assert its.supplier(server.url).supply([SymbolFileID.of("xul.pdb", "3FBA8B1E1")]).fetched


def test_a_file_may_come_in_chunks_without_a_length(its, server):
    def answer(request: Request) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        request.wfile.write(b"".join(b"%x\r\n%s\r\n" % (1, SYM[n : n + 1]) for n in range(len(SYM))) + b"0\r\n\r\n")

    server.answers(answer)
    assert its.supplier(server.url).supply([XUL]).fetched == [XUL]
    assert (its.cache / XUL.path).read_bytes() == SYM


def test_a_file_in_the_cache_or_a_symbol_directory_is_not_asked_for(its, server, tmp_path):
    for root, wanted in ((its.cache, XUL), (tmp_path / "symbols", LIBC)):
        (root / wanted.path).parent.mkdir(parents=True)
        (root / wanted.path).write_bytes(SYM)
    config = defaults(SymbolSupplier, sources=server.url)
    supplier = SymbolSupplier(config, str(its.cache), [str(tmp_path / "symbols")])
    assert supplier.supply([XUL, LIBC]).cached == [XUL, LIBC]
    assert server.paths == []
    supplier.close()


def test_sources_are_asked_in_order_until_one_has_the_file(its, server, tmp_path):
    (tmp_path / "first").mkdir()
    file = tmp_path / "second" / f"{XUL.path}.zst"
    file.parent.mkdir(parents=True)
    file.write_bytes(zstandard.compress(SYM))
    supplier = its.supplier(tmp_path / "first", tmp_path / "second", server.url)
    assert supplier.supply([XUL]).fetched == [XUL]
    assert server.paths == []


@pytest.mark.parametrize(("suffix", "pack"), [("", bytes), (".gz", gzip.compress), (".zst", zstandard.compress)])
def test_a_directory_may_hold_compressed_files(its, tmp_path, suffix, pack):
    file = tmp_path / "symbols" / f"{XUL.path}{suffix}"
    file.parent.mkdir(parents=True)
    file.write_bytes(pack(SYM))
    assert its.supplier(tmp_path / "symbols").supply([XUL]).fetched == [XUL]
    assert (its.cache / XUL.path).read_bytes() == SYM


def test_redirects_are_followed(its, server):
    def answer(request: Request) -> None:
        if request.path.startswith("/elsewhere"):
            request.body(SYM)
        else:
            request.body(b"", 302, Location="/elsewhere/xul.sym")

    server.answers(answer)
    assert its.supplier(server.url).supply([XUL]).fetched == [XUL]


# Failures


def _cut(request: Request) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(2 * len(SYM)))
    request.end_headers()
    request.wfile.write(SYM)
    request.close_connection = True


def _cut_chunks(request: Request) -> None:
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    request.wfile.write(b"%x\r\n%s\r\n" % (len(SYM), SYM))
    request.close_connection = True


def _endless(request: Request) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(10 << 30))
    request.end_headers()
    request.wfile.write(SYM)
    for _ in range(10 << 10):
        request.wfile.write(b"FUNC 1 1 0 x\n" * (1 << 16))


def _trickle(request: Request) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "1000000")
    request.end_headers()
    request.wfile.write(SYM)
    while True:
        time.sleep(0.05)
        request.wfile.write(b"x")


def _to(location: str) -> Answer:
    return always(b"", 302, Location=location)


FAILURES: list[tuple[str, Answer, str]] = [
    ("500", always(b"", 500), "answers 500"),
    ("503", always(b"<html>" * 100_000, 503), "answers 503"),
    ("429", always(b"", 429), "answers 429"),
    ("half", _cut, "IncompleteRead|sent .* of"),
    ("half, in chunks", _cut_chunks, "IncompleteRead|broken"),
    ("to a file", _to("file:///etc/passwd"), "redirects to 'file'"),
    ("to ftp", _to("ftp://localhost/x"), "redirects to 'ftp'"),
    ("to nowhere", _to(""), "redirects"),
    ("in a circle", _to("/again"), "more than 5 times"),
    ("to nonsense", _to("http://[::1"), "127.0.0.1"),
]
NOT_THERE: list[tuple[str, Answer]] = [
    ("404", always(b"no", 404)),
    ("403", always(b"no", 403)),
    ("404 without an end", always(b"x" * (1 << 20), 404)),
    ("HTML", always(b"<html><body>MODULE </body></html>\n")),
    ("nothing", always(b"")),
    ("another build", always(SYM.replace(b"83CF", b"83CE"))),
    ("a module line without an end", always(b"MODULE windows x86_64 " + b"A" * 100_000)),
    ("a last line without an end", always(SYM[:-1])),
    ("10 GB", _endless),
    ("half of a gzip", always(gzip.compress(SYM)[:-6])),
    ("half of a zstd", always(zstandard.compress(SYM)[:-6])),
    ("no gzip", always(b"\x1f\x8b" + bytes(100))),
    ("no zstd", always(b"\x28\xb5\x2f\xfd" + b"\xff" * 100)),
]


@pytest.mark.parametrize(("answer", "reason"), [each[1:] for each in FAILURES], ids=[each[0] for each in FAILURES])
def test_a_source_without_a_proper_answer_gives_a_reason_and_leaves_no_file(its, server, answer, reason):
    server.answers(answer)
    supplied = its.supplier(server.url, maximum_symbol_size="5M").supply([XUL])
    assert list(supplied.failed) == [XUL]
    assert re.search(reason, supplied.failed[XUL])
    assert its.files() == {}


def test_a_file_that_trickles_is_given_up_after_its_time(its, server):
    server.answers(_trickle)
    supplied = its.supplier(server.url, download_timeout="0.5").supply([XUL])
    assert supplied.failed == {XUL: f"{server.url}: was not done after 0.5 s"}
    assert its.files() == {}


@pytest.mark.parametrize("answer", [each[1] for each in NOT_THERE], ids=[each[0] for each in NOT_THERE])
def test_a_wrong_symbol_file_counts_as_missing_and_is_not_asked_for_again(its, server, answer):
    _is_missing_and_not_asked_for_again(its, server, answer)


@pytest.mark.parametrize("pack", [partial(gzip.compress, compresslevel=1), zstandard.compress], ids=["gzip", "zstd"])
def test_a_bomb_counts_as_missing_and_is_not_asked_for_again(its, server, pack):
    # Packed here, and not where tests are collected, which each worker of a run does.
    _is_missing_and_not_asked_for_again(its, server, always(pack(SYM + bytes(256 << 20))))


def _is_missing_and_not_asked_for_again(its, server, answer):
    server.answers(answer)
    supplier = its.supplier(server.url, maximum_symbol_size="5M")
    assert supplier.supply([XUL]).missing == [XUL]
    assert supplier.supply([XUL]).missing == [XUL]
    assert server.paths == [XUL.path]
    assert its.files() == {}


def test_a_server_that_hangs_costs_one_timeout_and_then_nothing(its, server):
    server.answers(server.hang)
    supplier = its.supplier(server.url, failures_allowed="1", **SLOW)
    assert "timed out" in supplier.supply([XUL]).failed[XUL]
    assert "timed out" in supplier.supply([XUL, LIBC]).failed[LIBC]
    assert server.paths == [XUL.path]


def test_a_crash_goes_on_while_a_file_is_downloaded_for_the_next_one(its, server):
    go_on = threading.Event()

    def answer(request: Request) -> None:
        assert go_on.wait(DEADLINE)
        request.body(SYM)

    server.answers(answer)
    supplier = its.supplier(server.url)
    assert supplier.supply([XUL], timeout=0.05).failed == {XUL: "not done after 0.05 s"}
    go_on.set()
    assert supplier.supply([XUL], timeout=DEADLINE).fetched + supplier.supply([XUL]).cached
    assert server.paths == [XUL.path]


def test_a_source_that_is_away_gets_one_request_after_each_pause_until_it_answers(its, server, caplog):
    server.answers(always(b"", 503))
    supplier = its.supplier(server.url, failures_allowed="2", number_of_downloads="1")
    wanted = [SymbolFileID.of(f"lib{n}.so", ID) for n in range(9)]
    with caplog.at_level(logging.INFO, "socorro_processor.symbols"):
        supplier.supply(wanted)
        assert len(server.paths) == 2  # and the other seven cost nothing
        its.now += PAUSES[0]
        supplier.supply(wanted)
        assert len(server.paths) == 3
        server.answers(always(b"", 404))
        its.now += PAUSES[1]
        assert len(supplier.supply(wanted).missing) >= 1
        assert len(supplier.supply(wanted).missing) == 9
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "INFO"]


def test_with_a_source_away_the_others_are_still_asked(its, server, tmp_path):
    server.answers(always(b"", 500))
    file = tmp_path / "symbols" / XUL.path
    file.parent.mkdir(parents=True)
    file.write_bytes(SYM)
    supplier = its.supplier(server.url, tmp_path / "not-there", tmp_path / "symbols")
    assert supplier.supply([XUL]).fetched == [XUL]


def test_while_a_source_is_away_a_file_that_no_other_has_is_not_called_missing(its, server, tmp_path):
    server.answers(always(b"", 500))
    (tmp_path / "symbols").mkdir()
    supplied = its.supplier(server.url, tmp_path / "symbols").supply([XUL])
    assert supplied.missing == []
    assert supplied.notes() == [f"symbols of 1 module were not got: {server.url} answers 500"]


def test_a_missing_file_is_asked_for_again_after_its_time_by_any_process(its, server):
    server.answers(always(b"", 404))
    assert its.supplier(server.url).supply([XUL]).missing == [XUL]
    assert its.supplier(server.url).supply([XUL]).missing == [XUL]
    assert len(server.paths) == 1
    assert its.supplier(server.url, negative_ttl="0").supply([XUL]).missing == [XUL]
    assert len(server.paths) == 2


def test_a_downloaded_file_is_available_at_once(its, server):
    server.answers(always(b"", 404))
    supplier = its.supplier(server.url)
    assert supplier.supply([XUL]).notes() == ["symbols of 1 module are at no source"]
    server.answers(always(SYM))
    supplier.forget(XUL.path)
    assert supplier.supply([XUL]).fetched == [XUL]


def test_no_more_files_than_allowed_are_downloaded_for_one_dump(its, server):
    server.answers(always(b"", 404))
    wanted = [SymbolFileID.of(f"lib{n}.so", ID) for n in range(5)]
    supplied = its.supplier(server.url, maximum_files="2").supply(wanted)
    assert supplied.missing == wanted[:2]
    assert supplied.failed == dict.fromkeys(wanted[2:], "more than 2 files")
    assert sorted(server.paths) == [each.path for each in wanted[:2]]


def test_an_unwritable_cache_is_a_reason_and_not_an_error(its, server):
    its.cache.mkdir()
    (its.cache / "xul.pdb").write_text("in the way")
    reason = its.supplier(server.url).supply([XUL]).failed[XUL]
    assert reason.startswith("cannot write below the symbol cache:")
    assert list(its.files()) == ["cache/xul.pdb"]


@pytest.mark.parametrize(
    ("name", "path"), [(r"..\..\x", f"x/{ID}/x.sym"), ("a b#?%.so", f"a%20b%23%3F%25.so/{ID}/a%20b%23%3F%25.so.sym")]
)
def test_a_name_cannot_lead_out_of_the_layout(its, server, name, path):
    server.answers(always(b"", 404))
    its.supplier(server.url).supply([SymbolFileID.of(name, ID)])
    assert server.paths == [path]


@pytest.mark.parametrize("name", ["..", "x" * 4000, "a\0b", ""])
def test_an_invalid_name_is_never_asked_for(name):
    with pytest.raises(ValueError, match="name"):
        SymbolFileID.of(name, ID)


# Concurrent downloads


def test_eight_threads_and_two_processes_make_one_download(its, server):
    here = threading.Barrier(3)  # the first request, the test, and nobody else
    go_on = threading.Event()

    def answer(request: Request) -> None:
        here.wait(DEADLINE)
        assert go_on.wait(DEADLINE)
        request.body(SYM)

    server.answers(answer)
    supplier = its.supplier(server.url)
    program = (
        "import sys\nfrom socorro_processor.configuration import defaults\n"
        "from socorro_processor.symbols.supplier import *\nfrom socorro_processor.symbols.layout import SymbolFileID\n"
        "supplier = SymbolSupplier(defaults(SymbolSupplier, sources=sys.argv[1]), sys.argv[2])\n"
        "print('ready', flush=True)\nsys.stdin.readline()\n"
        "supplied = supplier.supply([SymbolFileID.of(sys.argv[3], sys.argv[4])])\n"
        "print(len(supplied.fetched) + len(supplied.cached))\nsupplier.close()\n"
    )
    command = [sys.executable, "-c", program, server.url, str(its.cache), "xul.pdb", ID]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
    try:
        for process in processes:
            assert process.stdout.readline() == "ready\n"
            process.stdin.write("go\n")
            process.stdin.flush()
        got: list[int] = []

        def ask() -> None:
            supplied = supplier.supply([XUL])
            got.append(len(supplied.fetched) + len(supplied.cached))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        asked = threading.Thread(target=here.wait, args=(DEADLINE,))
        asked.start()
        here.wait(DEADLINE)  # a download has begun; a second one would break the barrier
        go_on.set()
        for thread in (*threads, asked):
            thread.join(DEADLINE)
        assert got == [1] * 8
        assert [process.communicate(timeout=DEADLINE)[0] for process in processes] == ["1\n", "1\n"]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert server.paths == [XUL.path]
    assert list(its.files()) == [f"cache/{XUL.path}"]


def test_several_files_are_downloaded_at_a_time(its, server):
    together = threading.Barrier(4)

    def answer(request: Request) -> None:
        together.wait(DEADLINE)
        request.body(b"", 404)

    server.answers(answer)
    wanted = [SymbolFileID.of(f"lib{n}.so", ID) for n in range(4)]
    assert its.supplier(server.url).supply(wanted).missing == wanted


def test_leftovers_of_a_killed_process_are_removed_with_the_first_download(its, server):
    staging = Path(f"{its.cache}.staging")
    staging.mkdir(parents=True)
    for name in ("a.part", "a.lock", "b.part", "c.lock"):
        (staging / name).write_bytes(b"half")
    its.supplier(server.url).supply([XUL])
    assert its.files() == {f"cache/{XUL.path}": SYM}


def test_a_directory_that_the_manager_of_the_cache_removes_is_made_again(its, server):
    stop = threading.Event()

    def remove() -> None:
        while not stop.is_set():
            for directory in its.cache.rglob("*"):
                with suppress(OSError):
                    directory.rmdir()

    def answer(request: Request) -> None:
        request.body(f"MODULE Linux x86_64 {ID} {request.path.split('/')[1]}\n".encode())

    server.answers(answer)
    its.cache.mkdir()
    removing = threading.Thread(target=remove)
    removing.start()
    wanted = [SymbolFileID.of(f"lib{n}.so", ID) for n in range(100)]
    try:
        assert its.supplier(server.url).supply(wanted).failed == {}
    finally:
        stop.set()
        removing.join(DEADLINE)


def test_closing_ends_downloads(its, server):
    begun = threading.Event()

    def answer(request: Request) -> None:
        begun.set()
        _trickle(request)

    server.answers(answer)
    supplier = its.supplier(server.url)
    supplied = []
    asking = threading.Thread(target=lambda: supplied.append(supplier.supply([XUL])))
    asking.start()
    assert begun.wait(DEADLINE)
    supplier.close()
    asking.join(DEADLINE)
    assert supplied[0].failed == {XUL: "the processor ends"}


DRIPS = ["drip_header", "drip_body", "drip_chunk"]
"""Answers of which some byte comes before each read timeout."""

DRIPPED_ON = {"connection_timeout": "1", "read_timeout": "2"}
"""Long enough that even on a busy machine the pauses between the server's drips are shorter."""


@pytest.mark.parametrize("drip", DRIPS)
def test_a_server_that_drips_is_a_failed_source_that_is_logged_counted_and_left_alone(its, server, caplog, drip):
    server.answers(getattr(server, drip))
    supplier = its.supplier(server.url, failures_allowed="2", **DRIPPED_ON)
    before = METRICS.snapshot().counter("symbols.source_failed")
    with caplog.at_level(logging.INFO, "socorro_processor.symbols"):
        supplied = supplier.supply([XUL, LIBC], timeout=DEADLINE)
    assert list(supplied.failed) == [XUL, LIBC]
    assert all(re.search("within [23] s|bytes a second", reason) for reason in supplied.failed.values())
    assert METRICS.snapshot().counter("symbols.source_failed") - before == 2
    assert "symbol source away, asked again in 5 s" in caplog.text
    supplier.supply([SymbolFileID.of("third.so", ID)])
    assert len(server.paths) == 2
    assert its.files() == {}


def test_a_server_that_drips_after_a_redirect_gets_no_more_time(its, server):
    def answer(request: Request) -> None:
        if request.path.startswith("/elsewhere"):
            server.drip_header(request)
        else:
            request.body(b"", 302, Location="/elsewhere/xul.sym")

    server.answers(answer)
    supplied = its.supplier(server.url, **DRIPPED_ON).supply([XUL], timeout=DEADLINE)
    assert supplied.failed == {XUL: f"{server.url}: did not answer within 3 s"}


def test_a_reused_connection_has_a_deadline_too(its, server):
    def answer(request: Request) -> None:
        if request.path.startswith("/xul"):
            server.drip_header(request)
        else:
            request.body(b"", 404)

    server.answers(answer)
    supplier = its.supplier(server.url, number_of_downloads="1", **DRIPPED_ON)
    assert supplier.supply([LIBC]).missing == [LIBC]
    assert supplier.supply([XUL], timeout=DEADLINE).failed == {XUL: f"{server.url}: did not answer within 3 s"}
    assert server.connections == 1


@pytest.mark.parametrize("drip", DRIPS)
def test_a_server_that_drips_over_tls_has_a_deadline_too(its, server, tmp_path, monkeypatch, drip):
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*authority.sign())
    address = urlsplit(server.url)
    with closing(TCPProxy(address.hostname, address.port, tls)) as proxy:
        supplier = its.supplier(f"https://127.0.0.1:{proxy.port}", **DRIPPED_ON)
        assert supplier.supply([XUL]).fetched == [XUL]
        server.answers(getattr(server, drip))
        supplied = supplier.supply([LIBC], timeout=DEADLINE)
        assert re.search("within [23] s|bytes a second", supplied.failed[LIBC])
        server.released.set()


def closed_while_it_asks(supplier, server, drip):
    """Return the result of a supply whose supplier is soon closed while the server drips."""
    begun = threading.Event()

    def answer(request: Request) -> None:
        begun.set()
        getattr(server, drip)(request)

    server.answers(answer)
    supplied = []
    asking = threading.Thread(target=lambda: supplied.append(supplier.supply([XUL])))
    asking.start()
    assert begun.wait(DEADLINE)
    started = time.monotonic()
    supplier.close()
    asking.join(DEADLINE)
    assert time.monotonic() - started < SOON
    return supplied[0]


@pytest.mark.parametrize("drip", DRIPS)
def test_closing_waits_for_no_server(its, server, drip):
    """With the timeouts of production."""
    assert closed_while_it_asks(its.supplier(server.url), server, drip).failed == {XUL: "the processor ends"}
    assert its.files() == {}


@pytest.mark.parametrize("drip", DRIPS)
def test_a_bucket_that_drips_is_a_failed_source(its, server, drip):
    server.answers(getattr(server, drip))
    bucket = {"endpoint_url": server.url, "access_key": "key", "secret_access_key": "secret", "calling_format": "path"}
    options = {f"s3.{name}": value for name, value in (bucket | DRIPPED_ON).items()}
    supplied = its.supplier("s3", download_timeout="5", **options).supply([XUL], timeout=DEADLINE)
    assert re.fullmatch("s3://symbols: (did not answer within 3 s|was not done after 5 s)", supplied.failed[XUL])
    assert its.files() == {}


def test_a_bucket_is_not_asked_once_the_time_is_over(its, server):
    bucket = {"endpoint_url": server.url, "access_key": "key", "secret_access_key": "secret"}
    config = defaults(SymbolSupplier, sources="s3", **{f"s3.{name}": value for name, value in bucket.items()})
    source = S3Source(config.s3, download_timeout=DEADLINE)
    source.close()
    with pytest.raises(SourceAway, match="the processor ends"):
        next(source.chunks("xul.sym"))
    assert server.paths == []


def test_closing_waits_for_no_bucket(its, server):
    bucket = {"endpoint_url": server.url, "access_key": "key", "secret_access_key": "secret", "calling_format": "path"}
    options = {f"s3.{name}": value for name, value in (bucket | {"number_of_tries": "9"}).items()}
    supplied = closed_while_it_asks(its.supplier("s3", **options), server, "drip_header")
    assert supplied.failed == {XUL: "the processor ends"}


def test_closing_leaves_behind_a_thread_that_nothing_can_end(its, tmp_path, monkeypatch):
    begun, released = threading.Event(), threading.Event()

    def hanging(_: DirectorySource, path: str) -> Iterator[bytes]:
        """A read from a file server that is away."""
        begun.set()
        released.wait(DEADLINE)
        yield b""

    monkeypatch.setattr(DirectorySource, "chunks", hanging)
    supplier = its.supplier(tmp_path)
    supplied = []
    asking = threading.Thread(target=lambda: supplied.append(supplier.supply([XUL, LIBC], timeout=DEADLINE)))
    asking.start()
    assert begun.wait(DEADLINE)
    supplier.close(A_MOMENT)
    assert asking.is_alive()
    released.set()
    asking.join(DEADLINE)


# Costs


def test_forty_cached_modules_are_checked_and_twenty_missing_ones_cost_no_request(its, server):
    server.answers(always(b"", 404))
    missing = [SymbolFileID.of(f"missing{n}.so", ID) for n in range(20)]
    cached = [SymbolFileID.of(f"lib{n}.so", ID) for n in range(40)]
    for each in cached:
        (its.cache / each.path).parent.mkdir(parents=True)
        (its.cache / each.path).write_bytes(SYM)
    supplier = its.supplier(server.url)
    supplier.supply(missing)
    before = len(server.paths)
    supplied = supplier.supply([*cached, *missing])
    assert (len(supplied.cached), len(supplied.missing)) == (40, 20)
    assert len(server.paths) == before == 20


# Configuration


@pytest.mark.parametrize(
    "sources",
    ["file:///symbols", "ftp://host/x", "https://user:secret@host/", "https://host/?token=secret", "http://", "://"],
)
def test_an_address_that_cannot_be_used_or_holds_a_secret_is_refused(sources):
    with pytest.raises(ValueError, match="without user, password and query"):
        parse_sources(f"/var/symbols, {sources}")


def test_sources_without_a_cache_are_refused(tmp_path):
    config = defaults(SymbolSupplier, sources=str(tmp_path))
    with pytest.raises(ConfigurationError, match="symbol_cache_path"):
        SymbolSupplier(config, "")


def test_unfinished_files_cannot_be_in_the_cache(tmp_path):
    config = defaults(SymbolSupplier, sources=str(tmp_path), staging_path=str(tmp_path / "cache" / "x"))
    with pytest.raises(ConfigurationError, match="in the symbol cache"):
        SymbolSupplier(config, str(tmp_path / "cache"))


def test_a_directory_of_unfinished_files_that_could_not_be_made_is_made_the_next_time(its, server, monkeypatch):
    def lacking(staging: Staging) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    supplier = its.supplier(server.url)
    with monkeypatch.context() as patched:
        patched.setattr(Staging, "clean", lacking)
        assert supplier.supply([XUL]).fetched == []
    assert supplier.supply([XUL]).fetched == [XUL]


def test_a_supplier_that_gets_nothing_leaves_no_trace(its, server, tmp_path):
    supplier = its.supplier(server.url)
    supplier.check(server.url)
    assert list(tmp_path.iterdir()) == []


def test_an_unusable_directory_for_unfinished_files_is_a_configuration_error(tmp_path):
    (tmp_path / "file").touch()
    config = defaults(SymbolSupplier, sources=str(tmp_path), staging_path=str(tmp_path / "file" / "x"))
    with pytest.raises(ConfigurationError, match=r"staging_path: cannot use .*: Not a directory"):
        SymbolSupplier(config, str(tmp_path / "cache"))
