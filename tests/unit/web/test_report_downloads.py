"""The other forms of a crash's page: text, Markdown, JSON, dumps."""

from __future__ import annotations

import json

import pytest

from socorro_processor.errors import CrashIDNotFound, DumpsRemoved, InvalidCrashID, PermanentStorageError
from socorro_processor.report.crash_report import CrashReport
from socorro_processor.report.printed_report import Shown, plain_report
from socorro_processor.web.pages.answer import status_of
from socorro_processor.web.report.report_downloads import (
    dump_download,
    processed_json,
    raw_json,
    report_markdown,
    report_text,
)
from tests.unit.cli.reports import CRASH_ID, frame, processed
from tests.unit.web.crash_pages import EVERYTHING, NOTHING, OneCrash, sources

CRASH = processed(
    frame(function="f", registers={"rax": "0x5ec7e7"}), processing={"algorithm": 2026}, email="a@example.com"
)
RAW = {"ProductName": "Player", "Email": "a@example.com"}
STORE = OneCrash(CRASH, RAW, {"upload_file_minidump": b"MDMP", "log": b"<b>"})


def test_the_plain_text_is_the_whole_report() -> None:
    text = "".join(report_text(sources(STORE), f"bp-{CRASH_ID}", EVERYTHING))
    assert text == "".join(plain_report(CrashReport(CRASH), Shown(True, True, True, all_lines=True)))
    assert "rax  0x5ec7e7" in text


def test_a_long_stack_is_whole_in_the_plain_text() -> None:
    crash = processed(*(frame(n, function=f"step_{n}") for n in range(500)))
    text = "".join(report_text(sources(OneCrash(crash)), CRASH_ID, EVERYTHING))
    assert all(f"  step_{n} " in text for n in range(500))


def test_no_form_has_what_the_viewer_may_not_see() -> None:
    given = sources(STORE)
    forms = (
        "".join(report_text(given, CRASH_ID, NOTHING)),
        report_markdown(given, CRASH_ID, NOTHING),
        processed_json(given, CRASH_ID, NOTHING).content.decode(),
        raw_json(given, CRASH_ID, NOTHING).content.decode(),
    )
    for form in forms:
        assert "Player" in form
        assert "5ec7e7" not in form
        assert "a@example.com" not in form


def test_markdown_links_to_the_page() -> None:
    markdown = report_markdown(sources(STORE), CRASH_ID, EVERYTHING, "http://127.0.0.1:8000")
    assert markdown.endswith(f"<http://127.0.0.1:8000/report/{CRASH_ID}>\n")


def test_json_is_the_crash_in_ascii() -> None:
    crash = CRASH | {"signature": "\u202e<script>\ud800"}
    download = processed_json(sources(OneCrash(crash)), CRASH_ID, EVERYTHING)
    assert download.content.isascii()
    assert json.loads(download.content)["json_dump"] == CRASH["json_dump"]
    assert (download.file_name, download.content_type) == (f"{CRASH_ID}.json", "application/json")


def test_annotations_are_json_too() -> None:
    download = raw_json(sources(STORE), CRASH_ID, EVERYTHING)
    assert json.loads(download.content) == RAW


@pytest.mark.parametrize(("name", "file"), [("upload_file_minidump", "upload_file_minidump.dmp"), ("log", "log")])
def test_a_dump_is_a_file_of_bytes_whatever_it_holds(name: str, file: str) -> None:
    download = dump_download(sources(STORE), CRASH_ID, name)
    assert (download.file_name, download.content_type) == (f"{CRASH_ID}.{file}", "application/octet-stream")
    assert download.content in (b"MDMP", b"<b>")


@pytest.mark.parametrize("name", ["../x", "", "a/b", 'a"b', "a\r\nb", "raw_crash\0"])
def test_a_name_that_no_dump_has_reaches_no_store(name: str) -> None:
    class Unasked(OneCrash):
        def get_raw_dump(self, crash_id: str, name: str | None = None) -> bytes:
            raise AssertionError("the store was asked")

    with pytest.raises(PermanentStorageError):
        dump_download(sources(Unasked()), CRASH_ID, name)


def test_of_a_dump_that_was_removed_it_is_said_why() -> None:
    class WithoutDumps(OneCrash):
        def dumps_removed(self, crash_id: str) -> str:
            return "on Monday, because <so>"

    with pytest.raises(DumpsRemoved, match="were removed on Monday, because <so>") as raised:
        dump_download(sources(WithoutDumps(CRASH, RAW)), CRASH_ID, "upload_file_minidump")
    assert status_of(raised.value) == (410, "The dump was removed")


def test_what_is_not_there_and_what_is_not_an_id_are_errors_as_of_stores() -> None:
    with pytest.raises(CrashIDNotFound):
        dump_download(sources(STORE), CRASH_ID, "other")
    with pytest.raises(InvalidCrashID):
        report_markdown(sources(STORE), "<script>", EVERYTHING)
