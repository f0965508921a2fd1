"""Abort messages: the part that stays in a signature."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.signature.abort_message import MAXIMUM, stable_message


@pytest.mark.parametrize(
    ("message", "stable"),
    [
        ("hold is full", "hold is full"),
        ("[Child 12, Main] ###!!! ABORT: hold is full: file a.cpp, line 3", "hold is full"),
        ("[12] ###!!! ABORT: file a.cpp, line 3", ""),
        ("hold\n\tis\x00 full\u200b ", "hold is full"),
        ("unable to find a usable font (Segoe UI)", "unable to find a usable font"),
        ("no room (Straße (zwei)) left (now)", "no room left (now)"),
        ("no room (left", "no room (left"),
        ('cannot open "/home/jane/a b.db": denied', 'cannot open "<path>": denied'),
        ("cannot open 'C:\\Users\\jane\\a.db'", "cannot open '<path>'"),
        ("cannot open '\\\\server\\jane'", "cannot open '<path>'"),
        ('cannot get "https://example.com/?q=jane"', 'cannot get "<path>"'),
        ('"~/a" and "file:///b" and "c/d.txt"', '"<path>" and "<path>" and "<path>"'),
        ("can't open jane's 'a' or '/b'", "can't open jane's 'a' or '<path>'"),
        ("the users' file '/home/jane' is bad", "the users' file '<path>' is bad"),
        ('"yes" or "no"', '"yes" or "no"'),
        ("it is std::string", "it is std::string"),
        ('cast to "std::string"', 'cast to "std::string"'),
        ("bad pointer 0x7ffd12ab, tag 0x1f, 0xDEADBEEF", "bad pointer <addr>, tag 0x1f, <addr>"),
        ("x" * 81, "x" * 77 + "..."),
        ("x" * 80, "x" * 80),
    ],
)
def test_parts_that_differ_between_users_and_runs_are_left_out(message, stable):
    assert stable_message(message) == stable


@given(st.text(alphabet="\"'()/\\ é0xa:\n", max_size=200))
def test_any_message_can_be_read(message):
    assert len(stable_message(message)) <= MAXIMUM


@pytest.mark.parametrize("part", ['"', "'", '"/', "(", "()", "(é", "0x", "0x0000 ", ": file ", "a'"])
def test_the_time_is_in_proportion_to_the_length(part):
    begun = time.thread_time()

    stable_message(part * 500_000)

    assert time.thread_time() - begun < 30
