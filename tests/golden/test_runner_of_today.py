"""The runner of the cases of today recognizes a case that is not exact."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.golden.today import Today, with_frames

JSON_DUMP = {
    "status": "OK",
    "crash_info": {"crashing_thread": 0, "type": "SIGSEGV"},
    "threads": [{"frames": [{"function": "a"}, {"function": "b", "repeat": 3}]}],
}


@pytest.fixture(scope="module")
def today() -> Iterator[Today]:
    today = Today()
    yield today
    today.close()


def case(given: dict[str, Any], **expected: Any) -> dict[str, Any]:
    return {"kind": "rule", "name": "x", "input": given, "expected": expected, "why": "x"}


@pytest.mark.parametrize(
    ("expected", "paths"),
    [
        ({"processed_crash": {"reason": "SIGSEGV", "thread_count": 1}}, ["thread_count"]),
        ({"processed_crash": {"crashing_thread": False}}, ["crashing_thread"]),
        ({"processed_crash": {"crashing_thread": 0.0}}, ["crashing_thread"]),
        ({"processed_crash": {"crashing_thread": 0, "submitted_timestamp": "2026-11-24T11:00:00+01:00"}}, []),
        ({"processed_crash": {"json_dump.threads.0.frames.3.frame": 3}}, []),
        ({"processed_crash": {"json_dump.threads.1": {}}}, ["json_dump.threads.1"]),
        ({"absent": ["url", "reason"]}, ["reason"]),
        ({"absent": ["crashing_thread_name"]}, ["crashing_thread_name"]),
        (
            {"lengths": {"json_dump.threads.0.frames": 4, "json_dump.threads": 2, "reason": 7}},
            ["json_dump.threads", "reason"],
        ),
        ({"notes_contain": ["2026", "PROCESSORALGORITHM", "nobody says this"]}, ["notes"]),
        ({"signature": "no such signature"}, ["signature"]),
    ],
)
def test_each_part_of_what_a_case_expects_is_compared(expected, paths, today):
    given = {"json_dump": JSON_DUMP}
    assert [difference.path for difference in today.differences(case(given, **expected))] == paths


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({}, "unknown error"),
        ({"stackwalker": {"dump_bytes": 0}}, "EmptyMinidump"),
        ({"stackwalker": {"killed_for": "time"}}, "TimedOut"),
        ({"stackwalker": {"killed_for": "output"}}, "OutputTooLarge"),
        (
            {"stackwalker": {"exit_code": 3, "stdout": "{}", "stderr": "ERROR HeaderMismatch - it's $HOME\n"}},
            "HeaderMismatch",
        ),
        ({"stackwalker": {"exit_code": 1, "stdout": '{"status": "Odd"}', "stderr": "ERROR Other - x\n"}}, "Odd"),
        ({"json_dump": {}}, "unknown error"),
    ],
)
def test_a_walk_can_end_in_each_way(given, status, today):
    processed = today.crash(given).processed
    assert (processed["mdsw_status_string"], processed["success"]) == (status, False)


def test_what_the_stackwalker_logged_is_kept(today):
    walk = {"exit_code": 3, "stdout": "", "stderr": "WARN x\nERROR HeaderMismatch - it's $HOME\n"}
    processed = today.crash({"stackwalker": walk}).processed
    assert processed["mdsw_stderr"] == "WARN x\nERROR HeaderMismatch - it's $HOME"
    assert processed["mdsw_return_code"] == 3


def test_a_case_can_bring_further_dumps_and_signature_lists(today):
    given = {"json_dump": JSON_DUMP, "other_dumps": ["upload_file_minidump_browser"]}
    without = today.crash(given)
    assert without.processed["additional_minidumps"] == ["upload_file_minidump_browser"]
    assert without.processed["upload_file_minidump_browser"]["mdsw_status_string"] == "OK"
    assert without.processed["signature"] == "a"
    assert today.crash({**given, "lists": {"irrelevant": ["a$"]}}).processed["signature"] == "b"


def test_frames_are_repeated_and_numbered():
    threads = with_frames({"threads": [{"frames": [{"function": "a"}, {"function": "b", "repeat": 2}]}, 7]})["threads"]
    assert threads == [
        {"frames": [{"function": "a", "frame": 0}, {"function": "b", "frame": 1}, {"function": "b", "frame": 2}]},
        7,
    ]
