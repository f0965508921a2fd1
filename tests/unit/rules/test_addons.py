"""The add-ons that were installed."""

from __future__ import annotations

from urllib.parse import unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.configuration import defaults
from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.addons import AddonsRule
from tests.cpu_time import cpu_seconds

CRASH_ID = "00000000-0000-4000-8000-000000161123"


def processed_by(rule: AddonsRule, raw: dict[str, object]) -> Crash:
    crash = Crash(id=CRASH_ID, raw=raw)
    assert rule.act(crash) == (True, True)
    return crash


@pytest.mark.parametrize(
    ("annotation", "addons"),
    [
        ("a%40example.org:1.0", [["a@example.org", "1.0"]]),
        ("a:b:c,d%3Ae:1", [["a", "b:c"], ["d:e", "1"]]),
        ("a%2Cb:1", [["a,b", "1"]]),
        ("my+add-on:1+beta", [["my add-on", "1 beta"]]),
        ("%ff%zz:1", [["\ufffd%zz", "1"]]),
        (":", [["", ""]]),
        ("", []),
        (None, []),
    ],
)
def test_each_add_on_has_its_id_and_version(annotation, addons):
    crash = processed_by(AddonsRule(), {"Add-ons": annotation})

    assert crash.processed["addons"] == addons
    assert crash.notes == []


def test_an_add_on_without_a_version_is_listed_and_noted():
    crash = processed_by(AddonsRule(), {"Add-ons": "nocolon,a:1,"})

    assert crash.processed["addons"] == [["nocolon", ""], ["a", "1"], ["", ""]]
    assert crash.notes == ['add-ons without a version: "nocolon", ""']


def test_only_some_of_many_add_ons_without_a_version_are_named():
    crash = processed_by(AddonsRule(), {"Add-ons": ",".join("abcdefgh")})

    assert crash.notes == ['add-ons without a version: "a", "b", "c", "d", "e" and 3 more']


@given(st.text(alphabet="%+:,0aF\u00e9\ud800", max_size=20))
def test_id_and_version_are_both_decoded(annotation):
    crash = processed_by(AddonsRule(), {"Add-ons": annotation})

    items = annotation.split(",") if annotation else []
    assert crash.processed["addons"] == [[unquote_plus(half) for half in item.partition(":")[::2]] for item in items]


@pytest.mark.parametrize(("number", "notes"), [(1000, 0), (1001, 1), (100_000, 1)])
def test_only_the_first_of_very_many_add_ons_are_kept(number, notes):
    crash = processed_by(AddonsRule(), {"Add-ons": ",".join(["a:1"] * number)})

    assert crash.processed["addons"] == [["a", "1"]] * 1000
    assert crash.notes == [f"only the first 1000 add-ons are kept, of {number}"] * notes


@pytest.mark.parametrize(
    ("raw", "checked"),
    [
        ({}, None),
        ({"EMCheckCompatibility": "true"}, True),
        ({"EMCheckCompatibility": "TRUE"}, True),
        ({"EMCheckCompatibility": "false"}, False),
        ({"EMCheckCompatibility": "maybe"}, False),
        ({"EMCheckCompatibility": ""}, False),
    ],
)
def test_the_check_of_add_ons_is_a_field(raw, checked):
    assert processed_by(AddonsRule(), raw).processed["addons_checked"] is checked


@pytest.mark.parametrize("value", [["a:1"], {"a": "1"}])
def test_an_annotation_without_a_text_counts_as_absent_and_is_noted(value):
    crash = processed_by(AddonsRule(), {"Add-ons": value, "EMCheckCompatibility": value})

    assert crash.processed == {"addons": [], "addons_checked": None}
    assert len(crash.notes) == 2


def test_the_annotation_for_the_check_may_be_a_boolean():
    assert processed_by(AddonsRule(), {"EMCheckCompatibility": True}).processed["addons_checked"] is True


def test_add_ons_are_not_listed_if_that_is_off():
    rule = AddonsRule(defaults(AddonsRule, collect_addon=False))

    assert processed_by(rule, {"Add-ons": "a:1"}).processed == {"addons_checked": None}


@pytest.mark.parametrize(
    "annotation",
    ["," * 1_000_000, "%" * 1_000_000, "%41" * 300_000, "%41," * 25_000, "%41a" * 25_000, ":" * 1_000_000],
    ids=lambda annotation: annotation[:4],
)
def test_a_long_list_takes_no_time(annotation):
    # 50 ms on a quiet machine; what this guards against took seconds.
    assert cpu_seconds(lambda: processed_by(AddonsRule(), {"Add-ons": annotation})) < 0.25
