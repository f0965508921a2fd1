"""The stackwalker asks for symbols while it walks real dumps, and a symbol server has them."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import subprocess
import threading
import time
import weakref
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.machine.bounded_program import Limits, Outcome, run
from socorro_processor.stackwalk.answers import SymbolAnswers
from socorro_processor.stackwalk.comparison import OWN_KEY
from socorro_processor.stackwalk.session import Session
from socorro_processor.symbols.supplier import SymbolSupplier
from socorro_processor.symbols.supply_result import SupplyResult
from tests.shared import own_stackwalker, shared
from tests.symbol_server import Request, SymbolServer, always, store

DUMPS = (
    "android-arm",
    "linux-mini",
    "linux-x86_64",
    "macos-x86_64",
    "pipeline-inlines-macos-segv",
    "simple-crashpad",
    "test",
    "windows-x86_64",
)
SEVERAL = ("linux-x86_64", "macos-x86_64", "windows-x86_64")
"""Dumps that ask for several existing files."""
LIMITS = Limits(timeout=120)
DEADLINE = 120.0
A_MOMENT = 0.2
ENVIRONMENT = {"PATH": os.environ["PATH"]}


def dump(name: str) -> str:
    return str(shared("crashes") / name / "upload_file_minidump.dmp")


def output(outcome: Outcome) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the output without the stackwalker's report on itself, and that report."""
    assert (outcome.return_code, outcome.stderr) == (0, "")
    content = json.loads(outcome.output)
    return content, content.pop(OWN_KEY)


def walked_with(directory: Path, name: str) -> dict[str, Any]:
    """The output with all symbols in a directory."""
    return output(run([str(own_stackwalker()), "--symbols-path", str(directory), dump(name)], LIMITS, ENVIRONMENT))[0]


class Walks:
    """Walks that ask, and the answers to them."""

    def __init__(self, cache: Path, source: str, **options: str) -> None:
        self.supplier = SymbolSupplier(defaults(SymbolSupplier, sources=source, **options), str(cache))
        self.answers = SymbolAnswers(self.supplier)

    def walk(self, name: str, patience: float = DEADLINE) -> tuple[dict[str, Any], dict[str, Any], SupplyResult]:
        with self.answers.session(patience) as session:
            outcome = self.run(session, [str(own_stackwalker())], name)
        return *output(outcome), session.supplied

    def run(self, session: Session, command: list[str], name: str, limits: Limits = LIMITS) -> Outcome:
        arguments = ["--ask", str(session.descriptor), "--ask-timeout", "200", dump(name)]
        return run([*command, *arguments], limits, ENVIRONMENT, questions=session)

    def close(self) -> None:
        self.answers.close()
        self.supplier.close()


@pytest.fixture
def server() -> Iterator[SymbolServer]:
    with SymbolServer(store(shared("symbols"))) as server:
        yield server


@pytest.fixture
def walks(tmp_path: Path, server: SymbolServer) -> Iterator[Walks]:
    with closing(Walks(tmp_path / "cache", server.url)) as walks:
        yield walks


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def slowly(request: Request) -> None:
    """Answer in another order than the questions came in."""
    time.sleep(zlib.crc32(request.path.encode()) % 10 / 20)
    store(shared("symbols"))(request)


@pytest.mark.parametrize("name", DUMPS)
def test_the_output_is_that_with_all_symbols_in_a_directory(name, walks, server):
    expected = walked_with(shared("symbols"), name)
    content, own, supplied = walks.walk(name)
    assert content == expected
    assert supplied.failed == {}
    assert sorted(map(unquote, server.paths)) == sorted(each.path for each in supplied.results)
    modules = own.get("symbols", {})
    assert {path for path in modules if "used" in modules[path]} == {each.path for each in supplied.fetched}
    assert {path for path in modules if modules[path]["asked_for"]} == {each.path for each in supplied.results}
    fetched = set(supplied.fetched)
    content, own, supplied = walks.walk(name)
    assert content == expected
    assert set(supplied.cached) == fetched
    assert len(server.paths) == len(supplied.results)


@pytest.mark.parametrize("name", DUMPS)
def test_the_output_is_the_same_with_indexes(name, walks, tmp_path):
    expected = walked_with(shared("symbols"), name)
    _, _, supplied = walks.walk(name)
    files = [str(tmp_path / "cache" / each.path) for each in supplied.fetched]
    if files:
        subprocess.run([own_stackwalker(), "index", *files], check=True)
    content, own, _ = walks.walk(name)
    assert content == expected
    used = [module["used"] for module in own.get("symbols", {}).values() if "used" in module]
    assert used == ["index"] * len(files)


@pytest.mark.parametrize("name", SEVERAL)
def test_the_output_is_the_same_whenever_answers_come(name, walks, server):
    server.answers(slowly)
    content, _, supplied = walks.walk(name)
    assert content == walked_with(shared("symbols"), name)
    assert supplied.fetched


def test_a_symbol_file_that_is_late_is_left_for_later_and_the_walk_goes_on(walks, server, tmp_path):
    [late] = [each for each in walks.walk("windows-x86_64")[2].fetched if each.debug_file == "firefox.pdb"]
    (tmp_path / "cache" / late.path).unlink()
    server.answers(server.hang)
    content, own, supplied = walks.walk("windows-x86_64", A_MOMENT)
    assert supplied.late == {late}
    assert supplied.failed == {late: "not done after 0.2 s"}
    assert own["symbols"][late.path]["used"] == "later"
    assert content == walked_with(tmp_path / "cache", "windows-x86_64")


@pytest.mark.parametrize("name", SEVERAL)
def test_if_the_server_is_away_the_walk_has_no_symbols(name, walks, server, tmp_path):
    server.answers(always(b"", 500))
    content, _, supplied = walks.walk(name)
    assert content == walked_with(tmp_path, name)
    assert set(supplied.failed) == set(supplied.results) != set()


def test_at_the_end_of_the_processor_a_walk_goes_on_without_symbols(walks, server, tmp_path):
    ending: list[threading.Thread] = []

    def answer(request: Request) -> None:
        if not ending:
            ending.append(threading.Thread(target=walks.answers.close))
            ending[0].start()
        server.hang(request)

    server.answers(answer)
    content, _, supplied = walks.walk("windows-x86_64")
    assert content == walked_with(tmp_path, "windows-x86_64")
    assert set(supplied.failed.values()) == {"the processor ends"}
    assert walks.walk("windows-x86_64")[0] == content
    ending[0].join(DEADLINE)


@pytest.mark.parametrize("name", SEVERAL)
def test_a_walk_that_is_killed_while_it_asks_leaves_nothing_behind(name, walks, server, tmp_path):
    pid = tmp_path / "pid"
    starter = tmp_path / "starter"
    starter.write_text(f'#!/bin/sh\necho $$ > {pid}\nexec {own_stackwalker()} "$@"\n')
    starter.chmod(0o755)
    go_on = threading.Event()

    def answer(request: Request) -> None:
        os.kill(int(pid.read_text()), signal.SIGKILL)
        assert go_on.wait(DEADLINE)
        store(shared("symbols"))(request)

    server.answers(answer)
    with walks.answers.session() as session:
        outcome = walks.run(session, [str(starter)], name)
    assert outcome.return_code == -signal.SIGKILL
    assert set(session.supplied.failed.values()) == {"not done when the walk ended"}
    assert set(session.supplied.late) == set(session.supplied.results)
    server.answers(store(shared("symbols")))
    go_on.set()
    assert walks.walk(name)[0] == walked_with(shared("symbols"), name)


def test_answers_that_do_not_come_hold_up_a_walk_for_their_patience_and_no_longer(walks, server, tmp_path):
    """Otherwise its own timeout would end it first."""
    server.answers(server.hang)
    with walks.answers.session(5.5) as session:
        outcome = walks.run(session, [str(own_stackwalker())], "test", Limits(timeout=5.0))
    assert not outcome.timed_out
    assert outcome.wall_seconds >= 5.5
    assert output(outcome)[0] == walked_with(tmp_path, "test")


def test_thirty_walks_at_once_get_each_file_once(walks, server):
    server.answers(slowly)
    names = ["linux-mini", "macos-x86_64", "pipeline-inlines-macos-segv", "simple-crashpad", "test"]
    expected = {name: walked_with(shared("symbols"), name) for name in names}

    def walk(number: int) -> tuple[str, dict[str, Any]]:
        name = names[number % len(names)]
        return name, walks.walk(name)[0]

    with ThreadPoolExecutor(30) as threads:
        for name, content in threads.map(walk, range(60)):
            assert content == expected[name]
    assert len(server.paths) == len(set(server.paths)) > 0


# What is left of many

ID = "83CF4DC03621B778E931FC713889E8F10"
ASKS = f"""#!/bin/bash
ask() {{ printf '{{"number":%d,"debug_file":"lib%d.so","debug_id":"{ID}"}}' $1 $1 >&$2; }}
ask 0 $1; ask 1 $1
"""
WAYS = {
    "dies": "exit 1",
    "is killed": "kill -9 $$",
    "sends garbage": "printf garbage >&$1",
    "leaves its socket to another": "sleep 60 >&$1 &",
    "hangs": "read -r line <&$1; while :; do sleep 60; done",
}


@pytest.fixture
def patient_walks(tmp_path: Path, server: SymbolServer) -> Iterator[Walks]:
    """A server that hangs does not count as a source that is away."""
    with closing(Walks(tmp_path / "cache", server.url, read_timeout="1000", download_timeout="1000")) as walks:
        yield walks


def test_a_thousand_walks_that_end_with_open_questions_leave_nothing_behind(patient_walks, server, tmp_path, caplog):
    walks = patient_walks
    # A log record of a malformed question would hold its session.
    caplog.set_level(logging.ERROR)
    sessions: weakref.WeakSet[Session] = weakref.WeakSet()
    server.answers(server.hang)
    programs = []
    for way, text in WAYS.items():
        programs.append(tmp_path / way)
        programs[-1].write_text(ASKS + text)
        programs[-1].chmod(0o755)
    hanging = programs.pop()

    def run_one(program: Path) -> Outcome:
        timeout = A_MOMENT if program == hanging else DEADLINE
        with walks.answers.session(A_MOMENT) as session:
            sessions.add(session)
            arguments = [str(program), str(session.descriptor)]
            return run(arguments, Limits(timeout=timeout), ENVIRONMENT, questions=session)

    end = time.monotonic() + DEADLINE
    while len(server.paths) < 2:
        assert time.monotonic() < end
        run_one(hanging)
    before = (open_descriptors(), threading.active_count())
    outcomes = [run_one(programs[number % len(programs)]) for number in range(980)]
    assert not any(outcome.timed_out for outcome in outcomes)
    assert all(run_one(hanging).timed_out for _ in range(20))
    assert sorted(server.paths) == [f"lib{n}.so/{ID}/lib{n}.so.sym" for n in range(2)]
    # Connections of earlier tests may have ended since.
    assert open_descriptors() <= before[0]
    assert threading.active_count() <= before[1]
    gc.collect()
    # The thread that answers may hold the last one.
    assert len(sessions) <= 1
