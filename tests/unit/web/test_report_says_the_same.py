"""The page, its plain text, its Markdown and ``socorro show`` say the same of every crash."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from socorro_processor.cli.main import main
from socorro_processor.report.crash_report import CrashReport
from socorro_processor.report.markdown_report import markdown_report
from socorro_processor.report.printed_report import Shown, plain_report
from socorro_processor.report.symbol_places import SymbolPlaces
from socorro_processor.report.walked_dump import WalkedDump, folded
from socorro_processor.web.pages.moments import with_moments
from tests.shared import SAMPLES, shared, stackwalker
from tests.unit.cli.reports import frame, processed
from tests.unit.web.crash_pages import page_of, rows_of
from tests.unit.web.html_tree import Element

REAL = (
    "android-arm",
    "linux-mini",
    "linux-x86_64",
    "macos-x86_64",
    "pipeline-inlines-macos-segv",
    "simple-crashpad",
    "test",
    "windows-x86_64",
)
ANYWHERE = SymbolPlaces()
MARKUP = "<script>alert(1)</script>\"'><b>&amp;{{7*7}}\u202egnp\x1b[31m\x00"


def hostile() -> dict[str, Any]:
    inlines = [{"function": MARKUP, "file": MARKUP, "line": 2}]
    crash = processed(
        frame(function=MARKUP, file=f"/a/{MARKUP}", line=1, inlines=inlines, trust="context"),
        frame(1, module=MARKUP, module_offset="0x1", trust="scan", missing_symbols=True),
        signature=MARKUP,
        earlier_signature=f"{MARKUP} before",
        reason=MARKUP,
        product=MARKUP,
        app_notes=f"{MARKUP}\n{MARKUP}",
        own_field=MARKUP,
        processor_notes=[MARKUP, "harmless"],
        mdsw_status_string=MARKUP,
        additional_minidumps=["browser"],
        browser={"mdsw_status_string": MARKUP},
        java_stack_trace=f"java.lang.Error: {MARKUP}\n\tat a.b.c(d.java:1)",
    )
    crash["json_dump"]["crashing_thread"]["thread_name"] = MARKUP
    return crash


MADE: dict[str, dict[str, Any]] = {
    "nothing": {"uuid": processed()["uuid"]},
    "a recursion": processed(*(frame(n, function="walk", file="w.c", line=1) for n in range(60))),
    "a hang": processed(frame(function="wait"), signature="shutdownhang | poll"),
    "no thread that crashed": processed() | {"json_dump": {"threads": [{"frames": [{"function": "poll"}]}]}},
    "no minidump": processed(
        json_dump={}, mdsw_status_string="unknown error", success=False, processor_notes="there is no minidump (x)"
    ),
    "a cut minidump": processed(
        json_dump={}, mdsw_status_string="MissingDirectory", signature="EMPTY: no frame data available"
    ),
    "a module of the kernel": processed(
        frame(module="linux-vdso.so.1", module_offset="0x1", missing_symbols=True), frame(1, module_offset="0x2")
    ),
    "no stack": processed(json_dump=None, mdsw_status_string="ERROR_NO_MINIDUMP", success=False),
    "own fields": processed(frame(function="f"), own_field="seven", other={"a": 1}),
    "a truncated stack": processed(frame(function="f"), frame(1, function="g")),
    "hostile": hostile(),
}
MADE["a truncated stack"]["json_dump"]["crashing_thread"] |= {"frames_truncated": True, "total_frames": 900}


@cache
def processed_crash(dump: Path) -> dict[str, Any]:
    """Process a minidump with the symbols that there are for it."""
    stackwalker()
    annotations = dump.with_name("raw_crash.json")
    words = ["process", str(dump), "--json", f"--symbols={shared('symbols')}", f"--symbols={SAMPLES / 'symbols'}"]
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        assert main([*words, *([f"--raw-crash={annotations}"] if annotations.exists() else [])], {}) == 0
    crash: dict[str, Any] = json.loads(output.getvalue())
    return crash


def crash_called(name: str) -> dict[str, Any]:
    if name in MADE:
        return MADE[name]
    directory = SAMPLES / name if name in ("segfault", "abort") else shared("crashes") / name
    return processed_crash(directory / "upload_file_minidump.dmp")


crashes = pytest.mark.parametrize("name", [*REAL, "segfault", "abort", *MADE])


def words(text: str) -> str:
    return " ".join(text.split())


def shown_text(crash: dict[str, Any], places: SymbolPlaces = ANYWHERE) -> str:
    """Return what ``socorro show`` prints of a crash, with nothing left out."""
    return "".join(plain_report(CrashReport(crash, places=places), Shown(True, True, True, all_lines=True)))


def head_of(text: str) -> list[tuple[str, str]]:
    """Return labels and values at the beginning of a report."""
    lines = text.partition("\n\n")[0].splitlines()
    return [(line[:13].strip(), words(line[14:])) for line in lines]


def stack_of(text: str, title: str) -> list[str]:
    """Return the lines of a thread's frames, and of the rounds left out of a recursion."""
    lines = iter(text.splitlines())
    assert any(line.startswith(title) for line in lines), title
    found = []
    for line in lines:
        if not re.match(r" *\d+  |  +\.\.\. th", line):
            break
        found.append(words(line))
    return found


def has_started(rows: list[str], lines: list[str]) -> bool:
    """Return True if the rows are the first of the lines; the page may cut a very long text."""
    cut = [row.partition("… (")[0] for row in rows]
    return len(rows) <= len(lines) and all(
        line == row or (row != full and line.startswith(row)) for row, full, line in zip(cut, rows, lines, strict=False)
    )


@crashes
def test_every_fact_is_on_the_page(name: str) -> None:
    crash = crash_called(name)
    head = page_of(crash).one("header", class_="crash")
    facts = head_of(shown_text(crash))
    in_list = list(_pairs(head))
    assert [label for label, _ in facts][:2] == ["crash", "signature"]
    for label, value in facts:
        if (label, value) == ("signature", "(none)"):
            assert head.one("h1").text == "Crash without a signature"
        elif label in ("crash", "signature", "changed from"):
            assert value in head.text, label
        else:
            shown = with_moments(value) if label in ("crashed", "submitted", "processed") else value
            assert (label or "meaning", shown) in in_list


def _pairs(head: Element) -> Iterator[tuple[str, str]]:
    label = ""
    for each in head.one("div", class_="facts").all():
        if each.tag == "dt":
            label = each.text
        elif each.tag == "dd":
            yield label, each.text
            label = ""


@crashes
def test_the_stacks_have_the_same_frames(name: str) -> None:
    crash = crash_called(name)
    text, page = shown_text(crash), page_of(crash)
    number = 0
    for section in page.all("section"):
        titles = [each for each in section.all(class_="thread") if each.tag in ("h2", "h3")]
        stacks = section.all("div", class_="stack") if titles else []
        for title, stack in zip(titles, stacks, strict=True):
            assert rows_of(stack) == stack_of(text, title.text.partition(":")[0])
            number += 1
    walked = next((dump.walked for dump in CrashReport(crash).dumps()), None)
    others = [each for section in page.all("section", id="threads") for each in section.all("details")]
    assert number + len(others) == (walked.thread_count if walked else 0)
    for details in others:
        name_of_thread = details.one("span", class_="name").text
        rows, lines = rows_of(details), stack_of(text, f"{name_of_thread}: ")
        assert has_started(rows, lines), name_of_thread
        left_out = len(_frames(walked, details.attributes["id"])) - sum(map(_number_of_frames, rows))
        more = [each.text for each in details.all("p", class_="more")]
        assert (left_out > 0) == bool(more)
        assert not more or more[0].startswith(f"{left_out} more line")


def _frames(walked: WalkedDump | None, anchor: str) -> tuple[Any, ...]:
    assert walked is not None
    number = anchor.rpartition("-")[2]
    return next(thread.frames for thread in walked.other_threads() if thread.number == number)


def _number_of_frames(row: str) -> int:
    fold = re.fullmatch(r"\.\.\. th(?:is line|ese (\d+) lines) (\d+) times more \.\.\.", row)
    return int(fold[1] or 1) * int(fold[2]) if fold else 1


@crashes
def test_the_modules_are_the_same(name: str) -> None:
    crash = crash_called(name)
    text, page = shown_text(crash), page_of(crash)
    lines = text.partition("\nmodule ")[2].partition("\n\n")[0].splitlines()[1:]
    rows = [
        [cell.text for cell in row.all() if cell.tag in ("th", "td")]
        for table in page.all("table", class_="modules")
        for row in table.one("tbody").all("tr")
    ]
    in_order = [(name, version, debug_id, symbols) for name, symbols, version, debug_id, *_ in rows]
    assert [" ".join(cell or "-" for cell in row) for row in in_order] == [words(line) for line in lines]


@crashes
def test_what_is_missing_and_what_to_do_is_the_same(name: str) -> None:
    crash = crash_called(name)
    places = SymbolPlaces(("/srv/symbols",), server="http://crashes.example.com")
    text, page = shown_text(crash, places), page_of(crash, origin=places.server, places=places).text
    lines = [
        line
        for line in text.splitlines()
        if line.startswith(("scan?:", "module@0x", "No symbols", "No crashing", "No stack"))
    ]
    for line in lines:
        assert words(line.replace("; --all-threads shows them", "")) in page
    advice = re.findall(r"^(?:To add symbols,|  curl|Or upload) .*", text, re.MULTILINE)
    assert len(advice) in (0, 3)
    assert all(words(line) in page for line in advice)
    assert "socorro " not in text


@crashes
def test_registers_java_own_fields_and_notes_are_the_same(name: str) -> None:
    crash = crash_called(name)
    text, page = shown_text(crash), page_of(crash)
    registers = text.partition("\nRegisters of its topmost frame\n")[2].partition("\n\n")[0]
    assert words(registers) == words(" ".join(each.text for each in page.all("dl", class_="registers")))
    for title in ("Java stack", "Other", "Notes"):
        lines = re.findall(r"^  (.*)", text.partition(f"\n{title}\n")[2].partition("\n\n")[0], re.MULTILINE)
        shown = page.text
        assert all(words(line) in shown for line in lines)
        assert bool(lines) == any(heading.text == title for heading in page.all("h2")), title


@crashes
def test_markdown_has_every_fact_and_the_stack_that_crashed(name: str) -> None:
    crash = crash_called(name)
    text, markdown = shown_text(crash), markdown_report(CrashReport(crash))
    for label, value in head_of(text):
        assert value[:300] in words(markdown), label
    for dump in CrashReport(crash).dumps():
        if dump.walked is not None and dump.walked.crashing_thread is not None:
            first = list(folded(dump.walked.crashing_thread.frames))[:80]
            lines = stack_of(text, "Crashing thread")[: len(first)]
            assert all(line[:300] in words(markdown) for line in lines)


def test_the_command_prints_that_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from socorro_processor.configuration import defaults
    from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage

    crash = crash_called("segfault")
    store = FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(tmp_path)))
    store.save_processed(crash)
    store.close()
    flags = ["--all-threads", "--modules", "--registers"]
    assert main(["show", f"--resource.filesystem.root={tmp_path}", crash["uuid"], *flags], {}) == 0
    # The configuration of the command has a directory of symbols, and so other advice.
    printed, text = (
        re.sub(r"^(Once|To add).*", "", each, flags=re.M) for each in (capsys.readouterr().out, shown_text(crash))
    )
    assert printed.replace("  socorro symbols add PROGRAM\n", "") == text


def headings(page: Element) -> list[str]:
    return [each.tag for each in page.all() if each.tag in ("h1", "h2", "h3")]


@crashes
def test_headings_have_an_order_tables_have_scopes_and_anchors_are_unique(name: str) -> None:
    page = page_of(crash_called(name))
    levels = headings(page)
    assert levels.count("h1") == 1
    assert levels[0] == "h1"
    assert all(int(after[1]) - int(before[1]) <= 1 for before, after in pairwise(levels))
    assert all(cell.attributes["scope"] in ("col", "row") for cell in page.all("th"))
    anchors = [each.attributes["id"] for each in page.all() if "id" in each.attributes]
    assert len(set(anchors)) == len(anchors)
    links = [link.attributes["href"][1:] for link in page.all("a") if link.attributes["href"].startswith("#")]
    assert set(links) <= set(anchors)
