import pytest

from socorro_processor.configuration import Seconds, WholeNumber


@pytest.mark.parametrize(
    ("reader", "text", "value"),
    [
        (WholeNumber(1, 1000), "1", 1),
        (WholeNumber(1, 1000), " 1000 ", 1000),
        (WholeNumber(0), "99999999", 99999999),
        (Seconds(), "0", 0.0),
        (Seconds(10), "10", 10.0),
        (Seconds(above=True), "1e-3", 0.001),
    ],
)
def test_a_number_within_its_limits_is_read(reader, text, value):
    assert reader(text) == value


@pytest.mark.parametrize(
    ("reader", "texts", "expected"),
    [
        (WholeNumber(1, 1000), ["0", "1001", "-3", "1.5", "many", ""], "^a whole number from 1 to 1000$"),
        (WholeNumber(0), ["-1", "1e3"], "^a whole number of at least 0$"),
        (Seconds(), ["-1", "nan", "inf", "1e999", "soon", ""], "^a number of seconds, at least 0$"),
        (Seconds(10), ["9.9", "nan"], "^a number of seconds, at least 10$"),
        (Seconds(above=True), ["0", "-0", "-1", "nan"], "^a number of seconds, more than 0$"),
    ],
)
def test_a_number_outside_its_limits_is_refused_with_what_was_expected(reader, texts, expected):
    for text in texts:
        with pytest.raises(ValueError, match=expected):
            reader(text)
