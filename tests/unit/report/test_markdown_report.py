"""Markdown of a report: nothing from a crash is markup, and it is short enough for a bug."""

from __future__ import annotations

import re

import pytest

from socorro_processor.report.crash_report import CrashReport
from socorro_processor.report.markdown_report import LONGEST, markdown_report
from tests.unit.cli.reports import CRASH_ID, frame, processed


def outside_code(markdown: str) -> str:
    """Return the text that is in no fenced block and no code span."""
    without_blocks = re.sub(r"^(`{3,})text\n.*?^\1$", "", markdown, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", "", without_blocks)


def test_it_begins_with_the_signature_and_has_facts_stack_symbols_and_notes() -> None:
    crash = processed(frame(function="decode", file="a.c", line=7), frame(1, module="libc.so.6", trust="scan"))
    lines = markdown_report(CrashReport(crash), "http://localhost/report/x").splitlines()
    assert lines[0] == "### `codec::decode`"
    for line in (
        f"crash         {CRASH_ID}",
        "**`Crashing thread 1, Decoder: 2 frames`**",
        "scan?: doubtful, guessed by scanning the stack (1 of 2 frames)",
        "No symbols for 1 of 2 modules of this stack:",
        "libc.so.6/C0FFEE0",
        "host:17",
        "The whole report: <http://localhost/report/x>",
    ):
        assert line in lines
    assert any(re.fullmatch(r" +0  cfi +decode +a\.c:7 +libcodec\.so", line) for line in lines)


@pytest.mark.parametrize(
    "hostile",
    [
        "# heading",
        "``` end of the block",
        "`````",
        "` one ` two `` three",
        "`",
        "<img src=x onerror=alert(1)>",
        "@everyone #1 ![x](http://elsewhere)",
        "a\n```\n# heading\n",
    ],
)
def test_nothing_from_a_crash_is_markup(hostile: str) -> None:
    crash = processed(
        frame(function=hostile, module=hostile, missing_symbols=True),
        signature=hostile,
        reason=hostile,
        processor_notes=[hostile],
        java_stack_trace=hostile,
        additional_minidumps=[hostile],
        mdsw_status_string=hostile,
        own=hostile,
    )
    crash["json_dump"]["crashing_thread"] |= {"thread_name": hostile, "frames_truncated": True, "total_frames": hostile}
    plain_crash = {**processed(), "signature": "s"}
    markdown = markdown_report(CrashReport(crash))
    outside = outside_code(markdown)
    for mark in ("heading", "img", "everyone", "end of", "one", "two", "three", "elsewhere", "`"):
        if mark in hostile and mark not in outside_code(markdown_report(CrashReport(plain_crash))):
            assert mark not in outside, outside


def test_a_very_long_report_is_cut_and_says_so() -> None:
    frames = [frame(n, function=f"{n}{'f' * 4000}") for n in range(500)]
    crash = processed(*frames, additional_minidumps=["a", "b", "c"], processor_notes=["n" * 3000] * 200)
    crash |= {name: {"json_dump": crash["json_dump"]} for name in "abc"}
    markdown = markdown_report(CrashReport(crash), "http://localhost/report/x")
    assert len(markdown) <= LONGEST
    assert "The rest is left out" in markdown
    assert markdown.endswith("<http://localhost/report/x>\n")
    assert markdown.count("```") % 2 == 0
