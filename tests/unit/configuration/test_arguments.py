"""Arguments of commands are read as values."""

import argparse
from datetime import date

import pytest

from socorro_processor.configuration import WholeNumber, argument, read_day, read_days


def test_a_day_is_read():
    assert read_day("2016-11-23") == date(2016, 11, 23)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2016-11-23", (date(2016, 11, 23), date(2016, 11, 23))),
        ("2016-11-20..2016-11-23", (date(2016, 11, 20), date(2016, 11, 23))),
        ("2016-11-20..", (date(2016, 11, 20), None)),
        ("..2016-11-23", (None, date(2016, 11, 23))),
    ],
)
def test_days_are_read_with_both_ends_or_one(text, read):
    assert read_days(text) == read


@pytest.mark.parametrize("text", ["", "yesterday", "2016-13-01", "..", "2016-11-23..2016-11-20", "2016-11-23..x"])
def test_invalid_days_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError):
        read_days(text)


def test_an_argument_is_refused_in_the_same_words_as_an_option():
    number = argument(WholeNumber(1))
    assert number("7") == 7
    with pytest.raises(argparse.ArgumentTypeError, match="'0' is not a whole number of at least 1"):
        number("0")
