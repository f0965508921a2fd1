"""The check of tests for open SQLite connections."""

import sqlite3
from contextlib import closing

import pytest

from tests.open_connections import none_left


def test_a_closed_connection_is_not_reported_as_left_open():
    with none_left(), closing(sqlite3.connect(":memory:")) as connection:
        assert connection.execute("SELECT 1").fetchall() == [(1,)]


@pytest.mark.parametrize("in_a_cycle", [False, True])
def test_a_connection_that_was_left_open_is_named_by_where_it_was_opened(in_a_cycle):
    def leave() -> None:
        connection = sqlite3.connect(":memory:")
        if in_a_cycle:
            held = [connection]
            held.append(held)

    with pytest.raises(AssertionError, match="in leave"), none_left():
        leave()


def test_a_connection_in_use_is_not_reported():
    with none_left():
        connection = sqlite3.connect(":memory:")
    connection.close()


def test_a_connection_of_an_earlier_test_is_not_held_against_a_later_one():
    with none_left():
        held = [sqlite3.connect(":memory:")]
    with none_left():
        held.clear()
