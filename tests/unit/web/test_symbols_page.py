"""/symbols says which symbol files crashes miss, what is held, and what mends it; each number obeys the filters."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from urllib.parse import urlencode

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from socorro_processor.configuration import defaults
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.monitoring.health import Health
from socorro_processor.stackwalk.new_symbols import SymbolFileMaker
from socorro_processor.symbol_cache.records import Status
from socorro_processor.web.application import application
from socorro_processor.web.pages.address import read_address
from socorro_processor.web.pages.symbols_address import symbols_address
from socorro_processor.web.probes import Probes
from socorro_processor.web.symbols.symbol_sources import CacheState, SymbolSources
from socorro_processor.web.symbols.symbol_upload import SymbolUploads
from socorro_processor.web.symbols.symbols_page import symbols_page
from socorro_processor.web.symbols.symbols_routes import symbols_routes
from tests.asgi import Answer, ask
from tests.multipart import CONTENT_TYPE
from tests.unit.web import symupload_bytes
from tests.unit.web.crash_pages import EVERYTHING, pages
from tests.unit.web.html_tree import Element, read_html
from tests.unit.web.signature_crashes import TODAY, Crashes, crashes_in
from tests.unit.web.test_symbol_upload import ID, LIMITS, OTHER_ID, body_of, symbols_of
from tests.viewers import OPEN

ORIGIN = "http://127.0.0.1:8000"
APP = ("libapp.so", ID)


class Site:
    def __init__(self, crashes: Crashes, directory: Path) -> None:
        self.crashes = crashes
        self.directory = directory
        self.store = directory / "symbols"
        self.audit: list[str] = []
        self.forgotten: list[str] = []
        self.cookie = ""
        self.sources = SymbolSources(
            crashes.sources,
            (self.store,),
            self.store,
            SymbolUploads(self.store, SymbolFileMaker("/no/such/stackwalker"), LIMITS, self.forgotten.append),
            (),
            lambda: None,
            self.queue,
            lambda words, fields: self.audit.append(words),
            "/srv/socorro",
        )

    def queue(self) -> CrashQueueBase:
        return SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=str(self.directory / "queue.sqlite")))

    def save(self, *missed: tuple[str, str], others: tuple[tuple[str, str], ...] = (), **fields: object) -> str:
        """Save a crash whose stack misses these symbol files, and whose other threads miss ``others``."""
        rows = [[name, debug_id, f"{name}.code", None] for name, debug_id in (*missed, *others)]
        modules = ";".join(f"{name}.code/{debug_id}" for name, debug_id in missed)
        processing = {"algorithm": 2026, "missing_symbols": rows}
        return self.crashes.save(processing=processing, modules_in_stack=modules or None, **fields)

    def hold(self, name: str = "libapp.so", debug_id: str = ID) -> Path:
        path = self.store / name / debug_id / f"{name.removesuffix('.pdb')}.sym"
        path.parent.mkdir(parents=True)
        path.write_bytes(symbols_of(name, debug_id))
        return path

    @cached_property
    def app(self) -> ASGIApp:
        """The application; it signs the sessions, so there is one for all requests of a test."""
        routes = list(symbols_routes(pages(), self.sources, 30.0))
        return application(_submit, Probes(Health(), dict), OPEN, routes)

    def page(self, query: str = "") -> Element:
        address = read_address("/symbols", query.encode())
        answer = symbols_page(pages(), self.sources, address, EVERYTHING, ORIGIN, 0.0)
        assert answer.status == 200, read_html(answer.html).one("main").text
        return read_html(answer.html)

    def served(self, path: str = "/symbols") -> Element:
        answer = ask(self.app, path, headers={"Cookie": self.cookie})
        assert answer.status == 200
        self.cookie = answer.header("Set-Cookie").partition(";")[0] or self.cookie
        return read_html(answer.text)

    def send_symbols(self, path: str, **headers: str) -> Answer:
        given = {"Content-Type": CONTENT_TYPE, **headers}
        return ask(self.app, path, "POST", given, body_of(("a.sym", symbols_of())))

    def waiting(self) -> list[str]:
        """Return the crash ids in the queue, and give them back."""
        with closing(self.queue()) as queue:
            return [crash.crash_id for crash in _taken(queue)]


def _taken(queue: CrashQueueBase) -> Iterator:
    for delivery in queue.new_crashes():
        if delivery is None:
            return
        yield delivery


async def _submit(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("nothing is submitted")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with crashes_in(tmp_path / "search") as crashes:
        yield Site(crashes, tmp_path)


def missing(page: Element) -> dict[str, int]:
    """Return the crashes by the symbol files in the table."""
    tables = page.all("table", class_="missing")
    rows = [row.all("td") for table in tables for row in table.one("tbody").all("tr")]
    return {f"{cells[3].text}/{cells[4].text}": int(cells[0].text.replace(",", "")) for cells in rows}


def held(page: Element) -> list[str]:
    (table,) = page.all("table", class_="missing")
    return [row.all("td")[5].text for row in table.one("tbody").all("tr")]


def test_symbol_files_are_counted_by_how_many_crashes_miss_them_the_most_missed_first(site):
    for _ in range(3):
        site.save(APP)
    site.save(APP, ("libc.so.6", OTHER_ID))
    site.save()
    page = site.page()
    assert list(missing(page).items()) == [(f"libapp.so/{ID}", 4), (f"libc.so.6/{OTHER_ID}", 1)]
    assert "4 of 5 crashes lack symbols" in page.text


def test_what_only_other_threads_miss_is_not_counted(site):
    site.save(APP, others=(("other.so", OTHER_ID),))
    assert missing(site.page()) == {f"libapp.so/{ID}": 1}


def test_modules_that_nobody_can_have_symbols_of_are_not_counted(site):
    site.save(("font.ttf", "0" * 33), ("a\x01b", ID), APP)
    assert missing(site.page()) == {f"libapp.so/{ID}": 1}


@pytest.mark.parametrize(
    ("query", "chosen"),
    [
        ("", lambda crash, day: True),
        ("product=Lightbox", lambda crash, day: crash["product"] == "Lightbox"),
        (
            "product=Darkroom&version=2.3",
            lambda crash, day: crash["product"] == "Darkroom" and crash["version"] == "2.3",
        ),
        ("days=1", lambda crash, day: day == 0),
        ("days=3&version=2.4", lambda crash, day: day < 3 and crash["version"] == "2.4"),
        (f"missing_symbols=b.so/{OTHER_ID}", lambda crash, day: crash["number"] % 3 == 0),
    ],
)
def test_each_number_obeys_the_filters(site, query, chosen):
    expected: Counter[str] = Counter()
    for number in range(60):
        missed = [APP] if number % 2 else []
        missed += [("b.so", OTHER_ID)] if number % 3 == 0 else []
        day = number % 5
        crash = {"product": ("Lightbox", "Darkroom")[number % 4 == 0], "version": ("2.3", "2.4")[number % 7 < 3]}
        site.save(*missed, day=TODAY - timedelta(days=day), **crash)
        if chosen({**crash, "number": number}, day):
            expected.update(f"{name}/{debug_id}" for name, debug_id in missed)
    assert missing(site.page(query)) == dict(expected)


def test_a_file_that_is_held_now_one_of_another_build_and_one_of_no_build_are_told_apart(site):
    site.hold("libapp.so", ID)
    site.hold("app.pdb", OTHER_ID)
    for number, file in enumerate((APP, ("app.pdb", ID), ("libc.so.6", ID))):
        for _ in range(3 - number):
            site.save(file)
    assert held(site.page()) == ["there now", "other builds", "none"]


def test_builds_of_which_other_builds_have_symbols_are_named_with_product_version_and_build(site):
    site.hold("app.pdb", OTHER_ID)
    site.save(("app.pdb", ID), version="2.4", build="20261120")
    site.save(("libc.so.6", ID), version="2.3", build="20261101")
    (row,) = site.page().one(id="builds").one("tbody").all("tr")
    assert row.text == f"1 Lightbox 2.4 (build 20261120) app.pdb {ID}"


def test_for_one_file_the_page_says_which_id_is_wanted_what_is_held_and_which_command_mends_it(site):
    older, newer = site.hold(debug_id=OTHER_ID), site.hold(debug_id="0" * 31 + "3C0")
    os.utime(older, (1_700_000_000, 1_700_000_000))
    site.save(APP)
    section = site.page(f"missing_symbols=libapp.so/{ID}").one(id="file")
    assert section.one("dd", class_="id").text == ID
    assert [row.all("td")[0].text for row in section.one("tbody").all("tr")] == [newer.parent.name, OTHER_ID]
    commands = section.one("dl", class_="commands")
    assert [each.text for each in commands.all("dt")] == [
        f"curl --fail-with-body -F symbols=@PATH/TO/libapp.so {ORIGIN}/symbols",
        f"socorro reprocess --field=missing_symbols=libapp.so/{ID}",
    ]
    assert commands.all("dd")[1].text.startswith("on the server, in /srv/socorro, once the symbols are there")
    # Without the symbols, processing it again changes nothing.
    assert section.all("form") == []


def test_a_name_with_shell_signs_is_quoted_in_commands(site):
    name = "app; rm -rf ~ $(x)'.so"
    site.save((name, ID))
    page = site.page(urlencode({"missing_symbols": f"{name}/{ID}"}))
    upload, reprocess = (each.text for each in page.one(id="file").one("dl", class_="commands").all("dt"))
    assert upload == f"curl --fail-with-body -F symbols=@PROGRAM {ORIGIN}/symbols"
    assert shlex.split(reprocess) == ["socorro", "reprocess", f"--field=missing_symbols={name}/{ID}"]


def test_symbols_of_a_module_of_the_kernel_are_not_asked_for(site):
    site.save(("linux-vdso.so.1", ID), APP)
    assert missing(site.page()) == {f"libapp.so/{ID}": 1}
    section = site.page(f"missing_symbols=linux-vdso.so.1/{ID}").one(id="file")
    assert "part of the Linux kernel" in section.text
    assert section.one("dl", class_="commands").all("dt") == []


def test_crashes_that_missed_a_file_are_processed_again_once_it_is_there(site):
    site.hold()
    crash_ids = [site.save(APP) for _ in range(3)]
    site.save(("other.so", ID))
    form = site.served(f"/symbols?missing_symbols=libapp.so/{ID}").one(id="file").one("form")
    assert form.one("button").text == "process these 3 again"
    fields = {each.attributes["name"]: each.attributes["value"] for each in form.all("input")}
    headers = {"Origin": ORIGIN, "Cookie": site.cookie, "Content-Type": "application/x-www-form-urlencoded"}
    for _ in range(2):
        answer = ask(site.app, form.attributes["action"], "POST", headers, urlencode(fields).encode())
        assert answer.status == 303
    notice = site.served(answer.header("location")).one(role="status").text
    assert notice == "3 crashes queued for reprocessing."
    assert sorted(site.waiting()) == sorted(crash_ids)
    assert site.audit == ["3 crashes were queued for reprocessing"]


def test_crashes_that_wait_already_are_not_queued_again(site):
    site.hold()
    crash_id = site.save(APP)
    with closing(site.queue()) as queue:
        queue.submit(crash_id)
    form = site.served(f"/symbols?missing_symbols=libapp.so/{ID}").one(id="file").one("form")
    fields = {each.attributes["name"]: each.attributes["value"] for each in form.all("input")}
    headers = {"Origin": ORIGIN, "Cookie": site.cookie, "Content-Type": "application/x-www-form-urlencoded"}
    answer = ask(site.app, form.attributes["action"], "POST", headers, urlencode(fields).encode())
    notice = site.served(answer.header("location")).one(role="status").text
    assert notice == "0 crashes queued for reprocessing. 1 were in the queue already."
    assert site.waiting() == [crash_id]


@pytest.mark.parametrize("file", ["", "x", "/etc/passwd", "../../x", f"a/../{ID}x", f"\x00/{ID}"])
def test_a_form_that_names_no_symbol_file_is_refused(site, file):
    site.served()
    token = _token_of(site.served())
    headers = {"Origin": ORIGIN, "Cookie": site.cookie, "Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode({"file": file, "key": "k", "csrf_token": token}).encode()
    assert ask(site.app, "/symbols/reprocess", "POST", headers, body).status == 400
    assert site.waiting() == []


def _token_of(page: Element) -> str:
    return page.one("form", class_="upload").attributes["action"].partition("csrf_token=")[2]


def test_a_program_sends_symbols_without_a_token_and_reads_the_result(site):
    answer = site.send_symbols("/symbols", **{"User-Agent": "curl/8.0"})
    assert (answer.status, answer.text) == (200, f"a.sym: added, libapp.so/{ID}\n")
    assert (site.store / "libapp.so" / ID / "libapp.so.sym").read_bytes() == symbols_of()
    assert site.audit == ["1 symbol file was added"]
    site.send_symbols("/symbols", **{"User-Agent": "curl/8.0"})
    assert len(site.audit) == 1, "the same symbols again are no change"


@pytest.mark.parametrize("client", [symupload_bytes.linux, symupload_bytes.windows])
def test_breakpad_s_symupload_sends_a_symbol_file_whole(site, client):
    sent = client(symbols_of(), "libapp.so", ID)
    headers = {"Content-Type": sent.content_type, "User-Agent": sent.user_agent}
    answer = ask(site.app, "/symbols", "POST", headers, sent.body)
    assert (answer.status, "added" in answer.text) == (200, True)
    assert (site.store / "libapp.so" / ID / "libapp.so.sym").read_bytes() == symbols_of()


@pytest.mark.parametrize("client", [symupload_bytes.linux, symupload_bytes.windows])
def test_an_upload_of_symupload_that_is_cut_adds_nothing(site, client):
    sent = client(symbols_of(), "libapp.so", ID)
    headers = {"Content-Type": sent.content_type, "User-Agent": sent.user_agent}
    assert ask(site.app, "/symbols", "POST", headers, sent.body[:-10]).status == 400
    assert not (site.store / "libapp.so").exists()


def test_a_program_reads_why_symbols_are_refused(site):
    answer = ask(site.app, "/symbols", "POST", {"Content-Type": CONTENT_TYPE}, body_of(("x.sym", b"x\n")))
    assert (answer.status, answer.text) == (400, "x.sym: refused: it does not begin with a MODULE line\n")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Origin", "http://evil.example"),
        ("Origin", "null"),
        ("Referer", "http://evil.example/"),
        ("Cookie", "a=b"),
        ("Sec-Fetch-Site", "cross-site"),
        ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:60.0) Gecko/20100101 Firefox/60.0"),
    ],
)
def test_a_browser_sends_no_symbols_at_the_wish_of_another_site(site, name, value):
    assert site.send_symbols("/symbols", **{name: value}).status == 403
    assert not site.store.exists()


@pytest.mark.parametrize("path", ["/symbols/reprocess", "/symbols/", "/queues"])
def test_a_program_can_do_nothing_else_without_a_token(site, path):
    assert ask(site.app, path, "POST", {"User-Agent": "curl/8.0"}, b"file=x").status == 403


def test_the_form_of_the_page_sends_symbols_with_the_token_in_its_address_and_shows_the_result(site):
    action = site.served().one("form", class_="upload").attributes["action"]
    headers = {"Origin": ORIGIN, "Cookie": site.cookie, "User-Agent": "Mozilla/5.0"}
    answer = site.send_symbols(action, **headers)
    assert answer.status == 303
    assert site.served(answer.header("location")).one(role="status").text == f"a.sym: added, libapp.so/{ID}"


@pytest.mark.parametrize("action", ["/symbols", "/symbols?csrf_token=", "/symbols?csrf_token=" + "0" * 64])
def test_the_form_without_its_token_sends_nothing(site, action):
    site.served()
    headers = {"Origin": ORIGIN, "Cookie": site.cookie, "User-Agent": "Mozilla/5.0"}
    assert site.send_symbols(action, **headers).status == 403
    assert not site.store.exists()


def test_a_body_of_an_ordinary_form_cannot_bring_its_token_in_the_address(site):
    token = _token_of(site.served())
    headers = {"Origin": ORIGIN, "Cookie": site.cookie, "Content-Type": "application/x-www-form-urlencoded"}
    answer = ask(site.app, f"/symbols/reprocess?csrf_token={token}", "POST", headers, b"file=x")
    assert answer.status == 403


def test_without_a_store_the_page_says_what_to_set_and_an_upload_is_refused(site):
    site.sources = replace(site.sources, uploads=None, store=None)
    assert "symbols_path" in site.page().one(id="upload").text
    assert site.send_symbols("/symbols").status == 409


def test_without_an_index_the_page_still_takes_symbols(site):
    site.sources = replace(site.sources, search=replace(site.crashes.sources, index_or_none=None))
    page = site.page(f"missing_symbols=libapp.so/{ID}")
    assert "this page needs a search index" in page.text
    assert page.one("form", class_="upload")
    assert page.one(id="file").one("dd", class_="id").text == ID


def test_without_a_crash_the_page_says_so(site):
    assert "There is no crash with these filters" in site.page().text


def test_a_query_that_cannot_be_searched_is_said_and_the_page_stays(site):
    answer = ask(site.app, "/symbols?nosuchfield=1")
    assert (answer.status, "there is no such field" in answer.text) == (400, True)
    assert read_html(answer.text).one("form", class_="upload")


def test_the_cache_is_shown_with_its_size_and_manager(site):
    status = Status(1, 0.0, 2 << 30, 1 << 30, 12, 345, 6, 1 << 20, 0, None, True)
    site.sources = replace(site.sources, cache=lambda: CacheState("/cache", True, status))
    text = site.page().one(id="store").text
    for words in ("/cache", "12 files, 1 GB of 2 GB", "345 times", "6 files removed, 1 MB"):
        assert words in text
    site.sources = replace(site.sources, cache=lambda: CacheState("/cache", False, None, "permission denied"))
    text = site.page().one(id="store").text
    assert "permission denied" in text
    assert "none runs" in text


def test_markup_and_marks_in_names_are_text_and_long_names_are_whole(site):
    names = ("<script>alert(1)</script>.so", "\u202egnp.exe", "x" * 200)
    for name in names:
        site.save((name, ID))
    page = site.page()
    assert len(page.all("script")) == 1
    assert sorted(each.partition("/0000")[0] for each in missing(page)) == sorted(
        ["script>.so", "\\u202egnp.exe", "x" * 200]
    )


def test_a_report_links_to_the_symbols_that_it_misses():
    assert symbols_address("/usr/lib/libapp.so", ID) == f"/symbols?missing_symbols=libapp.so/{ID}"
    assert symbols_address("libapp.so", "no id") == ""


def test_the_filters_offer_the_values_of_these_days_the_most_frequent_first(site):
    for product, number, days_ago in (("Darkroom", 1, 0), ("Lightbox", 3, 1), ("Frame", 5, 30)):
        for _ in range(number):
            site.save(APP, day=TODAY - timedelta(days=days_ago), product=product)
    select = site.page("days=7").one("select", name="product")
    assert [option.text for option in select.all("option")] == ["any", "Lightbox", "Darkroom"]
