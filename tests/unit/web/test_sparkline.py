"""A sparkline: its bars and its words are those of the numbers."""

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.web.top.sparkline import HEIGHT, sparkline

FIRST = date(2026, 11, 2)


def heights(path: str) -> list[float]:
    return [float(each) for each in re.findall(r"v-([0-9.e+]+)", path)]


def test_each_day_is_a_bar_and_the_greatest_is_as_high_as_all():
    line = sparkline(FIRST, [3, 0, 6])
    assert heights(line.path) == [HEIGHT / 2, HEIGHT]
    assert [int(each) for each in re.findall(r"M(\d+) ", line.path)] == [0, 8]
    assert line.width == 11


def test_one_crash_beside_very_many_can_be_seen():
    assert min(heights(sparkline(FIRST, [1, 1_000_000]).path)) > 1


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([3, 0, 5], "3, 0, 5 crashes from 2026-11-02 to 2026-11-04"),
        ([1], "1 crash on 2026-11-02"),
        ([0] * 19 + [1200], "crashes from 2026-11-02 to 2026-11-21: at most 1,200, on 2026-11-21; 1,200 at the end"),
        ([1] * 35, "7, 7, 7, 7, 7 crashes from 2026-11-02 to 2026-12-06"),
        (
            [0] * 127 + [2] * 7 + [0] * 6 + [1],
            "crashes from 2026-11-02 to 2027-03-22: at most 14, in the week from 2027-03-09; 1 at the end",
        ),
    ],
)
def test_all_that_it_shows_is_said_in_words(counts, words):
    assert sparkline(FIRST, counts).words == words


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=1100))
def test_no_bar_leaves_the_drawing(counts):
    line = sparkline(FIRST, counts)
    assert all(0 < each <= HEIGHT for each in heights(line.path))
    assert all(0 <= int(x) < line.width for x in re.findall(r"M(\d+) ", line.path))
    assert len(line.path) < 10_000
