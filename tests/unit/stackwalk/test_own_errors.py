"""How socorro-stackwalk reports errors, and how it ends."""

import os
import re
import resource
import signal
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from socorro_processor.machine.bounded_program import Limits
from socorro_processor.machine.bounded_program import run as run_limited
from socorro_processor.stackwalk.result import stackwalk_result
from socorro_processor.stackwalk.smallest_minidump import sound_minidump
from tests.own_stackwalker import run
from tests.shared import own_stackwalker, shared
from tests.unit.stackwalk.many_threads import minidump_of_threads

UNREADABLE, WRONG_ARGUMENTS, FAULT = 1, 2, 3
_THREADS, _SYSTEM_INFO = 3, 7


def without(stream: int) -> bytes:
    """Return a sound minidump in which the stream of this type has an unknown type instead."""
    known, unknown = struct.pack("<I", stream), struct.pack("<I", 0x7FFFFFFF)
    dump = sound_minidump()
    at = next(at for at in range(32, len(dump), 12) if dump[at : at + 4] == known)
    return dump[:at] + unknown + dump[at + 4 :]


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """A dump whose JSON is longer than any buffer."""
    path = tmp_path / "long.dmp"
    path.write_bytes(minidump_of_threads(1000))
    return path


UNREADABLE_DUMPS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no file": (lambda path: None, "FileNotFound"),
    "a directory": (Path.mkdir, "IoError"),
    "a pipe that no one writes to": (os.mkfifo, "IoError"),
    "a link to itself": (lambda path: path.symlink_to(path), "IoError"),
    "empty": (Path.touch, "MissingHeader"),
    "shorter than a header": (lambda path: path.write_bytes(b"MDMP" + bytes(20)), "MissingHeader"),
    "no minidump": (lambda path: path.write_bytes(b"MZ" + bytes(1000)), "HeaderMismatch"),
    "of another version": (
        lambda path: path.write_bytes(sound_minidump().replace(b"\x93\xa7", b"\x94\xa7", 1)),
        "VersionMismatch",
    ),
    "cut in its directory": (lambda path: path.write_bytes(sound_minidump()[:40]), "MissingDirectory"),
    "without threads": (lambda path: path.write_bytes(without(_THREADS)), "MissingThreadList"),
    "without its system": (lambda path: path.write_bytes(without(_SYSTEM_INFO)), "MissingSystemInfo"),
}


@pytest.mark.parametrize("case", UNREADABLE_DUMPS)
@pytest.mark.parametrize("options", [(), ("--reference",)], ids=["own", "reference"])
def test_a_dump_that_cannot_be_read_is_one_line_with_the_name_of_the_error(
    tmp_path: Path, case: str, options: tuple[str, ...]
) -> None:
    make, name = UNREADABLE_DUMPS[case]
    path = tmp_path / "crash.dmp"
    make(path)
    ended = run(*options, path)
    assert (ended.returncode, ended.stdout) == (UNREADABLE, "")
    assert re.fullmatch(rf"ERROR {name} - Error (reading|processing) dump: .+\n", ended.stderr)


def test_the_processor_reads_the_status_from_that_line(tmp_path: Path) -> None:
    path = tmp_path / "crash.dmp"
    path.write_bytes(without(_THREADS))
    result = stackwalk_result("upload_file_minidump", run_limited([str(own_stackwalker()), str(path)], Limits()))
    assert (result.status, result.return_code) == ("MissingThreadList", UNREADABLE)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--verbose",),
        ("--no-such-option", "crash.dmp"),
        ("one.dmp", "two.dmp"),
        ("--symbols-path",),
        ("index",),
        ("--\x1b]0;title\x07\nsecond line",),
    ],
    ids=repr,
)
def test_wrong_arguments_are_one_line_that_names_the_help(arguments: tuple[str, ...]) -> None:
    ended = run(*arguments)
    assert (ended.returncode, ended.stdout) == (WRONG_ARGUMENTS, "")
    assert re.fullmatch(r"socorro-stackwalk: [ -~]+; see socorro-stackwalk --help\n", ended.stderr)


@pytest.mark.parametrize("options", [(), ("--reference",)], ids=["own", "reference"])
def test_the_stackwalker_ends_quietly_if_nobody_reads_its_output(dump: Path, options: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = run(*options, dump, stdout=writing)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (FAULT, "")


def test_the_help_ends_quietly_if_nobody_reads_it() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = run("--help", stdout=writing)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (FAULT, "")


def test_output_that_cannot_be_written_is_an_error(dump: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = run(dump, stdout=full)
    assert ended.returncode == FAULT
    assert re.fullmatch(r"ERROR IoError - Error writing output: No space left on device.*\n", ended.stderr)


def test_an_error_that_cannot_be_printed_has_its_exit_code(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = run(tmp_path / "none.dmp", stderr=writing)
    os.close(writing)
    assert ended.returncode == UNREADABLE


def short_of_memory(megabytes: int) -> Callable[[], None]:
    size = megabytes << 20
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size))


def test_the_stackwalker_reports_a_lack_of_memory_in_the_form_that_the_processor_knows() -> None:
    dump = shared("crashes/linux-x86_64") / "upload_file_minidump.dmp"
    ends = set()
    # From enough memory down to hardly enough to start.
    for megabytes in range(256, 15, -8):
        ended = run(dump, before=short_of_memory(megabytes), stdout=subprocess.DEVNULL)
        if ended.returncode != 0:
            # Rust adds how to get a backtrace.
            assert re.match(r"memory allocation of \d+ bytes failed\n(note: .*\n)?$", ended.stderr)
        ends.add(ended.returncode)
    assert ends == {0, -signal.SIGABRT}


def test_the_processor_recognizes_that_memory_ran_out() -> None:
    dump = shared("crashes/linux-x86_64") / "upload_file_minidump.dmp"
    command = ["prlimit", f"--as={40 << 20}", str(own_stackwalker()), str(dump)]
    assert run_limited(command, Limits()).memory_too_large


def test_the_help_has_an_example_and_all_exit_codes() -> None:
    ended = run("--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "\nExample: socorro-stackwalk " in ended.stdout
    codes = ended.stdout.split("Exit codes:\n")[1]
    assert re.findall(r"^  (\d)  ", codes, re.MULTILINE) == ["0", "1", "2", "3"]
