"""docs/endings.rst: programs that are built here end in all the ways of its table."""

from __future__ import annotations

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from socorro_processor.signature.c_signature_2026 import CSignatureTool2026, frames_of_calls
from tests import own_stackwalker
from tests.endings import programs as built
from tests.endings import table
from tests.endings.programs import SOURCES, Programs
from tests.endings.table import Ending, read_endings, without_offsets
from tests.shared import own_stackwalker as require_stackwalker
from tests.shared import require
from tests.system.daemon import Installation
from tests.system.test_system_symbols import INSTALLED_BY, require_dump_syms

pytestmark = pytest.mark.timeout(900)
"""Seconds, to build the programs and, the first time, the guard that writes their minidumps."""

ENDINGS = read_endings()
LONGEST_STACK = 40
"""Frames of a thread that are considered for a signature."""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return Programs.build(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="module")
def dumps(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the minidumps of all endings whose compiler is installed."""
    directory = tmp_path_factory.mktemp("dumps")
    endings = [ending for ending in ENDINGS if programs.has(ending.program)]
    # They mostly wait for their guards.
    with ThreadPoolExecutor(2 * len(os.sched_getaffinity(0))) as pool:
        for _ in pool.map(lambda each: programs.end(each.program, each.name, directory / each.dump), endings):
            pass
    return directory


@pytest.fixture(scope="module")
def symbols(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The symbols of the programs only."""
    require_dump_syms()
    site = Installation(tmp_path_factory.mktemp("site"))
    added = site.socorro("symbols", "add", *programs.built())
    assert added.returncode == 0, added.stdout + added.stderr
    return site.directory / "socorro-data" / "symbols"


LIBRARIES = ("/lib/x86_64-linux-gnu/libc.so.6",)
"""Libraries whose debug files, from libc6-dbg, are added; other libraries in a dump get the names that they export."""


@pytest.fixture(scope="module")
def symbols_of_all(programs: Programs, dumps: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The symbols of the programs and of the system libraries that they use."""
    require_dump_syms()
    site = Installation(tmp_path_factory.mktemp("site-of-all"))
    for library in LIBRARIES:
        notes = subprocess.run(["readelf", "--notes", library], capture_output=True, text=True).stdout
        build_id = "".join(re.findall("Build ID: ([0-9a-f]+)", notes))
        debug_file = Path("/usr/lib/debug/.build-id", build_id[:2], f"{build_id[2:]}.debug")
        require(debug_file.is_file(), f"no libc6-dbg of this C library: {INSTALLED_BY}")
        added = site.socorro("symbols", "add", library, debug_file)
        assert added.returncode == 0, added.stdout + added.stderr
    one_of_each = {ending.program: dumps / ending.dump for ending in ENDINGS if programs.has(ending.program)}
    added = site.socorro("symbols", "add", *programs.built(), *one_of_each.values())
    assert added.returncode == 0, added.stdout + added.stderr
    return site.directory / "socorro-data" / "symbols"


@pytest.fixture(scope="module")
def is_as_the_page() -> bool:
    """True if the compilers and libraries are those that made the table; with others, names in libraries differ."""
    return built.versions() == table.versions()


def sign(symbols: Path, dump: Path) -> str:
    """The signature of the thread that crashed, by the project's own lists."""
    return sign_walked(own_stackwalker.walk("--symbols-path", symbols, dump))


def sign_walked(walked: dict[str, Any]) -> str:
    tool = CSignatureTool2026()
    thread = walked["crash_info"]["crashing_thread"]
    frames = list(frames_of_calls(walked["threads"][thread]["frames"]))[:LONGEST_STACK]
    lists = tool.lists.current
    signature, _ = tool.generate(tool.name_frames(frames, lists, lower_case_modules=False), lists, 0, thread)
    return without_offsets(signature)


def has_guesses(walked: dict[str, Any]) -> bool:
    """True if frames of the thread that crashed were found by a scan of its stack."""
    frames = walked["threads"][walked["crash_info"]["crashing_thread"]]["frames"]
    return any(frame.get("trust") == "scan" for frame in frames)


def test_the_table_has_every_ending_of_the_programs() -> None:
    found = {
        program: set(re.findall(pattern, (SOURCES / file).read_text(), re.MULTILINE))
        for program, file, pattern in (
            ("ferry", "ferry.cpp", r'^    \{"([a-z-]+)", '),
            ("skiff", "skiff.c", r'strcmp\(ending, "([a-z-]+)"'),
            ("raft", "raft.cpp", r'strcmp\(arguments\[1\], "([a-z-]+)"'),
            ("barge", "barge.rs", r'^        "([a-z-]+)" =>'),
            ("canal", "canal/canal.go", r'^\tcase "([a-z-]+)"'),
        )
    }
    told: dict[str, set[str]] = {program: set() for program in found}
    for ending in ENDINGS:
        told[ending.program.removesuffix("-unwind")].add(ending.name)
    assert told == found


@pytest.mark.parametrize("ending", ENDINGS, ids=str)
def test_an_ending_signs_as_the_table_says(
    programs: Programs, dumps: Path, symbols_of_all: Path, is_as_the_page: bool, ending: Ending
) -> None:
    require_stackwalker()
    programs.require(ending.program)

    signature = sign(symbols_of_all, dumps / ending.dump)

    if is_as_the_page:
        assert signature == ending.signature
    else:
        assert signature.rpartition(" | ")[2] == ending.function


def test_without_symbols_of_libraries_endings_sign_as_the_table_says(
    programs: Programs, dumps: Path, symbols: Path, is_as_the_page: bool
) -> None:
    """A guess is a word that lies on the stack: which words lie there varies with the kernel and the processor."""
    require_stackwalker()
    guessed, otherwise = 0, []
    endings = [ending for ending in ENDINGS if programs.has(ending.program)]
    for ending in endings:
        walked = own_stackwalker.walk("--symbols-path", symbols, dumps / ending.dump)
        is_guessed = has_guesses(walked)
        guessed += is_guessed
        signature = sign_walked(walked)
        if is_as_the_page and is_guessed:
            otherwise += [ending] if signature != ending.without else []
        elif is_as_the_page or ending.without == ending.signature:
            assert signature == ending.without, ending

    assert endings
    assert len(otherwise) <= guessed // 10, f"of {guessed} guessed ones: {', '.join(map(str, otherwise))}"
