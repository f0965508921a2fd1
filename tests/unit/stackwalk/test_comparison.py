"""Two walks of the same dump, compared."""

import copy
from typing import Any

import pytest

from socorro_processor.stackwalk.comparison import OWN_KEY, comparable, first_difference


@pytest.mark.parametrize(
    ("got", "difference"),
    [
        ({"a": [{"b": 1, "c": None}]}, None),
        ({"a": [{"b": 2, "c": None}]}, ".a[0].b: 1 != 2"),
        ({"a": [{"b": 1.0, "c": None}]}, ".a[0].b: 1 != 1.0"),
        ({"a": [{"b": True, "c": None}]}, ".a[0].b: 1 != True"),
        ({"a": [{"b": 1}]}, ".a[0].c: None is missing"),
        ({"a": [{"b": 1, "c": None}], "d": "\x1b"}, ".d: '\\x1b' is not in the reference"),
        ({"a": []}, ".a: 1 entries != 0"),
        ([], ": {'a': [{'b': 1, 'c': None}]} != []"),
    ],
)
def test_the_first_difference_is_named_by_its_path(got, difference):
    assert first_difference({"a": [{"b": 1, "c": None}]}, got) == difference


WALK: dict[str, Any] = {
    "modules": [{"filename": "a", "cert_subject": "one"}],
    "proc_limits": {"limits": [{"name": "a"}, {"name": "b"}]},
    "threads": [{"frames": [{"frame": 0}]}],
    OWN_KEY: {"streams": []},
}


def test_values_that_change_with_each_walk_are_not_a_difference() -> None:
    other = copy.deepcopy(WALK)
    other["modules"][0]["cert_subject"] = "another"
    other["proc_limits"]["limits"].reverse()
    del other[OWN_KEY]
    unchanged = copy.deepcopy(other)
    assert first_difference(comparable(WALK), comparable(other)) is None
    assert other == unchanged
    other["threads"][0]["frames"][0]["frame"] = 1
    assert first_difference(comparable(WALK), comparable(other)) == ".threads[0].frames[0].frame: 0 != 1"
