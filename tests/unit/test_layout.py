"""Tables, at a terminal and in a pipe."""

import pytest

from socorro_processor.layout import counted, table

ROWS = [
    [(cell, "") for cell in row] for row in (("queue", "waiting", "why"), ("normal", "7", "x" * 70), ("p", "12", "-"))
]


def lines(width, **how):
    return [line.plain for line in table(ROWS, (0.3, 0.3, 0), width, **how)]


def test_in_a_pipe_nothing_is_cut_and_columns_are_aligned():
    assert lines(None) == ["queue   waiting  why", f"normal  7        {'x' * 70}", "p       12       -"]


def test_numbers_are_aligned_on_the_right():
    assert lines(None, numbers=(1,)) == ["queue   waiting  why", f"normal        7  {'x' * 70}", "p            12  -"]


def test_at_a_terminal_a_line_is_no_longer_than_its_width():
    assert lines(40) == ["queue   waiting  why", f"normal  7        {'x' * 22}…", "p       12       -"]


@pytest.mark.parametrize(("number", "shown"), [(0, "0 crashes"), (1, "1 crash"), (2, "2 crashes")])
def test_counted_nouns_are_plural_except_for_one(number, shown):
    assert counted(number, "crash", "crashes") == shown
    assert counted(number, "id") == f"{number} id{'' if number == 1 else 's'}"
