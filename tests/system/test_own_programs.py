"""Programs that are built here, crash and write their own minidumps: README.rst takes them to a report of their code.

``crashing_apps/`` has one in C++ and one in Rust. The first is built with ``g++ -g``, the second with ``cargo build``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.shared import REPOSITORY, require, stackwalker
from tests.system.daemon import Installation

SOURCES = Path(__file__).parent / "crashing_apps"
CI_INSTALLS = "`bin/services install` puts it in"

pytestmark = pytest.mark.timeout(900)
"""Seconds: the programs are built from their sources, 50 s of CPU."""


@dataclass(frozen=True)
class Case:
    """A crash: where, and what it is to be called."""

    source: str
    kind: str
    function: str
    signature: str

    @property
    def program(self) -> str:
        return Path(self.source).stem

    @property
    def line(self) -> int:
        """The one that ends with the kind, as a comment."""
        lines = (SOURCES / "src" / self.source).read_text().splitlines()
        (number,) = (number for number, line in enumerate(lines, 1) if line.endswith(f"// {self.kind}"))
        return number

    @property
    def caller(self) -> str:
        return {"album": "main", "shelf": "shelf::main"}[self.program]

    def __str__(self) -> str:
        return f"{self.program} {self.kind}"


CASES = (
    Case("album.cpp", "null", "album::Album::width_of(album::Photo const*)", ""),
    Case("album.cpp", "abort", "album::Album::give_up()", r"(__GI_)?abort \| "),
    Case("album.cpp", "exception", "album::Album::photo_at(int)", r"std::terminate\(\) \| "),
    Case("album.cpp", "overflow", "album::Album::widths_from(int)", ""),
    Case("shelf.rs", "abort", "shelf::Shelf::give_up", r"(__GI_)?abort \| .*std::process::abort \| "),
    Case("shelf.rs", "panic", "shelf::Shelf::pages_at", r"core::panicking::panic_bounds_check \| "),
    Case("shelf.rs", "overflow", "shelf::Shelf::pages_from", ""),
)
"""With what of the signature comes before the program's own function."""


class Programs:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.path = directory / "debug"

    def build(self) -> None:
        for tool in ("cargo", "g++"):
            require(shutil.which(tool) is not None, f"no {tool}: {CI_INSTALLS}")
        manifest = ["--locked", "--manifest-path", SOURCES / "Cargo.toml"]
        fetched = subprocess.run(["cargo", "fetch", *manifest], capture_output=True, text=True)
        require(fetched.returncode == 0, f"cargo cannot get the crates of {SOURCES.name}: {fetched.stderr[-500:]}")
        _run("cargo", "build", "--offline", *manifest, "--target-dir", self._directory)
        library = ["-L", self.path, "-l:libcrash_guard.a", "-lpthread", "-ldl"]
        album = [SOURCES / "src" / "album.cpp", "-o", self.path / "album"]
        _run("g++", "-g", "-Wno-infinite-recursion", *album, *library)

    def crash(self, case: Case, directory: Path) -> Path:
        """Let one crash; its minidump."""
        dump = directory / f"{case.program}-{case.kind}.dmp"
        # A stack of 1 MB overflows sooner, and makes a smaller dump.
        limited = ["sh", "-c", 'ulimit -c 0; ulimit -s 1024; exec "$@"', "sh"]
        crashed = subprocess.run(
            [*limited, self.path / case.program, case.kind, dump],
            env={"PATH": os.environ["PATH"], "RUST_BACKTRACE": "0"},
            capture_output=True,
        )
        assert crashed.returncode < 0, crashed
        assert dump.stat().st_size > 0, crashed
        return dump


def _is_own(frame: dict[str, Any]) -> bool:
    return str(frame["function"]).startswith(("album::", "shelf::"))


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
    """Where all were processed, with the symbols of both programs and of the libraries that they use; their ids."""
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
    # The stack ends where a function asks for room; the line of a call is its caller's.
    told = frames[own + 1] if case.kind == "overflow" else frames[own]
    assert (Path(told["file"]).name, told["line"]) == (case.source, case.line)
    # All above was found by unwinding, and is the way in which a program gives up.
    assert all(frame["trust"] in ("context", "cfi") for frame in frames[: own + 1])
    assert own == 0 or case.kind in ("abort", "exception", "panic")
    assert frames[own + 1]["function"] == (case.function if case.kind == "overflow" else case.caller)

    assert re.fullmatch(f"{case.signature}{re.escape(case.function)}", processed["signature"]), processed["signature"]
    report = site.socorro("show", crash_id).stdout
    place = f"crashing_apps/src/{case.source}:{case.line}"
    assert re.search(rf"{re.escape(case.function)} +{place} +{case.program}\n", report)


def test_no_pseudo_symbol_is_a_function_of_a_signature(
    programs: Programs, crashes: dict[Case, Path], tmp_path: Path
) -> None:
    stackwalker()
    site = Installation(tmp_path)
    # Without symbols of the libraries a stack is guessed, and what is guessed is full of them.
    assert site.socorro("symbols", "add", programs.path / "shelf").returncode == 0
    crash_id = site.submit(next(dump for case, dump in crashes.items() if case.kind == "panic"))
    assert site.socorro("process", crash_id).returncode == 0
    explained = json.loads(site.socorro("signature", "--explain", "--json", crash_id).stdout)

    frames = explained["explanation"]["frames"]
    normal_forms = [frame["normalized"] for frame in frames if " ELF section in " in frame["walked"]]
    assert normal_forms
    assert all(re.fullmatch("shelf@0x[0-9a-f]+", each) for each in normal_forms)
    assert site.show(crash_id)["proto_signature"] == explained["proto_signature"]


def test_the_readme_takes_a_crash_to_its_report_in_three_commands(
    programs: Programs, crashes: dict[Case, Path], tmp_path: Path
) -> None:
    stackwalker()
    (case, dump) = next((case, dump) for case, dump in crashes.items() if case.kind == "exception")
    shutil.copy(programs.path / "album", tmp_path / "app")
    shutil.copy(dump, tmp_path / "app.dmp")
    section = (REPOSITORY / "README.rst").read_text().partition("\nYour own program\n")[2]
    block = section.partition("::\n\n")[2].partition("\n\n")[0]
    commands = [line.strip() for line in block.splitlines()]
    assert commands[0] == ". .venv/bin/activate"
    assert len(commands) == 3

    for command in commands[1:]:
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=tmp_path,
            env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    printed = done.stdout

    assert re.search(rf"signature +.*{re.escape(case.function)}\n", printed)
    assert re.search(rf"{re.escape(case.function)} +crashing_apps/src/{case.source}:{case.line} ", printed)
