from __future__ import annotations

import tracemalloc
from typing import Any

import msgpack
import pytest

from socorro_processor.collector.sentry_event import names_in_event

MANY = 900_000


@pytest.mark.parametrize(
    ("event", "names"),
    [
        ({}, {}),
        ({"release": "a@1", "environment": "beta"}, {"sentry[release]": "a@1", "sentry[environment]": "beta"}),
        ({"user": {"id": [1, {}]}, "release": "a@1", "level": None}, {"sentry[release]": "a@1"}),
        ({"release": "", "environment": 7}, {}),
        ({5: "a", b"release": "b", None: "c", "release": "d"}, {"sentry[release]": "d"}),
    ],
)
def test_only_the_names_of_the_program_are_read(event: dict[Any, Any], names: dict[str, str]) -> None:
    assert names_in_event(msgpack.packb(event)) == names


@pytest.mark.parametrize(
    "event",
    [
        b"",
        b"{}",
        b"\x90",
        b"\xc1",
        b"\xdf\xff\xff\xff\xff",
        b"\x81\xa1a" + b"\x91" * 10_000,
        b"\x81\xa7release\x91\xa1a",
        b"\x81\x81\xa1a\x01\x01",
        b"\x81\xa1a\xc7\x05\xff12345",
    ],
)
def test_an_event_that_cannot_be_read_names_nothing(event: bytes) -> None:
    assert names_in_event(event) == {}


def test_an_event_that_is_cut_names_what_came_before() -> None:
    event = msgpack.packb({"release": "a@1", "environment": "beta"})
    assert names_in_event(event[:-1]) == {"sentry[release]": "a@1"}


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(b"\x81\xa1a\xdd" + MANY.to_bytes(4) + b"\x90" * MANY, id="as a value"),
        pytest.param(b"\x81\xdd" + MANY.to_bytes(4) + b"\x90" * MANY + b"\x01", id="as a key"),
        pytest.param(b"\x81\xa7release\xdd" + MANY.to_bytes(4) + b"\x90" * MANY, id="as the release"),
    ],
)
def test_an_event_of_empty_arrays_takes_no_more_memory_than_its_bytes(event: bytes) -> None:
    tracemalloc.start()
    try:
        assert names_in_event(event) == {}
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * len(event)
