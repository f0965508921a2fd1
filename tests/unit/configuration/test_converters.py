from __future__ import annotations

import pytest

from socorro_processor.configuration import parse_count, parse_seconds


def test_a_time_is_a_number_above_0():
    assert parse_seconds("0.5") == 0.5
    for text in ("0", "-1", "inf", "nan", "soon", ""):
        with pytest.raises(ValueError, match="a number of seconds above 0"):
            parse_seconds(text)


def test_a_count_is_a_whole_number_above_0():
    assert parse_count("3") == 3
    for text in ("0", "-1", "1.5", "many", ""):
        with pytest.raises(ValueError, match="a whole number above 0"):
            parse_count(text)
