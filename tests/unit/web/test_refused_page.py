"""/refused says why no reports arrive: for every reason that the collector has, what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import socorro_processor
from socorro_processor.collector.refused import RefusedUpload
from socorro_processor.web.pages.address import read_address
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.refused.refused_page import ADVICE, advice_on, refused_page
from socorro_processor.web.search.search_page import search_page
from tests.unit.web.crash_pages import EVERYTHING, pages
from tests.unit.web.html_tree import Element, read_html
from tests.unit.web.signature_crashes import crashes_in

ORIGIN = "http://127.0.0.1:8000"
PACKAGE = Path(socorro_processor.__file__).parent


def upload(code: str = "malformed_cut", words: str = "it was cut", client: str = "192.0.2.1 Agent/1") -> RefusedUpload:
    return RefusedUpload("2026-12-02T20:15:00+00:00", 400, code, words, 2048, client)


def page_of(*uploads: RefusedUpload, chosen: str = "", has_crashes: bool = False) -> Element:
    return read_html(refused_page(Pages(), uploads, chosen, ORIGIN, lambda: has_crashes).html)


def rows_of(page: Element, table: int) -> list[str]:
    return [row.text for row in page.all("table")[table].one("tbody").all("tr")]


def test_refused_uploads_are_counted_by_reason_and_listed_in_their_order_with_size_and_client():
    uploads = [upload(), upload("malformed_gzip", "damaged"), upload(client="192.0.2.2 Other")]
    page = page_of(*uploads)
    counted = rows_of(page, 0)
    assert [row.split()[:2] for row in counted] == [["2", "malformed_cut"], ["1", "malformed_gzip"]]
    listed = rows_of(page, 1)
    assert ["192.0.2.1" in row for row in listed] == [True, True, False]
    assert listed[0] == "2026-12-02 20:15:00 400 malformed_cut it was cut 2 kB 192.0.2.1 Agent/1"


def test_one_reason_can_be_chosen_and_a_reason_that_is_not_there_shows_all():
    uploads = [upload(), upload("malformed_gzip")]
    assert len(rows_of(page_of(*uploads, chosen="malformed_gzip"), 1)) == 1
    assert len(rows_of(page_of(*uploads, chosen="no such reason"), 1)) == 2


def test_the_texts_of_a_client_are_shown_as_text():
    hostile = "<script>alert(1)</script>\u202e\x00"
    page = page_of(upload(words=hostile, client=hostile))
    assert [each.attributes.get("src", "").partition("?")[0] for each in page.all("script")] == ["/static/page.js"]
    assert rows_of(page, 1)[0].count("<script>alert(1)</script>\\u202e\\x00") == 2


def test_without_a_refusal_and_without_a_crash_the_page_says_how_to_try_the_way_in():
    assert f"{ORIGIN}/submit" in page_of().one("pre").text


def test_without_a_refusal_but_with_crashes_it_says_where_else_to_look():
    page = page_of(has_crashes=True)
    assert page.all("pre") == []
    assert "do not reach this server" in page.text


@pytest.mark.parametrize("uploads", [[], [upload()]], ids=["none", "one"])
def test_it_leads_to_the_crashes_that_were_taken_with_a_minidump_that_could_not_be_walked(uploads, tmp_path):
    (link,) = (
        each.attributes["href"]
        for each in page_of(*uploads, has_crashes=True).all("a")
        if "could not be walked" in each.text
    )
    path, _, query = link.partition("?")
    with crashes_in(tmp_path / "search") as crashes:
        crashes.save(mdsw_status_string="OK")
        damaged = {crashes.save(mdsw_status_string=each) for each in ("EmptyMinidump", "MissingHeader")}
        answer = search_page(pages(), crashes.sources, read_address(path, query.encode()), EVERYTHING)
    assert answer.status == 200
    reports = {each.attributes.get("href", "") for each in read_html(answer.html).one("main").all("a")}
    assert {each.removeprefix("/report/") for each in reports if each.startswith("/report/")} == damaged
    for status in ("EmptyMinidump", "MissingHeader"):
        assert status in read_html(answer.html).one("table", class_="found").text


def codes_of_the_source() -> set[str]:
    """Return the codes that the collector and /submit give, as they are written in the source."""
    files = [*PACKAGE.joinpath("collector").glob("*.py"), PACKAGE / "web" / "submit" / "submit.py"]
    source = "\n".join(path.read_text() for path in files)
    codes = {f"malformed_{code}" for code in re.findall(r'malformed\(\s*"(\w+)"', source)}
    codes |= {f"too_large_{limit}" for limit in re.findall(r'too_large\(\s*"(\w+)"', source)}
    codes |= set(re.findall(r'Refused\(\d+, "(\w+)"', source)) | set(re.findall(r'_BrokenOff\(\s*"(\w+)"', source))
    return codes | {"spool_full", "spool_failing"}


def test_each_code_of_a_refusal_has_advice():
    codes = codes_of_the_source()
    assert len(codes) > 20
    assert [code for code in sorted(codes) if not advice_on(code)] == []


@pytest.mark.parametrize("code", sorted(ADVICE))
def test_each_advice_is_for_a_code_that_there_is(code):
    assert any(each == code or each.startswith(f"{code}_") for each in codes_of_the_source())
