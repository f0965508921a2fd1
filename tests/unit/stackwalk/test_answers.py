"""Answers to stackwalkers' questions, with a real symbol server; the stackwalkers are the tests themselves."""

from __future__ import annotations

import array
import errno
import gc
import json
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.errors import ProcessingEnvironmentError
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.stackwalk import answers as answers_module
from socorro_processor.stackwalk.answers import MAXIMUM_QUESTIONS, SymbolAnswers
from socorro_processor.stackwalk.opened import SymbolDirectories
from socorro_processor.stackwalk.session import Session
from socorro_processor.symbol_cache.index_directory import SUFFIX, index_directory
from socorro_processor.symbols.download_threads import DownloadThreads
from socorro_processor.symbols.layout import SymbolFileID
from socorro_processor.symbols.supplier import SymbolSupplier
from tests.symbol_server import Request, SymbolServer, always

DEADLINE = 60.0
A_MOMENT = 0.2
ID = "83CF4DC03621B778E931FC713889E8F10"
XUL = SymbolFileID.of("xul.pdb", ID)
LIBC = SymbolFileID.of("libc.so.6", ID)
SYM = f"MODULE windows x86_64 {ID} xul.pdb\nFUNC 1000 10 0 main\n".encode()


class Stackwalker:
    """The stackwalker's end of the socket."""

    def __init__(self, session: Session) -> None:
        self._socket = socket.socket(fileno=os.dup(session.descriptor))
        self._socket.settimeout(DEADLINE)
        session.handed_over()

    def send(self, message: bytes, descriptors: list[int] | None = None) -> None:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        self._socket.sendmsg([message], rights)

    def ask(self, number: int, wanted: SymbolFileID = XUL) -> None:
        self.send(question(number, wanted.debug_file, wanted.debug_id))

    def answer(self) -> tuple[int, str, list[bytes]] | None:
        """Return the next answer, with the content of its descriptors' files; None if no more come."""
        with suppress(ConnectionResetError):
            message, descriptors, _, _ = socket.recv_fds(self._socket, 4096, 8)
            contents = []
            for descriptor in descriptors:
                with os.fdopen(descriptor, "rb") as file:
                    contents.append(file.read())
            if message:
                content = json.loads(message)
                return content["number"], content["answer"], contents
        return None

    def answers(self, number: int) -> dict[int, tuple[str, list[bytes]]]:
        found = {}
        for _ in range(number):
            answer = self.answer()
            assert answer is not None
            found[answer[0]] = answer[1:]
        return found

    def close(self) -> None:
        self._socket.close()


def question(number: object, debug_file: object = "xul.pdb", debug_id: object = ID) -> bytes:
    content = {"number": number, "debug_file": debug_file, "debug_id": debug_id, "code_file": "", "code_id": ""}
    return json.dumps(content).encode()


class Answers:
    """Answers over a cache of its own."""

    def __init__(self, cache: Path, source: object) -> None:
        self.cache = cache
        self._source = source
        self._made: list[SymbolSupplier | SymbolAnswers] = []
        self.supplier: SymbolSupplier

    def over(self, kind: type[SymbolSupplier] = SymbolSupplier, index_path: str = "", **options: str) -> SymbolAnswers:
        self.supplier = kind(defaults(SymbolSupplier, sources=str(self._source), **options), str(self.cache))
        answers = SymbolAnswers(self.supplier, index_path)
        self._made += [answers, self.supplier]
        return answers

    def put(self, wanted: SymbolFileID, content: bytes = SYM) -> Path:
        return put(self.cache / wanted.path, content)

    def close(self) -> None:
        for each in self._made:
            each.close()


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def server() -> Iterator[SymbolServer]:
    with SymbolServer(always(SYM)) as server:
        yield server


@pytest.fixture
def its(tmp_path: Path, server: SymbolServer) -> Iterator[Answers]:
    answers = Answers(tmp_path / "cache", server.url)
    yield answers
    answers.close()


def open_descriptors() -> int:
    """Return the number of descriptors. Connections of earlier tests may still end, so it may be lower later."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def held(go_on: threading.Event, which: Callable[[str], bool] = lambda _: True) -> Callable[[Request], None]:
    """Return an answer of the server that waits for ``go_on``."""

    def answer(request: Request) -> None:
        if which(request.path):
            assert go_on.wait(DEADLINE)
        request.body(SYM)

    return answer


# Answers


def test_a_file_that_is_in_the_cache_is_handed_over(its, server):
    its.put(XUL)
    with its.over().session() as session, closing(Stackwalker(session)) as walker:
        walker.ask(3)
        assert walker.answer() == (3, "file", [SYM])
    assert session.supplied.cached == [XUL]
    assert server.paths == []


@pytest.mark.parametrize("index_path", ["", "indexes"])
def test_a_file_is_followed_by_its_index(its, tmp_path, index_path):
    index_path = index_path and str(tmp_path / index_path)
    its.put(XUL)
    put(index_directory(its.cache, index_path) / (XUL.path + SUFFIX), b"index")
    with its.over(index_path=index_path).session() as session, closing(Stackwalker(session)) as walker:
        walker.ask(0)
        assert walker.answer() == (0, "file", [SYM, b"index"])


def test_a_file_in_another_directory_of_symbols_comes_with_the_index_of_that(its, tmp_path, server):
    supplier = SymbolSupplier(defaults(SymbolSupplier, sources=server.url), str(its.cache), [str(tmp_path / "symbols")])
    put(tmp_path / "symbols" / XUL.path, SYM)
    put(tmp_path / "symbols.index" / (XUL.path + SUFFIX), b"index")
    with (
        closing(supplier),
        closing(SymbolAnswers(supplier)) as answers,
        answers.session() as session,
        closing(Stackwalker(session)) as walker,
    ):
        walker.ask(0)
        assert walker.answer() == (0, "file", [SYM, b"index"])


def test_a_missing_file_is_downloaded(its, server):
    with its.over().session() as session, closing(Stackwalker(session)) as walker:
        walker.ask(0)
        assert walker.answer() == (0, "file", [SYM])
        walker.ask(1)
        assert walker.answer() == (1, "file", [SYM])
        walker.ask(2, LIBC)
        assert walker.answer() == (2, "file", [SYM])
    assert session.supplied.results == {XUL: "cached", LIBC: "fetched"}
    assert server.paths == [XUL.path, LIBC.path]
    assert session.supplied.late == frozenset()


def test_a_file_that_no_source_has_is_answered_with_none(its, server):
    server.answers(always(b"", 404))
    with its.over().session() as session, closing(Stackwalker(session)) as walker:
        for number in (0, 1):
            walker.ask(number)
            assert walker.answer() == (number, "none", [])
    assert session.supplied.missing == [XUL]
    assert server.paths == [XUL.path]


def test_if_a_source_is_away_the_answer_is_none_with_a_reason(its, server):
    server.answers(always(b"", 500))
    with its.over().session() as session, closing(Stackwalker(session)) as walker:
        walker.ask(0)
        assert walker.answer() == (0, "none", [])
    assert session.supplied.failed == {XUL: f"{server.url} answers 500"}
    assert session.supplied.notes() == [f"symbols of 1 module were not got: {server.url} answers 500"]


def test_answers_come_in_the_order_of_their_files(its, server):
    go_on = threading.Event()
    server.answers(held(go_on, lambda path: "xul" in path))
    with its.over().session() as session, closing(Stackwalker(session)) as walker:
        walker.ask(0, XUL)
        walker.ask(1, LIBC)
        assert walker.answer() == (1, "file", [SYM])
        go_on.set()
        assert walker.answer() == (0, "file", [SYM])


def test_a_file_that_comes_too_late_is_answered_with_later_and_ready_for_the_next_walk(its, server):
    go_on = threading.Event()
    server.answers(held(go_on))
    answers = its.over()
    with answers.session(A_MOMENT) as session, closing(Stackwalker(session)) as walker:
        walker.ask(0)
        assert walker.answer() == (0, "later", [])
        assert session.waited() == A_MOMENT
        walker.ask(1, LIBC)
        assert walker.answer() == (1, "later", [])
        cached = SymbolFileID.of("cached.so", ID)
        its.put(cached)
        walker.ask(2, cached)
        assert walker.answer() == (2, "file", [SYM])
    assert session.supplied.failed == dict.fromkeys((XUL, LIBC), "not done after 0.2 s")
    assert session.supplied.late == {XUL, LIBC}
    go_on.set()
    with answers.session() as session, closing(Stackwalker(session)) as walker:
        walker.ask(0)
        assert walker.answer() == (0, "file", [SYM])
    until(lambda: len(server.paths) == 2)
    assert sorted(server.paths) == sorted([XUL.path, LIBC.path])


def test_answers_are_waited_for_as_long_as_the_supplier_may_take(its, server):
    server.answers(server.hang)
    with its.over(supply_timeout=str(A_MOMENT)).session() as session, closing(Stackwalker(session)) as walker:
        walker.ask(0)
        assert walker.answer() == (0, "later", [])


def test_only_the_time_with_an_open_question_counts(its, server):
    go_on = threading.Event()
    server.answers(held(go_on))
    with its.over().session() as session, closing(Stackwalker(session)) as walker:
        assert session.waited() == 0.0
        walker.ask(0)
        until(session.waited)
        some = session.waited()
        until(lambda: session.waited() > some)
        go_on.set()
        walker.answer()
        waited = session.waited()
        walker.ask(1)
        walker.answer()
        assert waited <= session.waited() < DEADLINE
    assert session.waited() == session.waited()


def test_a_file_that_many_walks_want_is_downloaded_once(its, server):
    go_on = threading.Event()
    server.answers(held(go_on))
    answers = its.over()
    sessions = [answers.session() for _ in range(30)]
    walkers = [Stackwalker(session) for session in sessions]
    for walker in walkers:
        walker.ask(0)
        walker.ask(1)
    until(lambda: all(session.waited() for session in sessions))
    go_on.set()
    for session, walker in zip(sessions, walkers, strict=True):
        assert walker.answers(2) == {0: ("file", [SYM]), 1: ("file", [SYM])}
        walker.close()
        session.__exit__()
    assert server.paths == [XUL.path]


def test_no_more_files_than_allowed_are_downloaded_for_one_walk(its, server):
    with its.over(maximum_files="1").session() as session, closing(Stackwalker(session)) as walker:
        walker.ask(0)
        walker.ask(1, LIBC)
        walker.ask(2)
        assert {number: answer for number, (answer, _) in walker.answers(3).items()} == {
            0: "file",
            1: "none",
            2: "file",
        }
    assert session.supplied.failed == {LIBC: "the walk asked for more files than the limit of 1"}


def test_outcomes_are_counted(its, server):
    def counted() -> list[int]:
        snapshot = METRICS.snapshot()
        outcomes = ("cached", "fetched", "missing", "failed")
        return [snapshot.counter("symbols.supplied", outcome=outcome) for outcome in outcomes]

    server.answers(lambda request: request.body(SYM, 404 if "missing" in request.path else 200))
    before = counted()
    with its.over(maximum_files="3").session() as session, closing(Stackwalker(session)) as walker:
        its.put(XUL)
        for number, wanted in enumerate(
            (XUL, LIBC, SymbolFileID.of("missing", ID), SymbolFileID.of("one too many", ID))
        ):
            walker.ask(number, wanted)
        walker.answers(4)
    assert [after - one for after, one in zip(counted(), before, strict=True)] == [1, 1, 1, 1]


# Files that are gone, or are not files


class Removing(SymbolSupplier):
    """Reports a file as cached that has just been removed, the first ``times``."""

    times = 1

    def ask(self, wanted: SymbolFileID, came: Callable[[str], object]) -> str | None:
        if self.times:
            self.times -= 1
            return "cached"
        return super().ask(wanted, came)


class AlwaysRemoving(Removing):
    times = 9


def test_a_file_that_was_removed_before_it_was_opened_is_downloaded_again(its):
    with its.over(Removing).session() as session, closing(Stackwalker(session)) as walker:
        walker.ask(0)
        assert walker.answer() == (0, "file", [SYM])
    assert session.supplied.fetched == [XUL]


def test_a_file_that_is_removed_twice_is_answered_with_none(its):
    with its.over(AlwaysRemoving).session() as session, closing(Stackwalker(session)) as walker:
        walker.ask(0)
        assert walker.answer() == (0, "none", [])
        walker.ask(1)
        assert walker.answer() == (1, "none", [])
    assert its.supplier.times == 9 - 4
    assert session.supplied.failed == {XUL: "removed from the symbol cache before it was opened"}


def test_a_link_is_not_followed(its, tmp_path):
    its.put(XUL).unlink()
    (its.cache / XUL.path).symlink_to(put(tmp_path / "secret", b"secret"))
    with its.over().session() as session, closing(Stackwalker(session)) as walker:
        walker.ask(0)
        assert walker.answer() == (0, "none", [])
    assert session.supplied.failed == {XUL: f"cannot be opened: {os.strerror(errno.ELOOP)}"}


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: Path(path).symlink_to("/etc/passwd")])
def test_a_directory_is_not_an_index(its, make):
    its.put(XUL)
    index = index_directory(its.cache) / (XUL.path + SUFFIX)
    index.parent.mkdir(parents=True)
    make(index)
    with its.over().session() as session, closing(Stackwalker(session)) as walker:
        walker.ask(0)
        assert walker.answer() == (0, "file", [SYM])


def test_without_descriptors_a_file_comes_later(its, monkeypatch):
    def lacking(_: SymbolDirectories, path: str) -> list[int]:
        raise OSError(errno.EMFILE, "Too many open files")

    its.put(XUL)
    monkeypatch.setattr(SymbolDirectories, "open", lacking)
    with its.over().session() as session, closing(Stackwalker(session)) as walker:
        walker.ask(0)
        assert walker.answer() == (0, "later", [])
    assert session.supplied.failed == {XUL: "cannot be opened: Too many open files"}
    assert session.supplied.late == {XUL}


# Stackwalkers that were turned against us


@pytest.mark.parametrize(
    ("debug_file", "debug_id"),
    [
        ("..", ID),
        ("../..", ID),
        ("", ID),
        ("x\0y", ID),
        ("x\ny", ID),
        ("\ud800", ID),
        ("x" * 300, ID),
        ("xul.pdb", "../../../etc/passwd"),
        ("xul.pdb", ""),
        ("xul.pdb", "X" * 33),
        ("xul.pdb", "0" * 33),
    ],
)
def test_an_invalid_name_is_answered_with_none_and_no_source_is_asked(its, server, debug_file, debug_id):
    with its.over().session() as session, closing(Stackwalker(session)) as walker:
        walker.send(question(0, debug_file, debug_id))
        assert walker.answer() == (0, "none", [])
        walker.ask(1)
        assert walker.answer() == (1, "file", [SYM])
    assert list(session.supplied.results) == [XUL]
    assert server.paths == [XUL.path]


@pytest.mark.parametrize("debug_file", ["/etc/passwd/xul.pdb", r"C:\build\..\xul.pdb"])
def test_only_the_name_in_a_path_counts(its, server, debug_file):
    with its.over().session() as session, closing(Stackwalker(session)) as walker:
        walker.send(question(0, debug_file))
        assert walker.answer() == (0, "file", [SYM])
    assert server.paths == [XUL.path]


BAD_MESSAGES = {
    "not JSON": b"\xff\x00garbage",
    "half": question(0)[:-1],
    "deep": b"[" * 79_000,
    "a long number": b"1" * 79_000,
    "an array": b"[]",
    "null": b"null",
    "an empty object": b"{}",
    "no message": b"",
    "too long": question(0) + b" " * 100_000,
    "a long name": question(0, "x/" * 3_000 + "xul.pdb"),
    "a long id": question(0, debug_id="0" * 5_000),
    "a name that is a number": question(0, 7),
    "an id that is an array": question(0, debug_id=[ID]),
    "a number that is a text": question("0"),
    "a number that is true": question(True),
    "a number that is none": question(None),
    "a number with a point": question(0.5),
    "a number below 0": question(-1),
    "a big number": question(1 << 32),
    "NaN": question(float("nan")),
}


@pytest.mark.parametrize("message", BAD_MESSAGES.values(), ids=BAD_MESSAGES)
def test_a_walk_that_sends_a_malformed_question_gets_no_more_answers_and_others_do(its, server, message):
    go_on = threading.Event()
    server.answers(held(go_on))
    answers = its.over()
    with (
        answers.session() as session,
        closing(Stackwalker(session)) as walker,
        answers.session() as other,
        closing(Stackwalker(other)) as honest,
    ):
        honest.ask(0)
        walker.ask(99)
        walker.send(message)
        assert walker.answer() is None
        go_on.set()
        assert honest.answer() == (0, "file", [SYM])
    assert list(session.supplied.failed) == [XUL]
    assert other.supplied.fetched == [XUL]


def test_descriptors_that_are_sent_to_us_are_closed(its):
    its.put(XUL)
    answers = its.over()
    with answers.session() as session, closing(Stackwalker(session)) as walker:
        walker.ask(0)
        walker.answer()
        read, write = os.pipe()
        walker.send(question(1), [write, write, write])
        os.close(write)
        assert walker.answer() is None
        with os.fdopen(read, "rb") as file:
            assert file.read() == b"", "someone holds the other end"


def test_a_repeated_number_ends_the_answers(its):
    its.put(XUL)
    with its.over().session() as session, closing(Stackwalker(session)) as walker:
        for _ in range(2):
            walker.ask(0)
        assert walker.answer() == (0, "file", [SYM])
        assert walker.answer() is None


def test_a_million_questions_cost_no_more_than_the_first_ones(its, server):
    server.answers(always(b"", 404))
    with its.over().session() as session, closing(Stackwalker(session)) as walker:
        asked = 0
        with suppress(ConnectionError):
            while asked < 1_000_000:
                walker.ask(asked, SymbolFileID.of(f"{asked}.so", ID))
                asked += 1
        assert asked < 1_000_000
    assert len(session.supplied.results) <= MAXIMUM_QUESTIONS
    assert len(server.paths) <= MAXIMUM_QUESTIONS


def test_a_walk_that_reads_no_answers_holds_up_nobody_and_gets_them_once_it_reads(its):
    its.put(XUL)
    answers = its.over()
    with answers.session() as session, closing(Stackwalker(session)) as walker:
        before = open_descriptors()
        for number in range(MAXIMUM_QUESTIONS):
            walker.ask(number)
        with answers.session() as other, closing(Stackwalker(other)) as honest:
            for number in range(MAXIMUM_QUESTIONS):
                honest.ask(number)
                assert honest.answer() == (number, "file", [SYM])
        assert open_descriptors() <= before
        assert len(session.ready) > MAXIMUM_QUESTIONS - 50, "descriptors are on their way to one that does not read"
        assert len(walker.answers(MAXIMUM_QUESTIONS)) == MAXIMUM_QUESTIONS


def test_a_walk_that_dies_while_it_asks_holds_up_nobody(its, server):
    go_on = threading.Event()
    server.answers(held(go_on))
    answers = its.over()
    with answers.session() as other, closing(Stackwalker(other)) as honest:
        honest.ask(0)
        for _ in range(20):
            with answers.session() as session, closing(Stackwalker(session)) as walker:
                walker.ask(0)
        go_on.set()
        assert honest.answer() == (0, "file", [SYM])
    assert other.supplied.fetched == [XUL]


def test_an_error_of_our_own_costs_one_walk_its_answers(its, monkeypatch):
    class Failing(SymbolSupplier):
        def ask(self, wanted: SymbolFileID, came: Callable[[str], object]) -> str | None:
            if wanted == LIBC:
                raise LookupError
            return super().ask(wanted, came)

    answers = its.over(Failing)
    with answers.session() as session, closing(Stackwalker(session)) as walker:
        walker.ask(0, LIBC)
        assert walker.answer() is None
    assert session.supplied.failed == {LIBC: "cannot answer the stackwalker's questions"}
    with answers.session() as session, closing(Stackwalker(session)) as walker:
        walker.ask(0)
        assert walker.answer() == (0, "file", [SYM])


def test_an_error_of_our_own_leaves_the_thread_as_it_was(its, server, monkeypatch, caplog):
    go_on = threading.Event()
    server.answers(held(go_on))
    its.put(LIBC)
    waited = Session.waited
    errors = [MemoryError()]

    def failing(session: Session) -> float:
        if errors and len(session.numbers) > 1:
            raise errors.pop()
        return waited(session)

    monkeypatch.setattr(Session, "waited", failing)
    with its.over().session() as session, closing(Stackwalker(session)) as walker:
        walker.ask(0)
        for number in range(1, 4):
            walker.ask(number, LIBC)
            assert walker.answer() == (number, "file", [SYM])
        go_on.set()
        assert walker.answer() == (0, "file", [SYM])
    assert errors == []
    assert "MemoryError" in caplog.text


def test_without_a_thread_for_downloads_the_answer_is_none(its, monkeypatch):
    def lacking(_: DownloadThreads, call: Callable[[], str]) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(DownloadThreads, "submit", lacking)
    with its.over().session() as session, closing(Stackwalker(session)) as walker:
        walker.ask(0)
        assert walker.answer() == (0, "none", [])
    assert session.supplied.failed == {XUL: "can't start new thread"}


# The end


def test_a_walk_that_ends_leaves_its_questions_open_and_they_come_for_the_next(its, server):
    go_on = threading.Event()
    server.answers(held(go_on))
    answers = its.over()
    with answers.session() as session, closing(Stackwalker(session)) as walker:
        walker.ask(0)
        until(session.waited)
    assert session.supplied.failed == {XUL: "not done when the walk ended"}
    assert session.supplied.late == {XUL}
    waited = session.waited()
    ended = weakref.ref(session)
    its.put(LIBC)
    with answers.session() as session, closing(Stackwalker(session)) as walker:
        walker.ask(0, LIBC)
        assert walker.answer() == (0, "file", [SYM])
    gc.collect()
    assert ended() is None
    go_on.set()
    with answers.session() as session, closing(Stackwalker(session)) as walker:
        walker.ask(0)
        assert walker.answer() == (0, "file", [SYM])
    assert waited < DEADLINE
    assert server.paths == [XUL.path]


def test_at_the_end_of_the_processor_walks_are_answered_with_none_and_a_reason(its, server):
    server.answers(server.hang)
    before = open_descriptors()
    answers = its.over()
    with answers.session() as session, closing(Stackwalker(session)) as walker:
        walker.ask(0)
        until(session.waited)
        answers.close()
        assert walker.answer() is None
    assert session.supplied.failed == {XUL: "the processor ends"}
    with answers.session() as session, closing(Stackwalker(session)) as walker:
        assert walker.answer() is None
    assert session.supplied.results == {}
    server.released.set()
    its.supplier.close()
    assert not any(thread.name == "symbol-answers" for thread in threading.enumerate())
    # The server may be about to accept a connection that has ended already.
    until(lambda: open_descriptors() <= before + server.connections)


def test_with_a_closed_supplier_the_answer_is_none(its):
    answers = its.over()
    its.supplier.close()
    with answers.session() as session, closing(Stackwalker(session)) as walker:
        walker.ask(0)
        assert walker.answer() == (0, "none", [])
    assert session.supplied.failed == {XUL: "the processor ends"}


def test_answers_that_nobody_asked_for_cost_nothing(its):
    before = open_descriptors()
    answers = its.over()
    assert open_descriptors() <= before
    assert not any(thread.name == "symbol-answers" for thread in threading.enumerate())
    answers.close()


def test_a_lack_of_threads_is_the_machines_fault_and_the_next_walk_tries_again(its, monkeypatch):
    def lacking(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    answers = its.over()
    before = open_descriptors()
    with monkeypatch.context() as patched:
        patched.setattr(answers_module.threading.Thread, "start", lacking)
        with pytest.raises(ProcessingEnvironmentError, match="can't start new thread"):
            answers.session()
    assert open_descriptors() <= before
    its.put(XUL)
    with answers.session() as session, closing(Stackwalker(session)) as walker:
        walker.ask(0)
        assert walker.answer() == (0, "file", [SYM])


def test_thirty_threads_ask_at_once(its, server):
    server.answers(lambda request: request.body(SYM, 404 if "missing" in request.path else 200))
    answers = its.over()
    modules = [SymbolFileID.of(f"{kind}{number}.so", ID) for number in range(8) for kind in ("lib", "missing")]

    def walk(_: int) -> list[str]:
        with answers.session() as session, closing(Stackwalker(session)) as walker:
            for number, wanted in enumerate(modules):
                walker.ask(number, wanted)
            found = walker.answers(len(modules))
        assert len(session.supplied.missing) == 8
        return [found[number][0] for number in range(len(modules))]

    before = open_descriptors()
    with ThreadPoolExecutor(30) as threads:
        assert list(threads.map(walk, range(300))) == [["file", "none"] * 8] * 300
    assert sorted(server.paths) == sorted(wanted.path for wanted in modules)
    assert open_descriptors() < before + 60, "a descriptor a walk is left"
