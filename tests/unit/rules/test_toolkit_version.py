"""The order of Mozilla's version numbers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.rules.toolkit_version import ToolkitVersion

# From the documentation of the format; each is older than the next.
ORDER = ["-1", "1pre", "1.0", "1.1pre", "1.1pre1a", "1.1pre1", "1.1pre10a", "1.1pre10", "1.1", "1.10", "1.*", "2.0"]
EQUAL = [("1", "1.0"), ("1.0", "1.0.0"), ("1.1pre", "1.1pre0"), ("1.0+", "1.1pre"), ("1.-1a", "1.-1a.0"), ("", "0")]
FIREFOX = ["3.6.28", "12.0.1b3", "16.0.2esr", "16.0.2", "17.0a1", "17.0b2", "17.0b10", "17.0esr", "17.0", "100.0"]


@pytest.mark.parametrize(("older", "newer"), [*pairwise(ORDER), *pairwise(FIREFOX), ("abc", "0"), ("0", "1")])
def test_one_version_is_older_than_another(older, newer):
    assert ToolkitVersion(older) < ToolkitVersion(newer)
    assert not ToolkitVersion(newer) < ToolkitVersion(older)
    assert ToolkitVersion(older) != ToolkitVersion(newer)


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_two_ways_to_write_a_version_are_one_version(one, other):
    assert ToolkitVersion(one) == ToolkitVersion(other)
    assert hash(ToolkitVersion(one)) == hash(ToolkitVersion(other))


def test_anything_else_is_not_a_version():
    assert ToolkitVersion("1") != "1"


versions = st.text(alphabet="019.ab+-*", max_size=8) | st.text(max_size=8)


@given(versions, versions, versions)
def test_all_texts_have_an_order(one, two, three):
    first, second, third = sorted(map(ToolkitVersion, (one, two, three)))

    assert first <= second <= third
    assert first <= third


@pytest.mark.parametrize("text", ["9" * 100_000, "a" * 100_000, "1." * 50_000, "-" * 100_000])
def test_a_long_text_is_a_version_too(text):
    assert ToolkitVersion(text) == ToolkitVersion(text)
