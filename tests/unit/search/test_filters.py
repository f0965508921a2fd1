"""The short form of filters, and what is refused."""

from __future__ import annotations

import pytest

from socorro_processor.errors import QueryError
from socorro_processor.search.filters import Filter, read_filter, read_filters


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("product=Lightbox", Filter("product", "is", ("Lightbox",))),
        ("version!=2.3", Filter("version", "is", ("2.3",), negated=True)),
        ("signature~a=b", Filter("signature", "contains", ("a=b",))),
        ("signature!^<T>", Filter("signature", "begins", ("<T>",), negated=True)),
        ("uptime<60", Filter("uptime", "less than", ("60",))),
        ("uptime<=60", Filter("uptime", "at most", ("60",))),
        ("uptime>=-1", Filter("uptime", "at least", ("-1",))),
        ("uptime!>1", Filter("uptime", "more than", ("1",), negated=True)),
        ("email?", Filter("email", "exists")),
        ("email!?", Filter("email", "exists", negated=True)),
        ("classifications.a-b.c=x\ny", Filter("classifications.a-b.c", "is", ("x\ny",))),
    ],
)
def test_the_short_form_says_field_operator_and_value(text, expected):
    assert read_filter(text) == expected
    assert read_filter(str(expected)) == expected


@pytest.mark.parametrize("text", ["", "product", "=x", "a b=c", "email?x", "!=x", "product!", "p" * 300 + "=x"])
def test_what_is_no_filter_is_refused_with_the_form(text):
    with pytest.raises(QueryError, match="it is FIELD, then one of"):
        read_filter(text)


def test_a_value_is_not_too_long():
    assert read_filter("product=" + "x" * 2000).values == ("x" * 2000,)
    with pytest.raises(QueryError, match="more than 2000 characters"):
        read_filter("product=" + "x" * 2001)
    with pytest.raises(QueryError, match="needs a value"):
        Filter("product", "is")


def test_values_of_a_field_are_alternatives_unless_they_are_limits_or_opposites():
    assert read_filters(["v=1", "v=2", "v!=3", "v!=4", "n>1", "n>2", "v~x", "v=5"]) == (
        Filter("v", "is", ("1", "2", "5")),
        Filter("v", "contains", ("x",)),
        Filter("v", "is", ("3",), negated=True),
        Filter("v", "is", ("4",), negated=True),
        Filter("n", "more than", ("1",)),
        Filter("n", "more than", ("2",)),
    )


def test_there_are_not_too_many_filters_and_values():
    with pytest.raises(QueryError, match="51 filters: at most 50"):
        read_filters(["v=1"] * 51)
    with pytest.raises(QueryError, match="51 values, at most 50"):
        Filter("v", "is", ("1",) * 51)
    with pytest.raises(QueryError, match="needs no value"):
        Filter("v", "exists", ("1",))
