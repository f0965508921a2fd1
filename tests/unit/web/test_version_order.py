"""Versions are ordered as their makers do, and any text has a place."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.web.pages.version_order import is_unknown, version_key


@pytest.mark.parametrize(
    "ordered",
    [
        ["2.3", "2.4", "2.10", "10.0"],
        ["2.3a1", "2.3b1", "2.3b10", "2.3rc1", "2.3", "2.3.1", "2.4a1"],
        ["115.0", "115.0esr", "115.0.1", "115.1.0esr", "116.0a1"],
        ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta.2", "1.0.0-rc.1", "1.0.0", "1.0.1"],
        [None, "1"],
        ["unknown", "0"],
    ],
    ids=str,
)
def test_versions_are_in_the_order_of_their_releases(ordered):
    mixed = ordered[:]
    random.Random(1).shuffle(mixed)

    assert sorted(mixed, key=version_key) == ordered


@given(st.lists(st.text(max_size=20), unique=True))
def test_any_texts_have_one_order(texts):
    known = [each for each in texts if not is_unknown(each)]

    backwards = known[::-1]

    assert sorted(known, key=version_key) == sorted(backwards, key=version_key)


@given(st.text(st.sampled_from("0123456789"), min_size=255, max_size=255))
def test_a_number_of_many_digits_has_a_place(digits):
    assert version_key(digits) >= version_key("0")
