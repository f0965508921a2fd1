"""Deep stacks on the page of a crash: most of them is folded away, and all of it is there."""

from __future__ import annotations

from typing import Any

import pytest

from socorro_processor.report.walked_dump import WalkedDump
from socorro_processor.web.report.stack_view import FrameName, StackViewer
from tests.unit.cli.reports import frame, processed
from tests.unit.web.crash_pages import page_of, rows_of
from tests.unit.web.html_tree import Element


def stack_of(*frames: Any, **more: Any) -> Element:
    return page_of(processed(*frames, **more), {}, signer=None).one("section", id="stack")


def different_frames(number: int) -> list[dict[str, Any]]:
    return [frame(each, function=f"f{each}(int)") for each in range(number)]


def test_a_deep_stack_is_folded_after_a_hundred_rows_and_says_where_it_ends() -> None:
    stack = stack_of(*different_frames(500))
    (rest,) = stack.all("details")
    assert "open" not in rest.attributes
    assert rest.one("summary").text == "400 more lines, down to f499"
    assert len(rows_of(stack)) == 500
    assert rows_of(rest)[0] == "100 cfi f100(int) libcodec.so"


@pytest.mark.parametrize(("number", "folded"), [(100, 0), (119, 0), (120, 1)])
def test_a_few_rows_more_are_not_worth_a_fold(number: int, folded: int) -> None:
    assert len(stack_of(*different_frames(number)).all("details")) == folded


def test_runs_of_system_frames_above_the_fold_are_folded_on_their_own() -> None:
    system = [frame(each, function=f"poll_{each}", module="libc.so.6") for each in range(1, 10)]
    stack = stack_of(frame(function="main"), *system, *different_frames(200))
    assert [each.text for each in stack.all("summary")] == [
        "9 system frames: libc.so.6",
        "110 more lines, down to f199",
    ]


def test_a_frame_in_the_signature_is_never_below_the_fold() -> None:
    walked = WalkedDump(processed(*different_frames(300))["json_dump"])
    assert walked.crashing_thread is not None
    name: FrameName = ("1", 150, None)
    shown, rest = StackViewer(lambda _: "", {name: "why-0"}, frozenset([name])).crashing(walked.crashing_thread).runs
    assert (shown.summary, shown.rows[-1].function, shown.rows[-1].is_signed) == ("", "f150(int)", True)
    assert len(rest.rows) == 149


def test_another_deep_thread_is_folded_too() -> None:
    crash = processed(frame(function="f"))
    crash["json_dump"]["threads"][0]["frames"] = different_frames(300)
    (thread,) = [
        each for each in page_of(crash, {}).one("section", id="threads").all("details") if "id" in each.attributes
    ]
    assert len(rows_of(thread)) == 300
    (rest,) = thread.all("details")
    assert rest.one("summary").text == "200 more lines, down to f299"


def test_the_lines_of_a_long_java_stack_are_folded_too() -> None:
    lines = ["java.lang.Error: x", *(f"\tat a.B.c{number}(B.java:1)" for number in range(299))]
    java = page_of(processed(java_stack_trace="\n".join(lines)), {}).one("section", id="java")
    assert java.one("details").one("summary").text == "200 more lines"
    assert [line.strip() for each in java.all("pre") for line in "".join(map(str, each.content)).splitlines()] == [
        line.strip() for line in lines
    ]
