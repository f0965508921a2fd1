"""Missing symbols on the page of a crash, and on its other forms: which there are, and what a reader can do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from socorro_processor.report.symbol_places import SymbolPlaces
from socorro_processor.web.report.report_downloads import report_markdown, report_text
from socorro_processor.web.report.report_page import report_page
from tests.unit.cli.reports import CRASH_ID, frame, processed
from tests.unit.web.crash_pages import EVERYTHING, OneCrash, page_of, pages, sources
from tests.unit.web.html_tree import Element, read_html
from tests.unit.web.test_report_page import WithoutDumps

ORIGIN = "https://crashes.example.com"
CURL = f"curl --fail-with-body -F symbols=@PROGRAM {ORIGIN}/symbols"
PLACES = SymbolPlaces(("/srv/symbols",), working_directory="/srv")
CRASH = processed(frame(module="libc.so.6", module_offset="0x1"))


def note_of(page: Element) -> Element:
    return page.one("div", role="note")


def test_the_page_names_the_modules_and_what_a_reader_without_a_shell_on_the_server_can_do() -> None:
    note = note_of(page_of(CRASH, {}, places=PLACES, origin=ORIGIN))
    assert "libc.so.6/C0FFEE0" in note.text
    assert note.one("pre").text == CURL
    assert f"{ORIGIN}/symbols" in [link.attributes["href"] for link in note.all("a")]
    assert "Then press Process again" in note.text
    assert "socorro " not in note.text


def test_a_server_without_a_symbol_store_offers_no_upload() -> None:
    note = note_of(page_of(CRASH, {}, origin=ORIGIN))
    assert note.all("pre") == []
    assert "Once a symbol store has them: press Process again" in note.text


def test_who_may_not_process_a_crash_again_is_not_told_to() -> None:
    viewer = replace(EVERYTHING, permissions=EVERYTHING.permissions - {"actions"})
    page = page_of(CRASH, {}, viewer, places=PLACES, origin=ORIGIN)
    assert CURL in page.text
    assert "Process again" not in page.text


def test_a_crash_that_cannot_be_processed_again_only_names_what_is_missing() -> None:
    asked = sources(WithoutDumps(CRASH, {}), places=PLACES)
    note = note_of(read_html(report_page(pages(), asked, CRASH_ID, EVERYTHING, origin=ORIGIN).html))
    assert "libc.so.6/C0FFEE0" in note.text
    assert "curl" not in note.text


def test_plain_text_and_markdown_of_a_server_have_no_commands_for_its_terminal() -> None:
    asked = sources(OneCrash(CRASH), places=PLACES)
    text = "".join(report_text(asked, CRASH_ID, EVERYTHING, ORIGIN))
    assert "\n  libc.so.6/C0FFEE0\nTo add symbols, send the program" in text
    assert f"\n  {CURL}\n" in text
    assert "socorro " not in text
    markdown = report_markdown(asked, CRASH_ID, EVERYTHING, ORIGIN)
    assert "libc.so.6/C0FFEE0" in markdown
    assert "socorro " not in markdown


@pytest.mark.parametrize("status", ["HeaderMismatch", "unknown error"])
def test_the_text_of_a_dump_that_cannot_be_walked_has_no_command_to_fetch_it(status: str) -> None:
    asked = sources(OneCrash(processed(json_dump={}, mdsw_status_string=status)), places=PLACES)
    assert "socorro fetch" not in "".join(report_text(asked, CRASH_ID, EVERYTHING, ORIGIN))


def test_symbols_of_a_module_of_the_kernel_are_not_asked_for() -> None:
    crash = processed(frame(module="linux-vdso.so.1", module_offset="0x1", missing_symbols=True))
    kernel = {"filename": "linux-vdso.so.1", "debug_file": "linux-vdso.so.1", "debug_id": "A" * 33}
    crash["json_dump"]["modules"].append(kernel | {"missing_symbols": True})
    page = page_of(crash, {}, places=PLACES, origin=ORIGIN)
    assert page.all("div", role="note") == []
    assert not [link for link in page.all("a") if "vdso" in link.attributes["href"]]
    assert page.one("section", id="stack").one("td", class_="source").text == "of the kernel"
