import signal
from typing import Any

import pytest

from socorro_processor.machine.bounded_program import Outcome
from socorro_processor.stackwalk.result import OUTCOMES, StackwalkResult, stackwalk_result

DUMP = "upload_file_minidump"


def outcome(output: bytes = b"", return_code: int = 0, **values: Any) -> Outcome:
    fields: dict[str, Any] = {
        "output": output,
        "return_code": return_code,
        "timed_out": False,
        "output_too_large": False,
        "memory_too_large": False,
        "stderr": "",
        "wall_seconds": 1.5,
        "cpu_seconds": 2.5,
        "peak_memory": None,
    }
    return Outcome(**(fields | values))


def test_a_good_walk_is_kept_as_it_was_printed_and_needs_no_note() -> None:
    result = stackwalk_result(DUMP, outcome(b'{"status": "OK", "modules": [1.5, null, "\xc3\xbc"]}'))
    assert result.as_processed() == {
        "json_dump": {"status": "OK", "modules": [1.5, None, "ü"]},
        "mdsw_return_code": 0,
        "mdsw_status_string": "OK",
        "success": True,
    }
    assert result.notes == ()


@pytest.mark.parametrize(
    ("output", "return_code", "status"),
    [
        (b'{"status": "ERROR_NO_MINIDUMP_HEADER", "pid": 1}', 0, "ERROR_NO_MINIDUMP_HEADER"),
        (b'{"status": "ERROR_NO_THREAD_LIST"}', 3, "ERROR_NO_THREAD_LIST"),
        (b"{}", 0, "unknown error"),
        (b'{"status": 7}', 0, "unknown error"),
        (b'{"status": null}', 0, "unknown error"),
    ],
)
def test_a_walk_without_the_status_ok_has_failed_and_keeps_what_it_printed(
    output: bytes, return_code: int, status: str
) -> None:
    result = stackwalk_result(DUMP, outcome(output, return_code))
    assert result.json_dump.keys() <= {"status", "pid"}
    assert bool(result.json_dump) == (output != b"{}")
    assert (result.status, result.success, result.return_code) == (status, False, return_code)
    assert result.notes == (f"stackwalk of {DUMP} failed: {status}, exit code {return_code}",)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (b"", "printed nothing"),
        (b" \n", "printed nothing"),
        (b"Killed", "not JSON"),
        (b'{"status": "OK", "modu', "not JSON"),
        (b'{"status": "OK"} trailing', "not JSON"),
        (b'["status"]', "not an object"),
        (b'"OK"', "not an object"),
        (b"null", "not an object"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_output_that_is_not_a_json_object_is_a_note_and_an_empty_dump(output: bytes, said: str) -> None:
    result = stackwalk_result(DUMP, outcome(output, 1))
    assert result.json_dump == {}
    assert result.status == "unknown error"
    assert any(said in note for note in result.notes)
    assert result.notes[-1] == f"stackwalk of {DUMP} failed: unknown error, exit code 1"


@pytest.mark.parametrize(
    ("stderr", "status"),
    [
        ("ERROR HeaderMismatch - Error reading dump: Header mismatch\n", "HeaderMismatch"),
        ("\x1b[31mERROR\x1b[0m MissingThreadList - Error processing dump: none\n", "MissingThreadList"),
        ("ERROR Panic - index out of bounds: the len is 0 but the index is 1\n", "Panic"),
        ("ERROR Could not load Extra JSON at x\nERROR VersionMismatch - Error reading dump\n", "VersionMismatch"),
        ("warning: ERROR HeaderMismatch - of another program\n", "unknown error"),
        ("ERROR <b>x</b> - Error\n", "unknown error"),
        (f"ERROR {'X' * 41} - Error\n", "unknown error"),
        ("", "unknown error"),
    ],
)
def test_a_walk_that_printed_no_status_has_the_name_of_the_error_that_it_logged(stderr: str, status: str) -> None:
    result = stackwalk_result(DUMP, outcome(b"", 1, stderr=stderr))
    assert (result.status, result.success) == (status, False)
    assert result.notes[-1] == f"stackwalk of {DUMP} failed: {status}, exit code 1"


def test_a_status_that_was_printed_comes_before_the_error_that_was_logged() -> None:
    result = stackwalk_result(DUMP, outcome(b'{"status": "OK"}', stderr="ERROR DataError - a module\n"))
    assert result.status == "OK"


@pytest.mark.parametrize(
    ("status", "counted_as"),
    [
        ("HeaderMismatch", "HeaderMismatch"),
        ("TimedOut", "TimedOut"),
        ("Panic", "Panic"),
        ("Whatever", "other"),
        ("a" * 9999, "other"),
    ],
)
def test_only_known_failures_are_counted_by_name(status: str, counted_as: str) -> None:
    assert StackwalkResult(status=status).counted_as == counted_as


@pytest.mark.parametrize(
    ("printed", "return_code", "counted_as"),
    [
        (b"", -signal.SIGSEGV, "Killed"),
        (b"", 128 + signal.SIGABRT, "Killed"),
        (b"", 1, "unknown error"),
        (b"", 255, "unknown error"),
        (b'{"status": "OK"}', 0, "OK"),
        (b'{"status": "ERROR_NO_MINIDUMP_HEADER"}', 128 + signal.SIGABRT, "other"),
    ],
)
def test_a_walker_that_died_of_a_signal_is_counted_as_killed(printed: bytes, return_code: int, counted_as: str) -> None:
    result = stackwalk_result(DUMP, outcome(printed, return_code))
    assert result.counted_as == counted_as
    assert result.counted_as in OUTCOMES


def test_text_that_is_not_utf_8_does_not_cost_the_walk() -> None:
    result = stackwalk_result(DUMP, outcome(b'{"status": "OK", "os": "\xff"}'))
    assert result.success
    assert result.json_dump["os"] == "\ufffd"
    assert result.notes


@pytest.mark.parametrize(
    ("ended", "code", "status", "said"),
    [
        ({"timed_out": True}, 124, "TimedOut", "killed: not done after 1.5 s"),
        ({"output_too_large": True}, 137, "OutputTooLarge", "killed: its output was too large (output_limit)"),
    ],
)
def test_the_output_of_a_killed_walk_is_not_believed(ended: dict[str, Any], code: int, status: str, said: str) -> None:
    result = stackwalk_result(DUMP, outcome(b'{"status": "OK"}', -signal.SIGKILL, **ended))
    assert (result.json_dump, result.status, result.return_code) == ({}, status, code)
    assert f"stackwalk of {DUMP}: {said}" in result.notes


@pytest.mark.parametrize(
    ("death", "code", "said"),
    [
        (signal.SIGSEGV, 139, "died of signal 11 (Segmentation fault)"),
        (signal.SIGXCPU, 152, "killed: it used more than its CPU time (2.5 s)"),
        (signal.SIGRTMIN, 162, "died of signal 34"),
    ],
)
def test_a_walk_that_died_says_why(death: int, code: int, said: str) -> None:
    result = stackwalk_result(DUMP, outcome(b'{"status"', -death))
    assert (result.json_dump, result.return_code) == ({}, code)
    assert said in result.notes[0]


def test_a_walk_that_took_too_much_memory_at_once_says_so() -> None:
    result = stackwalk_result(DUMP, outcome(return_code=-signal.SIGKILL, memory_too_large=True))
    assert result.return_code == 137
    assert result.notes[0] == f"stackwalk of {DUMP}: it wanted more memory than it may use (memory_limit)"


def test_a_walk_that_died_after_it_was_complete_counts_with_a_note() -> None:
    result = stackwalk_result(DUMP, outcome(b'{"status": "OK"}', -signal.SIGSEGV))
    assert result.success
    assert result.json_dump == {"status": "OK"}
    assert result.notes


def test_without_a_walk_there_is_a_result_too() -> None:
    assert StackwalkResult().as_processed() == {
        "json_dump": {},
        "mdsw_return_code": None,
        "mdsw_status_string": "unknown error",
        "success": False,
    }
