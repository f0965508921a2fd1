"""The address of a page: what a browser asks for, what a form sends, and what a link says."""

from __future__ import annotations

from datetime import date
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.errors import QueryError
from socorro_processor.fields import FIELDS
from socorro_processor.search.filters import Filter
from socorro_processor.web.pages.address import PARAMETERS, Address, page_address, read_address, signature_address

TODAY = date(2026, 11, 30)

NAMES = st.sampled_from(["product", "signature", "uptime", "classifications.support.classification", "email"])
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
FILTERS = st.one_of(
    st.builds(
        Filter,
        NAMES,
        st.sampled_from(["is", "contains", "begins", "at least", "more than", "at most", "less than"]),
        st.tuples(TEXTS),
        st.booleans(),
        # "uptime>" with the value "=5" would be "uptime>=5"; no number or date begins so.
    ).filter(lambda each: each.operator not in ("more than", "less than") or each.values[0][:1] != "="),
    st.builds(Filter, NAMES, st.just("exists"), st.just(()), st.booleans()),
)


def distinct(filters: list[Filter]) -> tuple[Filter, ...]:
    """Filters that are not read as alternatives of each other, in the order in which they are read."""
    merged = {(each.field, each.operator, each.negated): each for each in filters}
    alternatives = [
        each for each in merged.values() if not each.negated and each.operator in ("is", "contains", "begins")
    ]
    return (*alternatives, *(each for each in merged.values() if each not in alternatives))


@given(st.lists(FILTERS, max_size=5), st.dictionaries(st.sampled_from(PARAMETERS), st.tuples(TEXTS.filter(bool))))
def test_a_link_is_read_as_the_address_that_it_was_made_from(filters, parameters):
    address = Address("/search", distinct(filters), parameters)

    path, _, query = str(address).partition("?")

    assert read_address(path, query.encode("ascii")) == address


@given(st.lists(FILTERS, max_size=5))
def test_the_hidden_fields_of_a_form_send_the_same_filters(filters):
    address = Address("/search", distinct(filters))

    sent = urlencode(list(address.parts()))

    assert read_address("/search", sent.encode("ascii")) == address


@given(st.binary(max_size=300))
def test_any_query_is_read_or_refused(query):
    try:
        address = read_address("/", query)
    except QueryError:
        return
    assert str(address).startswith("/")


def test_no_parameter_has_the_name_of_a_field():
    assert not {field.name for field in FIELDS} & set(PARAMETERS)


def test_a_field_that_a_form_leaves_empty_is_no_filter():
    assert read_address("/", b"product=&version=2.3").filters == (Filter("version", "is", ("2.3",)),)


def test_values_of_a_field_are_alternatives():
    assert read_address("/", b"version=2.3&version=2.4").values("version") == ("2.3", "2.4")


def test_a_plain_link_is_plain():
    assert page_address("/search", product="Light box", version="2.3") == "/search?product=Light+box&version=2.3"


def test_the_link_to_a_signature_keeps_other_filters():
    like = (Filter("signature", "is", ("old",)), Filter("product", "is", ("Lightbox",)))

    link = signature_address("OOM | small", like)

    assert link == "/signature?signature=OOM+|+small&product=Lightbox"


def test_a_click_on_another_value_replaces_the_one_chosen_and_begins_at_the_first_page():
    address = read_address("/search", b"product=Lightbox&uptime%3C60&after=x&sort=uptime")

    assert str(address.with_filter("product", "Frame")) == "/search?uptime%3C60&product=Frame&sort=uptime"


def test_one_of_two_alternatives_can_be_removed():
    address = read_address("/search", b"version=2.3&version=2.4")

    assert str(address.without_value(address.filters[0], "2.3")) == "/search?version=2.4"


@pytest.mark.parametrize(
    ("query", "days"),
    [
        (b"", (date(2026, 11, 24), TODAY)),
        (b"days=1", (TODAY, TODAY)),
        (b"date=2026-11-03", (date(2026, 11, 3), date(2026, 11, 3))),
        (b"date=2026-11-03..2026-11-05", (date(2026, 11, 3), date(2026, 11, 5))),
        (b"date=2026-11-03..", (date(2026, 11, 3), TODAY)),
        (b"date=..2026-11-03&days=2", (date(2026, 11, 2), date(2026, 11, 3))),
    ],
)
def test_days_end_today_unless_the_address_says_otherwise(query, days):
    assert read_address("/", query).days(TODAY) == days


@pytest.mark.parametrize("query", [b"days=x", b"days=99999", b"date=tomorrow", b"date=2026-11-05..2026-11-03"])
def test_days_that_are_none_are_refused(query):
    with pytest.raises(QueryError):
        read_address("/", query).days(TODAY)


@pytest.mark.parametrize("query", [b"a" * 30_001, b"&".join([b"version=1"] * 201), b"version=1&nonsense"])
def test_an_address_that_is_too_long_or_nonsense_is_refused(query):
    with pytest.raises(QueryError):
        read_address("/", query)
