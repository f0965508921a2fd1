from __future__ import annotations

import copy
import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.crashstorage.redactor import Redactor
from socorro_processor.crashstorage.reduction import Reduction, read_schema
from socorro_processor.crashstorage.telemetry import default_schema
from socorro_processor.errors import ConfigurationError
from socorro_processor.fields import FIELDS

THREAD = {"type": "object", "properties": {"frames": {"type": "array", "items": {"$ref": "#/definitions/frame"}}}}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "count": {"type": "integer"},
        "share": {"type": "number"},
        "flag": {"type": ["boolean", "null"]},
        "names": {"type": "array", "items": {"type": "string"}},
        "mixed": {"type": ["string", "array"], "items": {"type": ["integer", "null"]}},
        "thread": THREAD,
        "threads": {"type": "array", "items": THREAD},
    },
    "definitions": {"frame": {"type": "object", "properties": {"function": {"type": "string"}}}},
}


def reduction_to(directory: Path, schema: object) -> Reduction:
    path = directory / "schema.json"
    path.write_text(schema if isinstance(schema, str) else json.dumps(schema))
    return read_schema(path)


@pytest.fixture
def reduction(tmp_path: Path) -> Reduction:
    return reduction_to(tmp_path, SCHEMA)


def test_names_that_the_schema_does_not_have_are_left_out_however_deep(reduction):
    frame = {"function": "main", "registers": {"rax": "0x1"}}
    crash = {
        "text": "a",
        "other": 1,
        "thread": {"frames": [frame, {}], "stack": "x"},
        "threads": [{"frames": [frame]}, {"stack": "x"}],
    }
    before = copy.deepcopy(crash)
    assert reduction.reduce(crash) == {
        "text": "a",
        "thread": {"frames": [{"function": "main"}, {}]},
        "threads": [{"frames": [{"function": "main"}]}, {}],
    }
    assert crash == before


@pytest.mark.parametrize(
    ("name", "kept", "left_out"),
    [
        ("text", ["", "a", datetime.datetime(2016, 11, 23)], [1, None, True, {"url": "x"}, ["x"], b"x", object()]),
        ("count", [0, -1, 2**70], [1.5, True, "1", None, [1]]),
        ("share", [0, 1.5], [True, "1", None]),
        ("flag", [True, False, None], [0, "true", [], {}]),
        ("names", [[], ["a", "b"]], ["a", {"a": "b"}, None]),
        ("mixed", ["a", [1, None]], [1, None, {"a": "b"}]),
        ("thread", [{}, {"frames": []}], ["main", [], None, 1]),
    ],
)
def test_values_of_another_type_are_left_out(reduction, name, kept, left_out):
    for value in kept:
        assert reduction.reduce({name: value}) == {name: value}
    for value in left_out:
        assert reduction.reduce({name: value}) == {}


def test_items_of_another_type_are_left_out_of_an_array(reduction):
    crash = {
        "names": ["a", 1, None, {"url": "x"}, ["x"], "b"],
        "threads": [{"frames": [None, {"function": "main"}]}, 7],
    }
    assert reduction.reduce(crash) == {"names": ["a", "b"], "threads": [{"frames": [{"function": "main"}]}]}


NAMES = st.sampled_from([*SCHEMA["properties"], "frames", "function", "url"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)


@given(crash=st.dictionaries(NAMES, JSON, max_size=5))
def test_only_named_fields_come_through_whatever_is_in_a_crash(tmp_path_factory, crash):
    reduction = reduction_to(tmp_path_factory.getbasetemp(), SCHEMA)
    report = reduction.reduce(crash)
    assert names(report) <= {*SCHEMA["properties"], "frames", "function"}
    assert {"frames", "function"}.isdisjoint(report)
    assert reduction.reduce(report) == report


def names(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(names, value.values()))
    return set().union(*map(names, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("{", "not JSON"),
        ("[]", "#: an object was expected"),
        ({"type": "array", "items": {"type": "string"}}, "#: a crash report is an object"),
        ({"type": ["object", "null"], "properties": {"a": {"type": "string"}}}, "#: a crash report is an object"),
        ({"type": "object"}, "#: an object needs properties"),
        ({"type": "object", "properties": {}}, "#: an object needs properties"),
        ({"type": "object", "properties": {"a": {}}}, "#/properties/a: type must be one or more of array"),
        ({"type": "object", "properties": {"a": {"type": "text"}}}, "#/properties/a: type must be"),
        ({"type": "object", "properties": {"a": {"type": []}}}, "#/properties/a: type must be"),
        ({"type": "object", "properties": {"a": {"type": [{}]}}}, "#/properties/a: type must be"),
        ({"type": "object", "properties": {"a": True}}, "#/properties/a: an object was expected"),
        ({"type": "object", "properties": {"a": {"type": "array"}}}, "#/properties/a/items: an object was expected"),
        ({"type": "object", "properties": {"a": {"$ref": "#/definitions/b"}}}, "nothing at #/definitions/b"),
        ({"type": "object", "properties": {"a": {"$ref": "http://example.com/x"}}}, "nothing at http://example.com/x"),
        ({"type": "object", "properties": {"a": {"$ref": 7}}}, "nothing at 7"),
        ({"type": "object", "properties": {"a": {"$ref": "#/properties/a"}}}, "it refers to itself"),
    ],
)
def test_an_unusable_schema_is_reported_with_the_place(tmp_path, schema, said):
    with pytest.raises(ConfigurationError) as raised:
        reduction_to(tmp_path, schema)
    assert said in str(raised.value)
    assert str(tmp_path / "schema.json") in str(raised.value)


def test_a_missing_schema_is_reported(tmp_path):
    with pytest.raises(ConfigurationError, match="nowhere"):
        read_schema(tmp_path / "nowhere")


def test_the_projects_own_schema_names_nothing_protected():
    private = Redactor.required_config.forbidden_keys.default.split(", ")
    protected = [field for field in FIELDS if field.is_protected]
    private += [name for field in protected for name in (field.name, f"json_dump.{field.json_dump}")]
    private += [name for field in protected for name in field.annotations]
    named = set(paths(read_schema(default_schema())))
    assert "json_dump.crashing_thread.frames.function" in named
    assert named.isdisjoint([*private, "URL", "Email", "Comments", "user_comments", "app_notes", "processor_notes"])
    assert not any(path.endswith((".registers", ".sensitive")) for path in named)


def paths(reduction: Reduction) -> Iterator[str]:
    """Yield all names, with dots."""
    for name, place in reduction.properties.items():
        yield name
        for inner in paths(place.items or place):
            yield f"{name}.{inner}"
