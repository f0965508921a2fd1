"""Programs that are built here crash and write their own minidumps; README.rst leads from these to a report.

``crashing_apps/`` has one in C++ and one in Rust. The first is built with ``g++ -g``, the second with ``cargo build``.
``samples/crash-guard`` writes the minidumps of both, and of the programs of ``docs/minidumps.rst``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tomllib
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import crash_guard
from tests.crash_guard import CI_INSTALLS, GUARD
from tests.shared import REPOSITORY, require, stackwalker
from tests.system.daemon import DEADLINE, Installation
from tests.system.serving import Serving, eventually
from tests.system.walked_page import DIED_OF_A_SIGNAL, WalkedPage

SOURCES = Path(__file__).parent / "crashing_apps"
MINIDUMPS = (REPOSITORY / "docs" / "minidumps.rst").read_text()

pytestmark = pytest.mark.timeout(900)
"""Seconds, to build the programs from source (50 s of CPU)."""


@dataclass(frozen=True)
class Case:
    """A crash: its place, and the words that name it."""

    source: str
    kind: str
    function: str
    signature: str

    @property
    def program(self) -> str:
        return Path(self.source).stem

    @property
    def dies_of(self) -> signal.Signals:
        """Return the signal that ends the program, guarded or not: Rust itself aborts on an overflow."""
        is_fault = self.program == "album" and self.kind in ("null", "overflow")
        return signal.SIGSEGV if is_fault else signal.SIGABRT

    @property
    def line(self) -> int:
        """Return the line that ends with the kind, as a comment."""
        lines = (SOURCES / "src" / self.source).read_text().splitlines()
        (number,) = (number for number, line in enumerate(lines, 1) if line.endswith(f"// {self.kind}"))
        return number

    @property
    def signed(self) -> str:
        """Return the function as signatures name it."""
        return self.function.partition("(")[0]

    @property
    def caller(self) -> str:
        return {"album": "main", "shelf": "shelf::main"}[self.program]

    def __str__(self) -> str:
        return f"{self.program} {self.kind}"


CASES = (
    Case("album.cpp", "null", "album::Album::width_of(album::Photo const*)", ""),
    Case("album.cpp", "abort", "album::Album::give_up()", r"(libc\.so\.6 \| )?(__GI_)?abort \| "),
    Case("album.cpp", "exception", "album::Album::photo_at(int)", r"std::terminate \| "),
    Case("album.cpp", "overflow", "album::Album::widths_from(int)", ""),
    Case("shelf.rs", "abort", "shelf::Shelf::give_up", r"(libc\.so\.6 \| )?(__GI_)?abort \| .*std::process::abort \| "),
    Case(
        "shelf.rs",
        "panic",
        "shelf::Shelf::pages_at",
        r"core::panicking::panic_fmt \| core::panicking::panic_bounds_check \| ",
    ),
    Case("shelf.rs", "overflow", "shelf::Shelf::pages_from", ""),
)
"""With the part of the signature before the program's own function."""


class Programs:
    def __init__(self, directory: Path) -> None:
        self.target = directory
        self.path = directory / "debug"

    def build(self) -> None:
        require(shutil.which("g++") is not None, f"no g++: {CI_INSTALLS}")
        crash_guard.build()
        # Both use the same crates, which are compiled once: cargo accepts a copy of what it built.
        shutil.copytree(
            crash_guard.TARGET, self.target, ignore=shutil.ignore_patterns("incremental"), dirs_exist_ok=True
        )
        crash_guard.build_package(SOURCES, self.target)
        library = ["-I", GUARD, "-L", self.path, "-l:libcrash_guard.a", "-lpthread", "-ldl"]
        album = [SOURCES / "src" / "album.cpp", "-o", self.path / "album"]
        _run("g++", "-g", "-Wno-infinite-recursion", *album, *library)

    def crash(self, case: Case, directory: Path) -> Path:
        """Let a program crash; return its minidump."""
        dump = directory / f"{case.program}-{case.kind}.dmp"
        with self.start(case.program, case.kind, dump) as crashed:
            assert crashed.wait() == -case.dies_of
            # Its guard has written the dump and ended, too: nobody else has the other end of the pipe.
            assert crashed.stderr
            assert "crash_guard" not in crashed.stderr.read()
        assert dump.stat().st_size > 0
        return dump

    @contextmanager
    def start(self, program: str, kind: str, dump: Path, limit: str = "") -> Iterator[subprocess.Popen[str]]:
        """Start a program; ``limit`` is a shell command. The end of its output is also the end of its guard."""
        # With a stack of 1 MB the overflow comes sooner, and the dump is smaller.
        limited = ["sh", "-c", f'ulimit -c 0; ulimit -s 1024; {limit}\nexec "$@"', "sh"]
        with subprocess.Popen(
            [*limited, self.path / program, kind, dump],
            env={"PATH": os.environ["PATH"], "RUST_BACKTRACE": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    @contextmanager
    def waiting(self, dump: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
        """A program that waits for a signal, and the process id of its guard."""
        with self.start("album", "wait", dump) as process:
            assert process.stdout
            assert process.stdout.readline() == "wait:waits\n"
            (guard,) = (pid for pid in _processes_with(str(dump)) if pid != process.pid)
            yield process, guard


def _is_own(frame: dict[str, Any]) -> bool:
    return str(frame["function"]).startswith(("album::", "shelf::"))


def _processes_with(argument: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if argument.encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    programs = Programs(tmp_path_factory.mktemp("programs"))
    programs.build()
    return programs


@pytest.fixture(scope="module")
def crashes(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> dict[Case, Path]:
    directory = tmp_path_factory.mktemp("crashes")
    return {case: programs.crash(case, directory) for case in CASES}


@pytest.fixture(scope="module")
def processed_crashes(
    programs: Programs, crashes: dict[Case, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Installation, dict[Case, str]]:
    """An installation that processed all with symbols of both programs and their libraries; and the crash ids."""
    stackwalker()
    site = Installation(tmp_path_factory.mktemp("site"))
    added = site.socorro("symbols", "add", programs.path / "album", programs.path / "shelf", *crashes.values())
    assert added.returncode == 0, added.stdout + added.stderr
    assert re.search(r"/album: added, album/[0-9A-F]{33}\n", added.stdout), added.stdout
    crash_ids = {case: site.submit(dump) for case, dump in crashes.items()}
    assert site.socorro("process", *crash_ids.values()).returncode == 0
    return site, crash_ids


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_crash_is_shown_and_signed_by_the_programs_own_function_and_line(
    processed_crashes: tuple[Installation, dict[Case, str]], case: Case
) -> None:
    site, crash_ids = processed_crashes
    crash_id = crash_ids[case]
    processed = site.show(crash_id)

    frames: list[dict[str, Any]] = processed["json_dump"]["crashing_thread"]["frames"]
    own = next(position for position, frame in enumerate(frames) if _is_own(frame))
    assert frames[own]["function"] == case.function
    # The stack ends where a function reserves room; the line of a call is its caller's.
    told = frames[own + 1] if case.kind == "overflow" else frames[own]
    assert (Path(told["file"]).name, told["line"]) == (case.source, case.line)
    # All frames above were found by unwinding, and are the way in which a program gives up.
    assert all(frame["trust"] in ("context", "cfi") for frame in frames[: own + 1])
    assert own == 0 or case.kind in ("abort", "exception", "panic")
    assert frames[own + 1]["function"] == (case.function if case.kind == "overflow" else case.caller)

    assert re.fullmatch(f"{case.signature}{re.escape(case.signed)}", processed["signature"]), processed["signature"]
    report = site.socorro("show", crash_id).stdout
    place = f"crashing_apps/src/{case.source}:{case.line}"
    assert re.search(rf"{re.escape(case.function)} +{place} +{case.program}\n", report)


@pytest.mark.parametrize("case", [CASES[0], CASES[-1]], ids=str)
def test_a_minidump_that_is_posted_becomes_the_same_crash(
    processed_crashes: tuple[Installation, dict[Case, str]], crashes: dict[Case, Path], case: Case, tmp_path: Path
) -> None:
    site, crash_ids = processed_crashes
    serving = Serving(tmp_path)
    (tmp_path / "socorro-data").mkdir()
    (tmp_path / "socorro-data" / "symbols").symlink_to(site.directory / "socorro-data" / "symbols")
    try:
        serving.start()
        fields = ["-F", f"upload_file_minidump=@{crashes[case]}", "-F", f"ProductName={case.program}"]
        url = f"http://127.0.0.1:{serving.port}/submit"
        answer = subprocess.run(["curl", "-s", *fields, url], capture_output=True, text=True).stdout
        crash_id = answer.removeprefix("CrashID=bp-").strip()
        eventually(lambda: serving.is_processed(crash_id), lambda: answer + serving.log)
        posted = json.loads(serving.socorro("show", crash_id, "--json").stdout)
    finally:
        serving.close()
    assert posted["signature"] == site.show(crash_ids[case])["signature"]
    assert posted["product"] == case.program


def test_no_pseudo_symbol_is_a_function_of_a_signature(
    programs: Programs, crashes: dict[Case, Path], tmp_path: Path
) -> None:
    stackwalker()
    site = Installation(tmp_path)
    # Without symbols of the libraries frames are guessed, and most guesses are library code.
    assert site.socorro("symbols", "add", programs.path / "shelf").returncode == 0
    crash_id = site.submit(next(dump for case, dump in crashes.items() if case.kind == "panic"))
    assert site.socorro("process", crash_id).returncode == 0
    processed = site.show(crash_id)

    functions = [frame["function"] or "" for frame in processed["json_dump"]["crashing_thread"]["frames"]]
    assert any(" ELF section in " in each for each in functions)
    assert processed["proto_signature"].startswith("libc.so.6@0x")
    assert not re.search("ELF section|shelf@0x", processed["proto_signature"])


def test_the_readme_leads_from_a_crash_to_its_page_and_to_its_report(programs: Programs, clone: WalkedPage) -> None:
    of_the_page, of_the_report = (next(case for case in CASES if case.kind == kind) for kind in ("null", "exception"))
    app = clone.directory.parent / "app"
    app.mkdir()
    shutil.copy(programs.path / "album", app / "app")
    section = (REPOSITORY / "README.rst").read_text().partition("\nYour own program\n")[2].partition("\nHow fast\n")[0]
    assert "<docs/minidumps.rst>" in section.partition("::\n\n")[0]
    in_a_browser, in_a_terminal = section.split("The same in a terminal,")

    clone.shell.run("ulimit -c 0; cd ~/app")
    clone.shell.run(f"./app {of_the_page.kind} app.dmp", exit_codes=DIED_OF_A_SIGNAL)
    with server_of(clone) as serving:
        printed = [clone.shell.run(serving.here(line)) for line in indented(in_a_browser)]
        assert len(printed) == 2
        assert re.search("^app: added, app/", printed[0], re.MULTILINE)
        assert shows(serving.page_of(printed[1]), of_the_page)

    clone.shell.run(f"./app {of_the_report.kind} app.dmp", exit_codes=DIED_OF_A_SIGNAL)
    clone.shell.run(f"cd {clone.directory}")
    printed = [clone.shell.run(line) for line in indented(in_a_terminal)]
    assert len(printed) == 3
    assert "app/app: already there" in printed[1]
    assert shows(printed[2], of_the_report)
    assert not (app / "socorro-data").exists()


def test_a_crash_that_came_before_its_symbols_is_walked_with_them_by_the_button_of_its_page(
    programs: Programs, crashes: dict[Case, Path], tmp_path: Path
) -> None:
    stackwalker()
    case, dump = next((case, dump) for case, dump in crashes.items() if case.kind == "null")
    with closing(Serving(tmp_path)) as serving:
        serving.start()
        crash_id = serving.post(dump.read_bytes(), {"ProductName": "App"})
        eventually(lambda: serving.is_processed(crash_id), lambda: serving.log)
        page = serving.get(f"/report/{crash_id}")[1]
        assert case.function not in page
        assert "Process again" in page

        added = serving.socorro("symbols", "add", programs.path / "album")
        assert added.returncode == 0, added.stderr
        press(serving, f"/report/{crash_id}/reprocess")
        eventually(lambda: shows(serving.get(f"/report/{crash_id}.txt")[1], case), lambda: serving.log)


def press(serving: Serving, path: str) -> None:
    """Press the button of a crash's page, whose form is sent to ``path``, as a browser does."""
    origin = f"http://127.0.0.1:{serving.port}"
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with browser.open(origin + path.rpartition("/")[0], timeout=DEADLINE) as answer:
        page = answer.read().decode()
    form = page.partition(f'action="{path}"')[2].partition("</form>")[0]
    (token,) = re.findall(r'name="csrf_token" value="(.+?)"', form)
    body = urllib.parse.urlencode({"csrf_token": token}).encode()
    with browser.open(urllib.request.Request(origin + path, body, {"Origin": origin}), timeout=DEADLINE) as answer:
        assert answer.status == 200


class ClonesServer(Serving):
    """A `socorro serve` in the clone of a reader. The docs have it on port 8000."""

    def here(self, text: str) -> str:
        return text.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}")

    def page_of(self, printed: str) -> str:
        """Return the page of the crash whose id was printed, as plain text, once the crash is processed."""
        (answer,) = re.findall("CrashID=(bp-.+)", printed)
        crash_id = answer.removeprefix("bp-")
        eventually(lambda: self.is_processed(crash_id), lambda: self.log)
        assert self.get(f"/report/{answer}")[0] == 200
        return self.get(f"/report/{crash_id}.txt")[1]


@contextmanager
def server_of(clone: WalkedPage) -> Iterator[ClonesServer]:
    require(shutil.which("curl") is not None, "no curl")
    # At a terminal, it has no progress meter either.
    (clone.directory.parent / ".curlrc").write_text("no-progress-meter\n")
    with closing(ClonesServer(clone.directory)) as serving:
        serving.start()
        yield serving


def indented(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.startswith("    ")]


def shows(report: str, case: Case) -> bool:
    """Return True if a report is signed by the function that crashed, and has its line."""
    place = rf"{re.escape(case.function)} +crashing_apps/src/{case.source}:{case.line} "
    signature = rf"^signature +.*{re.escape(case.signed)}$"
    return bool(re.search(signature, report, re.MULTILINE) and re.search(place, report))


def test_the_guard_writes_every_thread_whatever_signals_it_gets(programs: Programs, tmp_path: Path) -> None:
    dump = tmp_path / "thread.dmp"
    with programs.start("album", "thread", dump) as process:
        assert process.wait() == -signal.SIGSEGV
    assert dump.stat().st_size > 0

    dump = tmp_path / "wait.dmp"
    with programs.waiting(dump) as (process, guard):
        # Ctrl-C, kill and killall send the guard the same signals as its program.
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGABRT, signal.SIGTSTP):
            os.kill(guard, each)
        process.send_signal(signal.SIGABRT)
        assert process.wait() == -signal.SIGABRT
    assert dump.stat().st_size > 0


def test_a_guard_is_not_a_child_ends_with_its_program_and_prints_nothing(programs: Programs, tmp_path: Path) -> None:
    dump = tmp_path / "none.dmp"
    with programs.start("album", "children", dump) as process:
        assert process.communicate() == ("children:", "")
        assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("of_the_guard", [signal.SIGKILL, signal.SIGSTOP])
def test_a_program_dies_of_its_signal_even_if_its_guard_is_gone_or_hangs(
    programs: Programs, tmp_path: Path, of_the_guard: signal.Signals
) -> None:
    with programs.waiting(tmp_path / "none.dmp") as (process, guard):
        os.kill(guard, of_the_guard)
        process.send_signal(signal.SIGSEGV)
        try:
            assert process.wait() == -signal.SIGSEGV
        finally:
            with suppress(ProcessLookupError):
                os.kill(guard, signal.SIGCONT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("dump", "limit", "why"),
    [
        ("too/large.dmp", "mkdir too; ulimit -f 8", "File too large"),
        ("missing/directory.dmp", "", "No such file or directory"),
        ("directory", "mkdir directory", "Is a directory"),
    ],
)
def test_a_dump_that_cannot_be_written_is_reported_and_leaves_nothing(
    programs: Programs, tmp_path: Path, dump: str, limit: str, why: str
) -> None:
    path = tmp_path / dump
    with programs.start("album", "null", path, f"cd {tmp_path}; {limit}") as process:
        _, told = process.communicate()
    assert process.returncode == -signal.SIGSEGV
    assert re.fullmatch(rf"crash_guard: cannot write {re.escape(str(path))}: {why}.*\n", told), told
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_later_dump_replaces_the_earlier_one_and_only_its_user_can_read_it(
    programs: Programs, tmp_path: Path
) -> None:
    dump = tmp_path / "album.dmp"
    dump.write_text("an earlier one")
    with programs.start("album", "null", dump, "umask 0") as process:
        process.communicate()
    assert dump.read_bytes()[:4] == b"MDMP"
    assert dump.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [dump]


@pytest.mark.parametrize(
    ("language", "directory", "crashes_at"),
    [("C++", "ada/app", ("app.cpp", "cover->width")), ("Rust", "rust/app", ("src/main.rs", "self.pages[book]"))],
)
def test_the_page_on_minidumps_leads_from_a_program_to_its_report(
    programs: Programs, clone: WalkedPage, language: str, directory: str, crashes_at: tuple[str, str]
) -> None:
    begin, *sections = re.split(r"^(.+)\n=+\n", MINIDUMPS.partition("=\n\n")[2], flags=re.MULTILINE)
    section = dict(zip(sections[::2], sections[1::2], strict=True))[language]
    # A build elsewhere downloads the crates and compiles them; here they were compiled before.
    home = Path.home()
    for name, value in {
        "CARGO_HOME": os.environ.get("CARGO_HOME", home / ".cargo"),
        "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", home / ".rustup"),
        "CARGO_TARGET_DIR": programs.target,
        "CARGO_NET_OFFLINE": "true",
    }.items():
        clone.shell.run(f"export {name}={value}")
    clone.shell.run(f"ulimit -c 0; mkdir -p ~/{directory}; cd ~/{directory}")
    for place in (clone.shell.current_directory, clone.directory / "samples" / "crash-guard"):
        (place / "target").symlink_to(programs.target)
    shutil.copy(GUARD / "Cargo.lock", clone.shell.current_directory)

    home_of_the_program = clone.shell.current_directory

    clone.walk(begin)
    with server_of(clone) as serving:
        clone.walk(serving.here(section))
        (posted,) = (each for each in clone.printed_by.values() if "CrashID=" in each)
        page = serving.page_of(posted)

    file, code = crashes_at
    lines = (home_of_the_program / file).read_text().splitlines()
    for report in (page, clone.printed):
        (number,) = re.findall(rf"{Path(directory).name}/{file}:(\d+) ", report)[:1]
        assert code in lines[int(number) - 1]
    assert re.findall("^signature .*", page, re.MULTILINE) == re.findall("^signature .*", clone.printed, re.MULTILINE)
    assert not (home_of_the_program / "socorro-data").exists()


def test_the_guards_crates_are_those_of_the_programs_and_of_the_public_registry() -> None:
    """Otherwise they would be compiled twice; and this machine's mirror is of no use to others."""
    locks = [tomllib.loads((path / "Cargo.lock").read_text())["package"] for path in (GUARD, SOURCES)]
    guards, programs_ = ({crate["name"]: crate for crate in lock} for lock in locks)
    assert {name: crate for name, crate in programs_.items() if name != "shelf"} == guards
    sources = {crate.get("source", "") for crate in guards.values()}
    assert sources == {"", "registry+https://github.com/rust-lang/crates.io-index"}
