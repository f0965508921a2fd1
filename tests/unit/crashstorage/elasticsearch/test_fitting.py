"""Values that do not fit the mapping are left out of a copy, and reported."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.crashstorage.elasticsearch.fitting import FITS, fit_to_mapping, possible_misfits
from socorro_processor.crashstorage.elasticsearch.mapping import FLATTENED_PATH, PROPERTIES, fields_with_values

MAPPING = {
    "keyword": {"type": "keyword"},
    "long": {"type": "long"},
    "double": {"type": "double"},
    "boolean": {"type": "boolean"},
    "date": {"type": "date"},
    "flattened": {"type": "flattened"},
    "object": {"type": "object", "properties": {"long": {"type": "long"}, "inner": {"properties": {}}}},
}


def fitted(crash):
    misfits = []
    return fit_to_mapping(crash, MAPPING, lambda field, value: misfits.append(field)), misfits


def all_misfits(properties, within=()):
    """Documents with one thing each that does not fit, in every place where one can be."""
    odd = {"": 1}
    for name in within[::-1]:
        odd = {name: odd}
    yield odd
    for name, field in properties.items():
        values = [5] if "properties" in field else [5, {"a\0": 1}] if field["type"] == "flattened" else [{}]
        for value in values:
            document = {name: value}
            for outer in within[::-1]:
                document = {outer: document}
            yield document
        yield from all_misfits(field.get("properties", {}), (*within, name)) if "properties" in field else ()


def test_every_field_that_can_be_left_out_is_known_beforehand():
    told = []
    for document in all_misfits(PROPERTIES):
        before = len(told)
        fit_to_mapping(document, PROPERTIES, lambda field, value: told.append(field))
        assert len(told) == before + 1, document
    assert sorted(told) == sorted(possible_misfits(PROPERTIES))


def test_each_type_in_the_mapping_has_a_check():
    assert {field["type"] for _, field in fields_with_values(PROPERTIES)} == {*FITS, "flattened"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("keyword", "text"),
        ("keyword", 1),
        ("keyword", [["a", None], ["b"]]),
        ("long", -(2**63)),
        ("long", 2**63 - 1),
        ("double", 1),
        ("double", 1e308),
        ("boolean", False),
        ("date", "2016-11-23"),
        ("date", "2016-11-23T12:00:00Z"),
        ("date", "2016-11-23T12:00:00.123456+05:30"),
        ("flattened", {}),
        ("flattened", {"a": 1, "b": [1, [2]], "c": {"d": None}}),
        ("object", {}),
        ("object", {"long": 1, "other": {"": {"anything": [{}]}}, "inner": {"x": 1}}),
        ("other", {"": {"anything": [{}]}}),
        *((name, None) for name in MAPPING),
    ],
)
def test_a_fitting_value_is_kept(name, value):
    assert fitted({name: value}) == ({name: value}, [])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("keyword", {}),
        ("keyword", ["a", {}]),
        ("keyword", [[[[["a"]]]]]),
        ("long", 2**63),
        ("long", 1.0),
        ("long", "1"),
        ("long", True),
        ("double", float("nan")),
        ("double", 10**400),
        ("double", "1.5"),
        ("boolean", 1),
        ("boolean", "true"),
        ("date", ""),
        ("date", 1480000000),
        ("date", "20161123"),
        ("date", "2016-W47-3"),
        ("date", "2016-11-23 12:00:00"),
        ("date", "2016-02-30"),
        ("date", "2016-11-23T\0"),
        ("flattened", []),
        ("flattened", "text"),
        ("object", []),
        ("object", 1),
    ],
)
def test_an_unfitting_value_costs_its_field(name, value):
    assert fitted({name: value, "other": 1}) == ({"other": 1}, [name])


def test_an_unfitting_value_within_an_object_costs_only_that_field():
    assert fitted({"object": {"long": "x", "other": 1}}) == ({"object": {"other": 1}}, ["object.long"])


@pytest.mark.parametrize("name", ["", " ", "\t", ".", "a.b", "a.", 7, None])
def test_an_invalid_name_costs_its_field(name):
    assert fitted({name: 1, "object": {name: 1}}) == ({"object": {}}, ["*", "object.*"])


@pytest.mark.parametrize("name", ["a\0b", "n" * (FLATTENED_PATH + 1), "\u20ac" * (FLATTENED_PATH // 3 + 1), 7])
def test_a_name_that_a_flattened_field_cannot_have_costs_its_value(name):
    for within in (lambda value: value, lambda value: {"a": value}, lambda value: {"a": [[value]]}):
        value = within({name: 1, "b": 1})
        assert fitted({"flattened": value}) == ({"flattened": within({"b": 1})}, ["flattened.*"])


def test_in_a_flattened_field_the_whole_path_counts():
    half = "n" * (FLATTENED_PATH // 2)
    assert fitted({"flattened": {half: {half: 1, half[2:]: 1}}}) == (
        {"flattened": {half: {half[2:]: 1}}},
        ["flattened.*"],
    )


def test_a_list_of_any_depth_can_be_checked():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    kept, misfits = fitted({"keyword": deep, "flattened": {"a": deep}, "other": deep})
    assert list(kept) == ["flattened", "other"]
    assert misfits == ["keyword", "flattened.*"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(sorted(MAPPING)) | st.text(), anything))
def test_arguments_are_not_changed_and_the_result_fits(crash):
    before = copy.deepcopy(crash)
    once, _ = fitted(crash)
    assert crash == before
    assert fitted(once) == (once, [])
