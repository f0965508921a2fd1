"""Deep stacks lose their middle, and say so."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.stackwalk.deep_stacks import DeepStackCutter, cut_deep_stacks, is_cut, is_cut_mark

MISLEADING = '"frames":[{"frames":[],}]\\'


def thread(count: int) -> dict[str, Any]:
    return {"frame_count": count, "frames": [{"frame": number} for number in range(count)]}


def numbers(thread: dict[str, Any]) -> list[int | str]:
    return [frame["truncated"]["msg"] if is_cut_mark(frame) else frame["frame"] for frame in thread["frames"]]


@pytest.mark.parametrize(("count", "said"), [(501, "1 frames truncated"), (10_000, "9,500 frames truncated")])
def test_the_first_and_the_last_250_frames_of_a_deep_stack_stay(count: int, said: str) -> None:
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
def test_a_value_that_is_not_a_stack_is_left_alone(json_dump: Any) -> None:
    before = copy.deepcopy(json_dump)
    cut_deep_stacks(json_dump)
    assert json_dump == before


# While they are printed


def frame(number: int) -> dict[str, Any]:
    inlines = [{"function": f"{MISLEADING}<T>::f({{[", "line": None}] if number % 3 else None
    unloaded = [{"module": "a.dll", "offsets": ["0x1", "0x2"]}]
    return {"frame": number, "function": MISLEADING, "inlines": inlines, "unloaded_modules": unloaded}


def printed(*counts: int, indent: int | None = None) -> bytes:
    threads = [{"frames": list(map(frame, range(count))), "name": MISLEADING} for count in counts]
    return json.dumps({"crashing_thread": threads[-1], "proc": MISLEADING, "threads": threads}, indent=indent).encode()


def kept(printed: bytes, size: int) -> bytes:
    cutter = DeepStackCutter()
    pieces = [printed[at : at + size] for at in range(0, len(printed), size)]
    return b"".join([*map(cutter.feed, pieces), cutter.end()])


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("size", [7, 1000, 1 << 20])
def test_stacks_are_cut_in_the_same_way_while_they_are_printed(size: int, indent: int | None) -> None:
    whole = printed(0, 1, 250, 251, 500, 501, 1300, indent=indent)
    expected = json.loads(whole)
    cut_deep_stacks(expected)
    cut = json.loads(kept(whole, size))
    assert cut == expected
    cut_deep_stacks(cut)
    assert cut == expected


@pytest.mark.parametrize("count", [10, 500])
def test_output_that_needs_no_cut_is_kept_unchanged_while_it_is_printed(count: int) -> None:
    whole = printed(0, count, indent=1)
    assert kept(whole, 100) == whole


def test_only_a_bounded_part_of_an_endless_stack_is_kept() -> None:
    cutter = DeepStackCutter()
    size = len(cutter.feed(b'{"threads": [{"frames": [{"frame": 0}'))
    for _ in range(100):
        size += len(cutter.feed(b', {"frame": 1}' * 1000))
    assert size < 500 * len(b', {"frame": 1}')
    assert cutter.end().count(b"frame") < 300


@pytest.mark.parametrize(
    "frames", ["null, " * 99 + "null", "[[[[[[[[]]]]]]]]", f'{{"function": "{"x" * 200_000}"}}', "}"]
)
def test_output_that_is_not_a_stack_is_kept_unchanged_while_it_is_printed(frames: str) -> None:
    whole = f'{{"threads": [{{"frames": [{frames}], "frames": [7]}}]}}{"x" * 200_000}'.encode()
    assert kept(whole, 4096) == whole


def test_frames_that_are_too_large_are_not_held_back() -> None:
    frames = ",".join([f'{{"module": "{"x" * 100_000}"}}'] * 600)
    whole = f'{{"threads": [{{"frames": [{frames}]}}]}}'.encode()
    assert DeepStackCutter().feed(whole) == whole


tokens = st.sampled_from(
    ['"frames"', ":", "[", "]", "{", "}", ",", '"', "\\", " ", "\n", "1", '{"a": [1]}', ', {"b": {}}']
)


@given(st.lists(tokens, max_size=30).map("".join), st.integers(1, 20))
def test_output_that_is_not_json_is_kept_whole_while_it_is_printed(text: str, size: int) -> None:
    assert kept(text.encode(), size) == text.encode()
