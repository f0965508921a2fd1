"""Deep stacks lose their middle, and say so."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from socorro_processor.stackwalk.deep_stacks import cut_deep_stacks, is_cut, is_cut_mark


def thread(count: int) -> dict[str, Any]:
    return {"frame_count": count, "frames": [{"frame": number} for number in range(count)]}


def numbers(thread: dict[str, Any]) -> list[int | str]:
    return [frame["truncated"]["msg"] if is_cut_mark(frame) else frame["frame"] for frame in thread["frames"]]


@pytest.mark.parametrize(("count", "said"), [(501, "1 frames truncated"), (10_000, "9,500 frames truncated")])
def test_of_a_deep_stack_the_first_and_the_last_250_frames_stay(count: int, said: str) -> None:
    json_dump = {"threads": [thread(3), thread(count)], "crashing_thread": thread(count)}
    cut_deep_stacks(json_dump)
    for deep in (json_dump["threads"][1], json_dump["crashing_thread"]):
        assert numbers(deep) == [*range(250), said, *range(count - 250, count)]
        assert is_cut(deep)
        assert deep["frame_count"] == count
    assert json_dump["threads"][0] == thread(3)


def test_a_stack_of_500_frames_stays_as_it_is() -> None:
    json_dump = {"threads": [thread(500)], "crashing_thread": thread(500)}
    before = copy.deepcopy(json_dump)
    cut_deep_stacks(json_dump)
    assert json_dump == before


def test_a_stack_that_was_cut_is_not_cut_again() -> None:
    json_dump = {"threads": [thread(10_000)]}
    cut_deep_stacks(json_dump)
    once = copy.deepcopy(json_dump)
    cut_deep_stacks(json_dump)
    assert json_dump == once


@pytest.mark.parametrize(
    "json_dump",
    [None, [], {}, {"threads": None}, {"threads": [None, {"frames": 3}]}, {"crashing_thread": {"frames": {}}}],
)
def test_what_is_no_stack_is_left_alone(json_dump: Any) -> None:
    before = copy.deepcopy(json_dump)
    cut_deep_stacks(json_dump)
    assert json_dump == before
