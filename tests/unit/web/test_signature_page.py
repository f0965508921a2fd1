"""The page of a signature: its numbers are those of the crashes, and its words say what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from socorro_processor.errors import TransientStorageError
from socorro_processor.fields import FieldTable
from socorro_processor.monitoring.health import Health
from socorro_processor.search.base import CrashIndex
from socorro_processor.search.results import IndexState
from socorro_processor.search.sqlite.directory import IndexDirectory
from socorro_processor.web.application import application
from socorro_processor.web.pages.address import read_address
from socorro_processor.web.pages.search_sources import SearchSources
from socorro_processor.web.probes import Probes
from socorro_processor.web.signature.signature_page import signature_page
from socorro_processor.web.signature.signature_routes import signature_routes
from tests.asgi import ask
from tests.unit.web.crash_pages import EVERYTHING, NOTHING, pages
from tests.unit.web.html_tree import Element, read_html
from tests.unit.web.signature_crashes import TODAY, Crashes, crashes_in, figures, tables
from tests.viewers import OPEN

YESTERDAY = TODAY - timedelta(days=1)

SENT = "none: a process sent the signal"


@pytest.fixture
def crashes(tmp_path: Path) -> Iterator[Crashes]:
    with crashes_in(tmp_path / "search") as crashes:
        yield crashes


def filters_of(address: str) -> dict[str, str]:
    path, _, query = address.partition("?")
    return dict(read_address(path, query.encode()).parts())


def test_the_head_has_the_figures_of_the_days_and_filters(crashes):
    for number in range(3):
        crashes.save(install_time=number % 2, version=f"2.{number}")
    crashes.save(YESTERDAY, signature="other")
    crashes.save(YESTERDAY - timedelta(days=9), version="1.9")

    page = crashes.page()

    assert page.one("h1").text == "render"
    assert figures(page) == {
        "crashes": "3",
        "known installations": "2",
        "of all crashes": "75.0% of 4",
        "rank": "1 of 2",
        "first seen": "2026-11-20 in 1.9",
        "last seen": "2026-11-30",
    }
    assert figures(crashes.page("signature=render&version=2.1&days=1"))["of all crashes"] == "100% of 1"


SIGNATURES = st.sampled_from(["render", "other", None])
FIELDS = {
    "product": st.sampled_from(["Lightbox", "Darkroom"]),
    "version": st.sampled_from(["2.3", "2.10", None]),
    "os_name": st.sampled_from(["Linux", "Windows NT", None]),
    "release_channel": st.sampled_from(["release", "beta"]),
    "reason": st.sampled_from(["SIGSEGV", "SIGABRT", None]),
    "address": st.sampled_from(["0x0", "0x10", None]),
    "cpu_arch": st.sampled_from(["amd64", "arm64"]),
    "process_type": st.sampled_from(["main", None]),
    "proto_signature": st.sampled_from(["render | draw", "render | main", None]),
    "modules_in_stack": st.sampled_from(["liba.so/AA;libb.so/BB", "liba.so/CC", None]),
    "install_time": st.sampled_from([1, 2, 3, None]),
}
CRASHES = st.lists(
    st.fixed_dictionaries({"day": st.integers(0, 9), "signature": SIGNATURES, **FIELDS}), min_size=1, max_size=12
)
FILTERS = st.sampled_from(
    [{}, {"product": "Lightbox"}, {"version": "2.3"}, {"os_name": "Linux"}, {"reason": "SIGSEGV"}]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CRASHES, FILTERS, st.sampled_from([1, 7, 28]))
def test_every_number_is_that_of_the_crashes_with_these_filters_in_these_days(
    tmp_path_factory: pytest.TempPathFactory, made: list[dict[str, Any]], filters: dict[str, str], days: int
):
    with crashes_in(tmp_path_factory.mktemp("search") / "index") as crashes:
        crashes.save()
        for each in made:
            each = dict(each)
            crashes.save(TODAY - timedelta(days=each.pop("day")), **each)
        first = TODAY - timedelta(days=days - 1)
        all_found = [
            each
            for each in crashes.saved
            if each["date_processed"][:10] >= str(first)
            and all(each.get(name) == value for name, value in filters.items())
        ]
        counts = Counter(each.get("signature") for each in all_found)
        found = [each for each in all_found if each.get("signature") == "render"]
        query = "&".join(["signature=render", f"days={days}", *(f"{name}={value}" for name, value in filters.items())])

        page = crashes.page(query)

    shown = figures(page)
    assert shown["crashes"] == str(len(found))
    assert shown["known installations"] == str(len({each.get("install_time") for each in found} - {None}))
    assert shown["of all crashes"].endswith(f" of {len(all_found)}")
    if not found:
        assert not page.all(id="values")
        return
    rank = 1 + sum(crashes > len(found) for crashes in counts.values())
    assert shown["rank"] == f"{rank} of {len(counts)}"
    assert_tables_count(page, found)
    by_day = Counter(each["date_processed"][:10] for each in found)
    rows = page.one("figure", class_="chart").one("tbody").all("tr")
    assert {row.one("th").text: int(row.all("td")[-1].text) for row in rows} == {
        str(first + timedelta(days=number)): by_day[str(first + timedelta(days=number))] for number in range(days)
    }
    stacks = Counter(each["proto_signature"] for each in found if "proto_signature" in each)
    listed = page.one(id="stacks").all("ol", class_="stacks")
    assert (
        Counter(
            {
                " | ".join(li.text for li in each.one("ol").all("li")): int(each.one("p").one("a").text)
                for each in stack_items(page)
            }
        )
        == stacks
    )
    assert bool(listed) == bool(stacks)
    assert len(page.one("table", class_="crashes").one("tbody").all("tr")) == len(found)


def stack_items(page: Element) -> list[Element]:
    return [each for lists in page.all("ol", class_="stacks") for each in lists.content if isinstance(each, Element)]


def assert_tables_count(page: Element, found: list[dict[str, Any]]) -> None:
    expected = {}
    for field, title in {
        "version": "Versions",
        "os_name": "Systems",
        "reason": "Reasons",
        "address": "Addresses",
        "process_type": "Process types",
        "cpu_arch": "CPUs",
        "product": "Products",
        "release_channel": "Channels",
    }.items():
        counts = Counter(
            SENT if field == "address" and each.get("reason") == "SIGABRT" else each.get(field, "none")
            for each in found
        )
        if set(counts) != {"none"}:
            expected[title] = counts
    modules = Counter(
        name
        for each in found
        for name in {module.partition("/")[0] for module in each.get("modules_in_stack", "").split(";")} - {""}
    )
    if modules:
        expected["Modules of the stack"] = modules
    assert {title: Counter(dict(rows)) for title, rows in tables(page).items()} == expected


def test_a_value_leads_to_a_search_for_it_with_all_filters(crashes):
    crashes.save(reason="SIGSEGV", version="2.3", modules_in_stack="liba.so/AA", proto_signature="render | draw")

    page = crashes.page("signature=render&version=2.3&days=28")

    links = {each.text: each.attributes["href"] for each in page.one(id="values").all("a")}
    same = {"signature": "render", "version": "2.3", "days": "28"}
    assert links["SIGSEGV"].startswith("/search?")
    assert filters_of(links["SIGSEGV"]) == {**same, "reason": "SIGSEGV"}
    assert filters_of(links["2.3"]) == same
    assert filters_of(links["liba.so"]) == {**same, "module~liba.so/": ""}
    (stack,) = (each.one("p").one("a") for each in stack_items(page))
    assert filters_of(stack.attributes["href"]) == {**same, "proto_signature": "render | draw"}


def test_crashes_without_a_value_and_with_rarer_ones_have_rows_that_lead_to_them(crashes):
    for number in range(12):
        crashes.save(address=f"0x{number}")
    crashes.save(address=None)

    page = crashes.page()

    rows = tables(page)["Addresses"]
    assert len(rows) == 12
    assert rows[-2:] == [("others", 2), ("none", 1)]
    links = {each.text: each.attributes["href"] for each in page.one(id="values").all("a")}
    assert filters_of(links["others"]) == {"signature": "render", "facet": "address"}
    assert {"signature": "render", "address!?": ""} in [
        filters_of(each.attributes["href"]) for each in page.one(id="values").all("a")
    ]


def test_a_crash_whose_process_sent_the_signal_has_no_address(crashes):
    for reason, address in (
        ("SIGABRT / SI_TKILL", "0x0"),
        ("SIGABRT", "0x3e80000f1"),
        ("SIGSEGV / SEGV_MAPERR", "0x0"),
    ):
        crashes.save(reason=reason, address=address)

    page = crashes.page()

    assert tables(page)["Addresses"] == [("0x0", 1), (SENT, 2)]
    (link,) = (each for each in page.one(id="values").all("a") if each.text.startswith("none:"))
    assert read_address("/search", link.attributes["href"].partition("?")[2].encode()).values("reason") == (
        "SIGABRT",
        "SIGABRT / SI_TKILL",
    )
    rows = page.one("table", class_="crashes").one("tbody").all("tr")
    assert {row.one("td", class_="reason").text: row.one("td", class_="code").text for row in rows} == {
        "SIGABRT / SI_TKILL": "",
        "SIGABRT": "",
        "SIGSEGV / SEGV_MAPERR": "0x0",
    }


def test_an_abort_in_all_crashes_leaves_no_address_to_count(crashes):
    for _ in range(3):
        crashes.save(reason="SIGABRT / SI_TKILL", address="0x0")

    assert tables(crashes.page())["Addresses"] == [(SENT, 3)]


def test_addresses_are_those_of_the_newest_crashes_however_many_sent_a_signal(crashes):
    for number, reason in enumerate(("SIGSEGV", "SIGABRT", "SIGSEGV", "SIGABRT", "SIGSEGV")):
        crashes.save(seconds=number, reason=reason, address=f"0x{number}")

    addresses = tables(crashes.page(counted=4))["Addresses"]

    assert sorted(addresses) == [("0x2", 1), ("0x4", 1), (SENT, 2)]


def test_versions_are_ordered_as_versions_and_lead_to_the_page_of_that_version(crashes):
    for version in ("2.9", "2.10", "2.10b1", None):
        crashes.save(version=version)

    page = crashes.page()

    legend = page.one("ul", class_="legend")
    assert [each.text for each in legend.all("li")] == ["2.10 1", "2.10b1 1", "2.9 1", "other versions 1"]
    assert filters_of(legend.all("a")[0].attributes["href"]) == {"signature": "render", "version": "2.10"}
    choices = page.one("select", name="version").all("option")
    assert [each.text for each in choices] == ["any", "2.10", "2.10b1", "2.9"]


def test_a_single_version_is_named(crashes):
    crashes.save(version="2.3")

    assert crashes.page().one("ul", class_="legend").text == "2.3 1"


def test_a_bar_leads_to_its_day(crashes):
    crashes.save(YESTERDAY)

    page = crashes.page("signature=render&days=3&product=Lightbox")

    bars = page.one("svg", role="group").all("a")
    assert [filters_of(each.attributes["href"])["date"] for each in bars] == ["2026-11-28", "2026-11-29", "2026-11-30"]
    assert filters_of(bars[0].attributes["href"]) == {
        "signature": "render",
        "product": "Lightbox",
        "date": "2026-11-28",
    }


def test_the_filters_are_a_form_that_keeps_the_signature(crashes):
    crashes.save(release_channel="beta")
    crashes.save(release_channel="release")

    page = crashes.page("signature=render&release_channel=beta&uptime%3C60&address!?")

    form = page.one("form", class_="filters")
    hidden = [(each.attributes["name"], each.attributes["value"]) for each in form.all("input")]
    assert ("signature", "render") in hidden
    assert [each.text for each in form.one("select", name="release_channel").all("option")] == [
        "any",
        "beta",
        "release",
    ]
    chips = [each.one("code").text for each in form.all("li") if each.all("code")]
    assert chips == ["uptime<60", "address!?"]
    clear = next(each for each in form.all("a") if each.text == "clear all")
    assert filters_of(clear.attributes["href"]) == {"signature": "render"}


def test_the_newest_crashes_come_first_and_lead_to_their_pages(crashes):
    crash_ids = [crashes.save(seconds=number, uptime=uptime) for number, uptime in enumerate((0, 59, 3700))]

    rows = crashes.page().one("table", class_="crashes").one("tbody").all("tr")

    assert [row.one("a").attributes["href"] for row in rows] == [f"/report/{each}" for each in reversed(crash_ids)]
    assert [row.all("td")[-1].text for row in rows] == ["1:01:40", "59 s", ""]


def test_no_more_than_25_crashes_are_listed(crashes):
    for number in range(27):
        crashes.save(seconds=number)

    page = crashes.page()

    assert len(page.one("table", class_="crashes").one("tbody").all("tr")) == 25
    assert figures(page)["crashes"] == "27"


def test_the_newest_crash_says_why_it_is_the_signature(crashes):
    crashes.save()
    newest = crashes.save(seconds=5)

    links = [each.attributes["href"] for each in crashes.page().one("header", class_="crash").all("a")]

    assert f"/report/{newest}#why" in links


def test_comments_are_for_those_who_may_see_them(crashes):
    crash_id = crashes.save(user_comments="it went <b>dark</b>", version="2.4")
    crashes.save(user_comments=None)

    comments = crashes.page().one(id="comments").all("li")

    assert [each.text for each in comments] == ["it went <b>dark</b> 2026-11-30 00:00:00 Lightbox 2.4"]
    assert comments[0].one("a").attributes["href"] == f"/report/{crash_id}"
    assert not crashes.page(viewer=NOTHING).all(id="comments")
    assert "it went" not in crashes.answer(viewer=NOTHING).html


def test_who_may_not_see_a_protected_field_cannot_filter_by_it(crashes):
    crashes.save(email="ann@example.com")

    assert crashes.answer("signature=render&email=ann@example.com").status == 200
    refused = crashes.answer("signature=render&email=ann@example.com", NOTHING)

    assert refused.status == 400
    assert "it is protected" in read_html(refused.html).one("div", class_="message").text


def test_a_signature_without_crashes_in_these_days_leads_to_those_with_some(crashes):
    crashes.save(date(2026, 6, 10))

    page = crashes.page()

    assert figures(page)["crashes"] == "0"
    assert "rank" not in figures(page)
    link = next(each for each in page.all("a") if each.text == "Show the last days with a crash of it")
    assert filters_of(link.attributes["href"]) == {"signature": "render", "date": "2026-06-04..2026-06-10"}
    assert figures(crashes.page(link.attributes["href"].partition("?")[2]))["crashes"] == "1"


def test_a_product_that_never_had_the_signature_has_a_page_without_crashes(crashes):
    crashes.save(product="Darkroom")

    page = crashes.page("signature=render&product=Lightbox&uptime%3C60")

    assert figures(page)["crashes"] == "0"
    assert "first seen" not in figures(page)
    link = next(each for each in page.all("a") if each.text == "Show the last days with a crash of it")
    assert filters_of(link.attributes["href"]) == {"signature": "render", "date": "2026-11-24..2026-11-30"}


def test_the_records_follow_the_product_and_are_told_apart(crashes):
    crashes.save(YESTERDAY, product="Darkroom", version="7.1")
    crashes.save(product="Lightbox", version="2.3")

    page = crashes.page()

    assert figures(page)["first seen"] == "2026-11-29 in 7.1"
    assert [each.text for each in page.one("ul", class_="records").all("li")] == [
        "Darkroom: first seen 2026-11-29 in 7.1, last seen 2026-11-29",
        "Lightbox: first seen 2026-11-30 in 2.3, last seen 2026-11-30",
    ]
    assert figures(crashes.page("signature=render&product=Lightbox"))["first seen"] == "2026-11-30 in 2.3"


def test_crashes_beyond_the_limit_are_said_not_to_be_counted(crashes):
    for number in range(5):
        crashes.save(seconds=number, version="new" if number > 1 else "old")

    page = crashes.page(counted=3)

    assert figures(page)["crashes"] == "5"
    assert "in the newest 3 crashes" in page.one(id="values").one("h2").text
    assert tables(page)["Versions"] == [("new", 3)]


@pytest.mark.parametrize(
    ("query", "status", "title"),
    [
        ("signature=nobody", 404, "There is no such signature"),
        ("", 400, "No signature is named"),
        ("signature=", 400, "No signature is named"),
        ("signature~render", 400, "No signature is named"),
        ("signature!=render", 400, "No signature is named"),
        ("signature=a&signature=b", 400, "No signature is named"),
        ("signature=render&uptime=soon", 400, "This cannot be searched"),
        ("signature=render&nothing=x", 400, "This cannot be searched"),
        ("signature=render&days=x", 400, "This cannot be searched"),
        ("signature=render&date=2026-11-30..2026-11-01", 400, "This cannot be searched"),
        ("signature=render&nonsense", 400, "This address cannot be read"),
        ("signature=" + "x" * 2001, 400, "This address cannot be read"),
        ("signature=" + "x" * 30_001, 400, "This address cannot be read"),
    ],
)
def test_an_address_that_shows_nothing_is_answered_in_words(crashes, query, status, title):
    crashes.save()

    answer = crashes.answer(query)

    page = read_html(answer.html)
    assert (answer.status, page.one("h1").text) == (status, title)
    assert len(page.one("div", class_="message").all("p")[0].text) > 20


def test_an_unknown_signature_has_a_link_to_a_search_for_it(crashes):
    page = read_html(crashes.answer("signature=nobody+knows").html)

    (link,) = page.one("div", class_="message").all("a")
    assert link.attributes["href"] == "/search?signature~nobody+knows"


def test_a_filter_that_cannot_be_searched_can_be_removed(crashes):
    page = read_html(crashes.answer("signature=render&uptime=soon").html)

    links = [each.attributes["href"] for each in page.one("form", class_="filters").all("a")]
    assert "/signature?signature=render" in links


def test_a_parameter_that_cannot_be_read_is_not_sent_again(crashes):
    page = read_html(crashes.answer("signature=render&version=2.3&uptime%3C60&days=x").html)

    form = page.one("form", class_="filters")
    sent = {each.attributes["name"]: each.attributes["value"] for each in form.all("input")}
    assert sent == {"signature": "render", "uptime<60": ""}
    assert [each.text for each in form.one("select", name="version").all("option")] == ["any", "2.3"]
    assert not [each for each in form.all("a") if "days=x" in each.attributes["href"]]


class BrokenIndex(CrashIndex):
    """An index that is away."""

    def records(self, signature: str) -> Any:
        raise TransientStorageError("cannot read the search index: its disk is away")

    def state(self) -> IndexState:
        return IndexState("nowhere", 0, False)


@pytest.mark.parametrize(
    ("index", "words"), [(BrokenIndex(), "its disk is away"), (None, "this page needs a search index")]
)
def test_without_an_index_the_page_says_what_is_missing(index, words):
    answer = signature_page(pages(), SearchSources(index, FieldTable()), b"signature=render", EVERYTHING)

    assert answer.status == 503
    assert words in read_html(answer.html).one("div", class_="message").text


def test_an_index_that_may_lack_crashes_is_said_to(crashes, tmp_path):
    crashes.save()
    directory = IndexDirectory(tmp_path / "search")

    directory.mark_incomplete()
    assert "may lack crashes: socorro search index adds them" in crashes.page().one("p", class_="notice").text

    directory.mark_complete()
    assert not crashes.page().all("p", class_="notice")


def test_the_application_answers_the_address_of_a_signature_behind_its_guards(crashes):
    crashes.save(signature="OOM | small", version="2.3+build 5 & more")
    app = application(None, Probes(Health(), dict), OPEN, list(signature_routes(pages(), crashes.sources)))

    answer = ask(app, "/signature?signature=OOM+|+small&version=2.3%2Bbuild+5+%26+more")

    assert answer.status == 200
    page = read_html(answer.text)
    assert (page.one("h1").text, figures(page)["crashes"]) == ("OOM | small", "1")
    assert "default-src 'none'" in answer.header("Content-Security-Policy")
    assert ask(app, "/signature?signature=OOM+|+small", headers={"Host": "example.com"}).status == 403
