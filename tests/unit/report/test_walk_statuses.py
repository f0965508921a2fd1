"""The statuses of walks in words."""

from __future__ import annotations

import pytest

from socorro_processor.report.walk_statuses import walk_problem, was_without_dump
from socorro_processor.stackwalk.result import KILLED, OK, OTHER_OUTCOME, OUTCOMES


@pytest.mark.parametrize(
    "status", sorted({*OUTCOMES} - {OK, KILLED, OTHER_OUTCOME, "UnknownError", "MinidumpReadError"})
)
def test_each_status_that_says_something_has_words_and_is_named_behind_them(status: str) -> None:
    problem = walk_problem(status)
    assert problem.endswith(f" ({status})")
    assert not problem.startswith("the stackwalker reports")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("HeaderMismatch", "the file is not a minidump (HeaderMismatch)"),
        ("MissingDirectory", "the minidump is cut off: its list of parts is missing (MissingDirectory)"),
        ("EmptyMinidump", "the minidump is empty: it has no bytes (EmptyMinidump)"),
        ("UnknownError", "the stackwalker reports UnknownError"),
        ("<b>", "the stackwalker reports <b>"),
        (OK, ""),
        ("", ""),
    ],
)
def test_an_unknown_status_stays_as_it_is_and_a_good_one_is_no_problem(status: str, words: str) -> None:
    assert walk_problem(status) == words


@pytest.mark.parametrize(
    ("status", "notes", "without"),
    [
        ("unknown error", ["host:17", "there is no minidump (upload_file_minidump)"], True),
        ("unknown error", ["stackwalk of upload_file_minidump: died of signal 11"], False),
        ("OK", ["there is no minidump (upload_file_minidump)"], False),
        ("unknown error", [7, None], False),
    ],
)
def test_a_crash_without_a_minidump_is_known_by_its_status_and_note(
    status: str, notes: list[object], without: bool
) -> None:
    assert was_without_dump(status, notes) is without
    assert (walk_problem(status, without_dump=without) == "the upload had no minidump") is without
