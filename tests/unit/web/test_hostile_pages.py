"""Crashes with any content: none can break the page, put markup into it, or hide a character."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from socorro_processor.report.crash_report import CrashReport
from socorro_processor.report.markdown_report import LONGEST, markdown_report
from tests.unit.cli.reports import frame, processed
from tests.unit.cli.test_hostile_reports import SPOILERS, hostile_crashes, hostile_values, spoilt
from tests.unit.web.crash_pages import EVERYTHING, NOTHING, html_of
from tests.unit.web.html_tree import read_html

ELEMENTS = re.compile(
    "a|b|body|br|button|code|col|colgroup|dd|details|div|dl|dt|em|footer|form|h[123]|head|header|html|i|input|li|link|main|meta|nav|ol"
    "|p|pre|script|section|small|span|strong|summary|table|tbody|td|th|thead|title|tr|ul"
)
"""All elements of the page's templates."""
ATTRIBUTES = re.compile(
    "action|aria-label|charset|class|content|defer|download|href|id|lang|method|name|open|rel|role|scope|src|start|title"
    "|type|value"
)
MARKUP = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "</td></table></main><form action=https://elsewhere.example>",
    "<!--",
    "]]>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "&lt;b&gt;&#60;",
]


def assert_harmless(html: str) -> None:
    """Fail if anything of a crash became a part of the page's structure."""
    assert all(line.isprintable() for line in html.split("\n"))
    html.encode()
    for each in read_html(html).walk():
        assert ELEMENTS.fullmatch(each.tag), each.tag
        assert all(map(ATTRIBUTES.fullmatch, each.attributes)), each.attributes
        for name in ("href", "src", "action"):
            address = each.attributes.get(name, "/")
            assert re.match(r"[/#](?!/)|https://(?:github\.com|gitlab\.com|hg\.mozilla\.org)/", address), address
        if each.tag == "script":
            assert each.content == []


def everywhere(text: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a crash and annotations with a text wherever there may be one."""
    inlines = [{"function": text, "file": f"git:github.com/{text}:{text}:{text}", "line": text}]
    crash = processed(
        frame(text, function=text, file=f"/rustc/{text}/{text}", line=text, inlines=inlines, trust=text),
        frame(1, module=text, module_offset=text, offset=text, trust="scan", registers={text: text}),
        **dict.fromkeys(("signature", "reason", "product", "version", "build", "email", "earlier_signature"), text),
        **{text: text},
        processor_notes=[text],
        additional_minidumps=[text, "browser"],
        browser={"mdsw_status_string": text},
        crash_report_keys=[text],
        java_stack_trace=text,
        processing={"algorithm": 2026, "processor_version": text, "durations": {text: 1}},
    )
    crash["json_dump"]["crashing_thread"]["thread_name"] = text
    crash["json_dump"]["threads"].append({"frames": [{"function": text}], "thread_name": text})
    crash["json_dump"]["modules"].append(
        dict.fromkeys(("filename", "version", "debug_id", "debug_file", "code_id"), text)
    )
    return crash, {text: text, "Comments": text, "AbortMessage": text, "JavaStackTrace": text}


@pytest.mark.parametrize("markup", MARKUP)
@pytest.mark.parametrize("viewer", [EVERYTHING, NOTHING], ids=["all", "public"])
def test_markup_wherever_it_stands_is_only_text(markup: str, viewer: Any) -> None:
    html = html_of(*everywhere(markup), viewer)
    assert_harmless(html)
    assert "alert(1)</script>" not in html


@pytest.mark.parametrize("hidden", ["\u202e", "\u2066", "\x1b[2J", "\x00", "\x9b", "\u200b", "\ud800", "\U000e0041"])
def test_a_character_that_cannot_be_seen_is_shown_as_its_code(hidden: str) -> None:
    html = html_of(*everywhere(f"a{hidden}b"))
    assert_harmless(html)
    assert f"a{hidden.encode('unicode_escape').decode()}b" in html


@pytest.mark.parametrize("spoiler", SPOILERS, ids=range(len(SPOILERS)))
def test_one_hostile_value_wherever_it_stands_breaks_no_page(spoiler: Any) -> None:
    inlines = [{"function": "g", "file": "hg:hg.mozilla.org/a:b.h:c", "line": 2}]
    crash = processed(
        frame(function="f", file="/rustc/a/b.rs", line=1, inlines=inlines, registers={"rax": "0x0"}),
        frame(2, module="libc.so.6", module_offset="0x2", trust="scan", missing_symbols=True),
        additional_minidumps=["flash"],
        flash={"mdsw_status_string": "ERROR", "json_dump": None},
        java_stack_trace="Error",
        crash_report_keys=["log"],
        earlier_signature="x",
    )
    crash["json_dump"]["crashing_thread"] |= {"frames_truncated": True, "total_frames": 3}
    crashes = [other for other in spoilt(crash, spoiler) if isinstance(other, dict)]
    assert len(crashes) > 60
    for other in crashes[:: max(1, len(crashes) // 60)]:
        assert_harmless(html_of({**other, "uuid": crash["uuid"]}, {}))


@given(hostile_crashes, st.dictionaries(st.text(), hostile_values, max_size=3))
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_whatever_a_crash_holds_its_page_and_markdown_are_harmless(crash: dict[str, Any], raw: dict[str, Any]) -> None:
    crash = {**crash, "uuid": processed()["uuid"]}
    assert_harmless(html_of(crash, raw))
    assert_harmless(html_of(crash, raw, NOTHING))
    markdown = markdown_report(CrashReport(crash))
    assert all(line.isprintable() for line in markdown.split("\n"))
    assert len(markdown) <= LONGEST
