"""The page of a crash: what it adds to the report, who sees what, and what it says if there is no crash."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from socorro_processor.errors import CrashIDNotFound, PermanentStorageError, TransientStorageError
from socorro_processor.report.source_links import SourceLinks
from socorro_processor.search.results import Neighbours
from socorro_processor.web.pages.answer import Answer
from socorro_processor.web.pages.viewer import Viewer
from socorro_processor.web.report.report_page import report_page
from tests.unit.cli.reports import CRASH_ID, frame, processed
from tests.unit.web.crash_pages import EVERYTHING, NOTHING, OneCrash, html_of, page_of, pages, signer, sources
from tests.unit.web.html_tree import Element, read_html

ALICE = "alice@example.com"
SECRET = "0x5ec7e7"


def of_2026(*frames: Any, **more: Any) -> dict[str, Any]:
    return processed(*frames or [frame(function="codec::decode(int)")], **{"processing": {"algorithm": 2026}, **more})


def secret_crash() -> dict[str, Any]:
    """A crash with protected data in a field, in a register and in a place of the JSON."""
    crash = of_2026(
        frame(function="codec::decode", registers={"rax": SECRET}), email=ALICE, url=f"https://example.com/{SECRET}"
    )
    crash["json_dump"]["handles"] = [{"object_name": SECRET}]
    return crash


RAW = {"ProductName": "Player", "Version": "3.2", "Email": ALICE, "Own": f"annotation {SECRET}"}


def answer(word: str, store: OneCrash, viewer: Viewer = EVERYTHING) -> Answer:
    return report_page(pages(), sources(store), word, viewer)


class WithoutDumps(OneCrash):
    def dumps_removed(self, crash_id: str) -> str:
        return "on Monday, because <so>"


class TestDumpsRemoved:
    def test_the_page_says_so_and_offers_neither_dump_nor_processing(self) -> None:
        raw = RAW | {"dump_checksums": {"upload_file_minidump": "1", "log": "2"}}
        page = read_html(answer(CRASH_ID, WithoutDumps(of_2026(), raw)).html)
        said = "The dumps and attachments of this crash were removed on Monday, because <so>."
        assert said in page.one("header", class_="crash").text
        assert said in page.one("section", id="files").text
        assert "log attachment" in page.one("section", id="files").text
        links = [link.attributes["href"] for link in page.all("a")]
        assert not [link for link in links if "/dump/" in link]
        assert page.all("form") == []

    def test_a_store_that_cannot_tell_leaves_the_page_as_it_is(self) -> None:
        class Away(OneCrash):
            def dumps_removed(self, crash_id: str) -> str:
                raise TransientStorageError("the store is away")

        assert answer(CRASH_ID, Away(of_2026(), RAW)) == answer(CRASH_ID, OneCrash(of_2026(), RAW))


class TestPermissions:
    def test_whoever_may_see_protected_data_sees_it_apart_from_the_rest(self) -> None:
        page = page_of(secret_crash(), RAW)
        for section in (page.one("section", id="annotations"), page.one("section", id="fields")):
            protected = section.one("details", class_="protected")
            assert ALICE in protected.text
            public = [row.text for row in section.all("tr") if row not in protected.all("tr")]
            assert public
            assert not any(ALICE in row or SECRET in row for row in public)
        assert f"rax {SECRET}" in page.one("dl", class_="registers").text

    def test_nobody_else_gets_any_of_it(self) -> None:
        html = html_of(secret_crash(), RAW, NOTHING)
        assert ALICE not in html
        assert SECRET not in html
        page = read_html(html)
        assert "2 more are protected" in page.one("section", id="annotations").text
        assert "permission" in page.one("section", id="registers").text
        assert "Player" in page.one("section", id="annotations").text

    def test_a_crash_of_2015_is_redacted_by_its_store(self) -> None:
        crash = processed(frame(function="f"), email=ALICE)
        assert ALICE not in html_of(crash, {}, NOTHING)
        protected = page_of(crash, {}).one("section", id="fields").one("details", class_="protected")
        assert [cell.text for cell in protected.all("th", scope="row")] == ["email"]

    def test_a_part_of_a_field_that_is_not_for_everyone_is_left_out_too(self) -> None:
        class PartlyRedacting(OneCrash):
            def get_processed(self, crash_id: str) -> dict[str, Any]:
                return {**super().get_processed(crash_id), "own": {"all": "may see"}}

        crash = of_2026(own={"all": "may see", "few": SECRET})
        assert SECRET in answer(CRASH_ID, PartlyRedacting(crash, {})).html
        assert SECRET not in answer(CRASH_ID, PartlyRedacting(crash, {}), NOTHING).html

    def test_the_facts_for_which_a_rule_changed_the_signature_are_protected(self) -> None:
        crash = of_2026(frame(function="abort", module="libc.so.6"), frame(1, function="f"))
        raw = {"AbortMessage": SECRET}
        assert "because AbortMessage is" in page_of(crash, raw).one("section", id="why").text
        assert "because" not in page_of(crash, raw, NOTHING).one("section", id="why").text

    def test_dumps_are_downloads_for_those_who_may_have_them(self) -> None:
        crash = of_2026(crash_report_keys=["ProductName", "log.txt", "upload_file_minidump", "up/down"])
        files = page_of(crash, {"ProductName": "Player"}).one("section", id="files")
        links = {link.text: link for link in files.all("a")}
        assert links["log.txt"].attributes == {"href": f"/report/{CRASH_ID}/dump/log.txt", "download": ""}
        assert "upload_file_minidump" in links
        assert "up/down" in files.text
        assert "up/down" not in links
        files = page_of(crash, {"ProductName": "Player"}, NOTHING).one("section", id="files")
        assert "log.txt" in files.text
        assert not any("/dump/" in link.attributes["href"] for link in files.all("a"))

    def test_only_those_who_may_process_a_crash_again_have_the_button(self) -> None:
        form = page_of(of_2026()).one("form")
        assert (form.attributes["method"], form.attributes["action"]) == ("post", f"/report/{CRASH_ID}/reprocess")
        assert form.one("input").attributes["value"] == "the-token"
        assert page_of(of_2026(), viewer=NOTHING).all("form") == []


class TestWithoutACrash:
    @pytest.mark.parametrize("word", ["", "x", "<script>", "../../etc/passwd", CRASH_ID[:-1], "0" * 5000])
    def test_what_is_not_a_crash_id_is_not_found_and_reaches_no_store(self, word: str) -> None:
        store = OneCrash(AssertionError("the store was asked"), AssertionError("the store was asked"))
        status, html = answer(word, store)
        assert status == 404
        assert "Not a crash id" in read_html(html).one("h1").text
        assert len(html) < 4000

    @pytest.mark.parametrize("word", [CRASH_ID, f"bp-{CRASH_ID}", f" {CRASH_ID.upper()} "])
    def test_an_id_may_come_as_people_copy_it(self, word: str) -> None:
        status, html = answer(word, OneCrash(of_2026(), {}))
        assert status == 200
        assert read_html(html).one("code", class_="id").text == CRASH_ID

    def test_a_crash_that_no_store_has_is_not_found(self) -> None:
        status, html = answer(CRASH_ID, OneCrash())
        assert status == 404
        assert f"no processed crash {CRASH_ID} was found in OneCrash" in read_html(html).text
        assert "`socorro process" not in html

    def test_a_crash_that_waits_to_be_processed_says_so_and_comes_by_itself(self) -> None:
        status, html = answer(CRASH_ID, OneCrash(None, RAW))
        page = read_html(html)
        assert status == 200
        assert page.one("h1").text == f"Crash {CRASH_ID} is not processed yet"
        assert "of Player 3.2 was received" in page.text
        assert "socorro " not in page.one("main").text
        assert [meta.attributes["content"] for meta in page.all("meta") if "http-equiv" in meta.attributes] == ["5"]
        assert ALICE not in html

    @pytest.mark.parametrize(
        ("error", "status", "title"),
        [
            (TransientStorageError("S3 is away"), 503, "A store is away"),
            (PermanentStorageError("S3: it is not JSON"), 500, "The crash cannot be read"),
        ],
    )
    def test_a_store_that_fails_is_named(self, error: Exception, status: int, title: str) -> None:
        found, html = answer(CRASH_ID, OneCrash(error, {}))
        page = read_html(html)
        assert (found, page.one("h1").text) == (status, title)
        assert str(error) in page.text

    def test_a_crash_whose_raw_crash_has_expired_is_shown_without_annotations(self) -> None:
        page = page_of(of_2026(), CrashIDNotFound("gone"))
        assert "no raw crash any more" in page.one("section", id="annotations").text
        assert "codec::decode" in page.one("h1").text

    def test_a_source_that_is_away_takes_away_only_the_annotations(self) -> None:
        page = page_of(of_2026(), TransientStorageError("S3 is away"))
        assert "S3 is away" in page.one("section", id="annotations").text
        assert page.one("h1").text == "codec::decode"


class TestSignature:
    def test_the_frames_in_the_signature_are_bold_and_lead_to_why(self) -> None:
        inlines = [{"function": "codec::at(int)", "file": "a.h", "line": 2}]
        crash = of_2026(
            frame(function="abort", module="libc.so.6"),
            frame(1, function="codec::decode(int)", inlines=inlines),
            frame(2, function="main"),
        )
        page = page_of(crash, {})
        signed = page.all("tr", class_="signed")
        assert [row.one("b").text for row in signed] == ["abort", "codec::at(int)"]
        ids = [row.one("td", class_="function").one("a").attributes["href"] for row in signed]
        assert ids == ["#why-0", "#why-1"]
        assert "no entry of prefix_signature_re.txt" in page.one("li", id="why-1").text
        assert [each.text for each in page.all("b") if each.text == "main"] == []

    def test_a_signature_that_would_be_another_one_now_is_told(self) -> None:
        page = page_of(of_2026(signature="stale"), {})
        assert page.one("h1").text == "stale"
        (notice,) = page.one("header", class_="crash").all("p", class_="notice")
        assert notice.text.startswith("The signature would now be codec::decode (why)")
        assert "open" in page.one("section", id="why").all("details")[0].attributes

    def test_a_signature_that_stays_is_not(self) -> None:
        page = page_of(of_2026(signature="codec::decode"), {})
        assert page.one("header", class_="crash").all("p", class_="notice") == []

    def test_what_the_last_processing_changed_is_told(self) -> None:
        page = page_of(of_2026(earlier_signature="libcodec.so@0x12"), {})
        assert "it was libcodec.so@0x12" in page.one("header", class_="crash").text
        assert "changed from" not in page_of(of_2026(earlier_signature="codec::decode"), {}).text

    def test_a_rule_that_fails_takes_away_only_the_explanation(self, caplog: pytest.LogCaptureFixture) -> None:
        class Failing:
            def explain(self, crash: object) -> None:
                raise ZeroDivisionError("in a rule")

        with caplog.at_level(logging.ERROR):
            page = page_of(of_2026(), {}, signer=Failing())
        assert page.all("section", id="why") == []
        assert "the server's log says where" in page.one("header", class_="crash").text
        assert "ZeroDivisionError: in a rule" in caplog.text
        assert "codec::decode(int)" in page.one("section", id="stack").text

    def test_without_rules_that_sign_there_is_no_explanation(self) -> None:
        page = page_of(of_2026(), {}, signer=None)
        assert page.all("section", id="why") == []
        assert page.all("header", class_="crash")[0].all("p", class_="notice") == []

    def test_the_crash_itself_stays_as_it_is(self) -> None:
        crash = of_2026(signature="stale")
        before = repr(crash)
        page_of(crash, {}, signer=signer())
        assert repr(crash) == before

    def test_a_java_stack_shows_which_exception_counts(self) -> None:
        stack = "a.First: x\n\tat b.C.d(C.java:1)\nCaused by: a.Second: y\n\tat b.E.f(E.java:2)\n"
        crash = of_2026(java_stack_trace=stack, json_dump=None, signature="a.Second: at b.E.f(E.java)")
        why = page_of(crash, {"JavaStackTrace": stack}).one("section", id="why")
        assert [each.text for each in why.one("dl", class_="rules").all("b")] == ["a.Second: at b.E.f(E.java)"]
        assert "the last cause counts" in why.text

    def test_signature_and_neighbours_are_linked_where_there_are_pages_for_them(self) -> None:
        older = CRASH_ID.replace("0bba61c5", "11111111")
        page = page_of(
            of_2026(),
            {},
            neighbours=lambda crash_id, signature: Neighbours(older=older if signature == "codec::decode" else None),
            signature_path=lambda signature: f"/signature/{len(signature)}",
        )
        assert page.one("h1").one("a").attributes["href"] == "/signature/13"
        (link,) = page.one("nav", **{"aria-label": "Crashes with this signature"}).all("a")
        assert (link.attributes["href"], link.attributes["rel"]) == (f"/report/{older}", "prev")
        assert page_of(of_2026(), {}).one("h1").all("a") == []

    def test_a_search_that_is_away_takes_away_only_the_neighbours(self) -> None:
        def away(crash_id: str, signature: str) -> Neighbours:
            raise TransientStorageError("the index is locked")

        page = page_of(of_2026(), {}, neighbours=away)
        assert "the index is locked" in page.one("header", class_="crash").text


def function_cells(page: Element) -> list[str]:
    return [cell.text for cell in page.all("td", class_="function")]


class TestStack:
    def test_a_source_is_linked_by_the_configured_template(self) -> None:
        links = SourceLinks('[{"file": "/ci/{path}", "link": "https://git.example.com/{version}/{path}#L{line}"}]')
        crash = of_2026(frame(function="f", file="/ci/codec/decode.cpp", line=7))
        (source,) = [
            cell.one("a") for cell in page_of(crash, {}, links=links).all("td", class_="source") if cell.all("a")
        ]
        assert source.text == "ci/codec/decode.cpp:7"
        assert source.attributes["href"] == "https://git.example.com/3.2/codec/decode.cpp#L7"

    def test_long_runs_of_system_frames_are_folded_away_below_the_top(self) -> None:
        system = [frame(n, function=f"poll_{n}", module="libc.so.6") for n in range(6)]
        own = frame(6, function="main")
        page = page_of(of_2026(*system, own, *system[:2]), {}, signer=None)
        (run,) = page.all("details", class_="run")
        assert run.one("summary").text == "5 system frames: libc.so.6"
        assert "open" not in run.attributes
        assert [cell.text for cell in run.all("td", class_="function")] == [f"poll_{n}" for n in range(1, 6)]
        assert len(function_cells(page.one("section", id="stack"))) == 9

    def test_a_system_frame_in_the_signature_is_never_folded_away(self) -> None:
        system = [frame(n, function="abort", module="libc.so.6") for n in range(6)]
        page = page_of(of_2026(*system, frame(6, function="codec::decode")), {})
        assert len(page.all("tr", class_="signed")) == 2
        assert not any(
            row in run.all("tr") for run in page.all("details", class_="run") for row in page.all("tr", class_="signed")
        )

    def test_guessed_frames_are_pale_and_a_line_says_what_that_means(self) -> None:
        page = page_of(of_2026(frame(function="f"), frame(1, function="g", trust="scan")), {})
        assert [row.one("td", class_="function").text for row in page.all("tr", class_="pale")] == ["g"]
        assert "scan?: doubtful" in page.one("p", class_="doubt").text

    def test_every_thread_is_on_the_page(self) -> None:
        threads = page_of(of_2026(), {}).one("section", id="threads")
        assert [each.one("span", class_="name").text for each in threads.all("details")] == ["Thread 0, main"]
        assert function_cells(threads) == ["poll"]

    def test_a_folded_thread_tells_where_it_is_and_which_function_of_the_program_is_there(self) -> None:
        crash = of_2026()
        waits = [
            frame(0, function="poll", module="libc.so.6"),
            frame(1, function="codec::wait"),
            frame(2, function="f"),
        ]
        crash["json_dump"]["threads"] += [{"frames": waits}, {"frames": waits[1:]}, {"frames": waits[:1]}]
        threads = page_of(crash, {}).one("section", id="threads")
        tops = [each.text for each in threads.all("span", class_="top")]
        assert tops == ["poll", "poll … codec::wait", "codec::wait", "poll"]

    def test_a_further_dump_has_a_stack_of_its_own(self) -> None:
        crash = of_2026()
        browser = {"json_dump": crash["json_dump"], "mdsw_status_string": "OK"}
        page = page_of(
            crash | {"additional_minidumps": ["upload_file_minidump_x"], "upload_file_minidump_x": browser}, {}
        )
        second = page.one("section", id="dump-1-stack")
        assert second.one("h2").text == "Dump upload_file_minidump_x"
        assert function_cells(second) == ["codec::decode(int)"]


class TestBounds:
    def test_of_very_many_threads_the_first_are_shown_and_the_others_counted(self) -> None:
        crash = of_2026()
        frames = [{"function": f"wait_{n}", "module": "a.so"} for n in range(60)]
        crash["json_dump"]["threads"] += [{"frames": frames} for _ in range(4000)]
        html = html_of(crash, {})
        section = read_html(html).one("section", id="threads")
        shown = len(section.all("details"))
        (*_, more) = section.all("p", class_="more")
        assert more.text == f"{4001 - shown} more threads: see the plain text."
        assert 100 <= shown <= 1000
        assert len(html) < 2_000_000

    def test_of_a_long_stack_of_another_thread_the_top_is_shown_and_the_rest_counted(self) -> None:
        crash = of_2026()
        frames = [{"function": f"wait_{n}", "module": "a.so"} for n in range(60)]
        crash["json_dump"]["threads"] += [{"frames": frames} for _ in range(400)]
        details = page_of(crash, {}).one("details", id="thread-2")
        shown = function_cells(details)
        assert shown == [f"wait_{n}" for n in range(len(shown))]
        assert 5 <= len(shown) < 60
        assert details.one("p", class_="more").text == f"{60 - len(shown)} more lines: see the plain text."

    def test_five_hundred_frames_with_inlined_functions_are_all_shown(self) -> None:
        inlines = [{"function": "inner", "file": "a.h", "line": 1}]
        crash = of_2026(*(frame(n, function=f"step_{n}", inlines=inlines) for n in range(500)))
        assert len(function_cells(page_of(crash, {}).one("section", id="stack"))) == 1000

    def test_a_function_name_of_four_thousand_characters_is_cut_and_says_so(self) -> None:
        (cell,) = function_cells(
            page_of(of_2026(frame(function="x" * 4000)), {}, signer=None).one("section", id="stack")
        )
        assert cell == f"{'x' * 400}… (3,600 more characters)"

    @pytest.mark.parametrize(
        "more",
        [
            {"signature": "s" * 10**6},
            {"reason": "r" * 10**6},
            {"processor_notes": ["n" * 10**6]},
            {"own": "o" * 10**6},
            {"app_notes": "a\n" * 10**6},
            {"java_stack_trace": "at x.y\n" * 10**5},
            {"additional_minidumps": [f"dump_{n}" for n in range(10**4)]},
            {"crash_report_keys": [f"key_{n}" for n in range(10**5)]},
            {f"field_{n}": "x" * 100 for n in range(5000)},
        ],
        ids=lambda more: next(iter(more)),
    )
    def test_no_part_of_a_crash_makes_the_page_large(self, more: dict[str, Any]) -> None:
        assert len(html_of(of_2026(**more), {})) < 500_000

    @pytest.mark.parametrize(
        "raw",
        [{"Long": "x" * 10**6}, {"Lines": "x\n" * 10**5}, {f"a{n}": "x" * 900 for n in range(5000)}, {"a" * 10**6: 1}],
    )
    def test_no_annotation_makes_the_page_large(self, raw: dict[str, Any]) -> None:
        assert len(html_of(of_2026(), raw)) < 700_000

    def test_an_annotation_of_several_lines_keeps_them(self) -> None:
        section = page_of(of_2026(), {"Comments": "It crashed\nwhen I <b>saved</b>"}).one("section", id="annotations")
        (cell,) = section.all("td")
        assert cell.content[0] == "It crashed"
        assert cell.text == "It crashed when I <b>saved</b>"
