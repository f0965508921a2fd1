"""The page of the signatures that crash most: its numbers are those of the crashes, its links lead to these."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from socorro_processor.errors import TransientStorageError
from socorro_processor.fields import FieldTable
from socorro_processor.monitoring.health import Health
from socorro_processor.search.base import CrashIndex
from socorro_processor.search.results import IndexState, Top
from socorro_processor.search.sqlite.directory import IndexDirectory
from socorro_processor.web.application import application
from socorro_processor.web.pages.address import read_address
from socorro_processor.web.pages.search_sources import SearchSources
from socorro_processor.web.probes import Probes
from socorro_processor.web.top.top_page import top_page
from socorro_processor.web.top.top_routes import top_routes
from tests.asgi import ask
from tests.browser.hostile import MARKUP
from tests.unit.web.crash_pages import EVERYTHING, NOTHING, pages
from tests.unit.web.html_tree import Element, read_html
from tests.unit.web.signature_crashes import TODAY, Crashes, crashes_in, figures
from tests.unit.web.top_pages import NOTHING_ARRIVES, ORIGIN, answer_of, filters_of, listed, page_of
from tests.viewers import OPEN

YESTERDAY = TODAY - timedelta(days=1)
BEFORE = TODAY - timedelta(days=7)


@pytest.fixture
def crashes(tmp_path):
    with crashes_in(tmp_path / "search") as made:
        yield made


def save(crashes: Crashes, number: int, **fields: Any) -> None:
    for each in range(number):
        crashes.save(install_time=each, **fields)


def by_day(page: Element) -> dict[str, int]:
    rows = page.one("figure", class_="chart").one("tbody").all("tr")
    return {row.one("th").text: int(row.all("td")[-1].text) for row in rows}


def test_signatures_are_listed_with_all_that_is_known_of_them(crashes):
    save(crashes, 1, day=BEFORE - timedelta(days=30), signature="render")
    save(crashes, 4, day=BEFORE, signature="exit")
    save(crashes, 2, day=BEFORE, signature="render")
    save(crashes, 6, signature="render", os_name="Linux")
    save(crashes, 2, day=YESTERDAY, signature="render", os_name="Windows NT")
    save(crashes, 2, day=YESTERDAY, signature=None)

    page = page_of(crashes)

    assert [tuple(row) for row in listed(page)] == [
        (
            *(1, "▲1 rank 2 in the 7 days before", "render", 8, "80.0%", "+46.7", 6),
            *({"Linux": "75%", "Windows NT": "25%"}, "2026-10-24 2026-11-30"),
        ),
        (2, "no crash in the 7 days before", "(no signature)", 2, "20.0%", "+20.0", 2, {"none": "100%"}, ""),
    ]
    assert figures(page) == {"crashes": "10", "in the 7 days before": "6 now +67%", "signatures": "2"}
    assert by_day(page) == {str(TODAY - timedelta(days=each)): {0: 6, 1: 4}.get(each, 0) for each in range(7)}
    (line, _) = page.all("svg", class_="sparkline")
    assert line.attributes["aria-label"] == "0, 0, 0, 0, 0, 2, 6 crashes from 2026-11-24 to 2026-11-30"


SIGNATURES = ("render", "exit", None)
FIELDS = {
    "product": st.sampled_from(["Lightbox", "Darkroom"]),
    "version": st.sampled_from(["2.3", "2.10", None]),
    "os_name": st.sampled_from(["Linux", "Windows NT", None]),
    "release_channel": st.sampled_from(["release", "beta", None]),
    "reason": st.sampled_from(["SIGSEGV", None]),
    "install_time": st.sampled_from([1, 2, 3, None]),
}
CRASHES = st.lists(
    st.fixed_dictionaries({"day": st.integers(0, 9), "signature": st.sampled_from(SIGNATURES), **FIELDS}),
    min_size=1,
    max_size=14,
)
VALUES = {
    "product": "Lightbox",
    "version": "2.3",
    "release_channel": "beta",
    "os_name": "Linux",
    "reason": "SIGSEGV",
}
FILTERS = st.sets(st.sampled_from(sorted(VALUES)), max_size=2).map(lambda names: {name: VALUES[name] for name in names})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CRASHES, FILTERS, st.sampled_from([1, 4]))
def test_every_number_is_that_of_the_crashes_with_these_filters_in_these_days(
    tmp_path_factory: pytest.TempPathFactory, made: list[dict[str, Any]], filters: dict[str, str], days: int
):
    with crashes_in(tmp_path_factory.mktemp("search") / "index") as crashes:
        for each in made:
            each = dict(each)
            crashes.save(TODAY - timedelta(days=each.pop("day")), **each)
        first = TODAY - timedelta(days=days - 1)
        found = [each for each in crashes.saved if all(each.get(name) == value for name, value in filters.items())]
        now = [each for each in found if each["date_processed"][:10] >= str(first)]
        before = [
            each for each in found if str(first - timedelta(days=days)) <= each["date_processed"][:10] < str(first)
        ]
        page = page_of(crashes, "&".join([f"days={days}", *(f"{name}={value}" for name, value in filters.items())]))

    if not now:
        assert not listed(page)
        assert f"{len(before)} crash" in page.one("section", class_="nothing").text
        return
    assert figures(page)["crashes"] == str(len(now))
    assert next(value for name, value in figures(page).items() if "before" in name).split()[0] == str(len(before))
    assert by_day(page) == {
        str(first + timedelta(days=each)): sum(
            crash["date_processed"].startswith(str(first + timedelta(days=each))) for crash in now
        )
        for each in range(days)
    }
    counts = Counter(each.get("signature") for each in now)
    assert {row.signature: row.crashes for row in listed(page)} == {
        name or "(no signature)": number for name, number in counts.items()
    }
    assert [row.crashes for row in listed(page)] == sorted(counts.values(), reverse=True)
    for row in listed(page):
        signature = None if row.signature == "(no signature)" else row.signature
        of_it = [each for each in now if each.get("signature") == signature]
        was = sum(each.get("signature") == signature for each in before)
        assert row.rank == 1 + sum(number > len(of_it) for number in counts.values())
        assert row.share == ("100%" if len(of_it) == len(now) else f"{len(of_it) / len(now):.1%}")
        difference = 100 * (len(of_it) / len(now) - was / len(before)) if before else None
        shown = "" if difference is None else "0.0" if abs(difference) < 0.05 else f"{difference:+.1f}"
        assert row.difference.replace("\N{MINUS SIGN}", "-") == shown
        assert row.installations == len({each.get("install_time") for each in of_it} - {None})
        systems = Counter(each.get("os_name", "none") for each in of_it)
        assert row.systems == {name: f"{number / len(of_it):.0%}" for name, number in systems.items()}
        all_of_it = [
            each["date_processed"][:10]
            for each in crashes.saved
            if each.get("signature") == signature and each["product"] == filters.get("product", each["product"])
        ]
        assert row.seen == ("" if signature is None else f"{min(all_of_it)} {max(all_of_it)}")


def test_new_is_what_was_first_seen_in_these_days_and_in_the_last_7_of_them(crashes):
    save(crashes, 1, day=BEFORE - timedelta(days=60), signature="old")
    for signature in ("old", "new"):
        save(crashes, 1, signature=signature)
    save(crashes, 1, day=BEFORE - timedelta(days=3), signature="not so new")

    def changes(query: str) -> dict[str, str]:
        return {row.signature: row.change for row in listed(page_of(crashes, query))}

    assert changes("days=7") == {"new": "new", "old": "no crash in the 7 days before"}
    assert changes("days=28") == {
        "new": "new",
        "old": "no crash in the 28 days before",
        "not so new": "no crash in the 28 days before",
    }


def test_a_rank_that_fell_and_one_that_stayed_are_told_apart(crashes):
    for day, counts in ((BEFORE, {"a": 3, "b": 2, "c": 1}), (TODAY, {"a": 5, "c": 4, "b": 1})):
        for signature, number in counts.items():
            save(crashes, number, day=day, signature=signature)

    found = {row.signature: row.change.split()[0] for row in listed(page_of(crashes))}

    assert found == {"a": "=", "c": "▲1", "b": "▼1"}


def test_links_lead_to_the_signature_and_to_its_crashes_with_the_same_filters_and_days(crashes):
    save(crashes, 2, signature="render", os_name="Linux", uptime=3)
    save(crashes, 1, signature=None, uptime=3)
    query = "product=Lightbox&uptime%3C60&days=28&sort=installations"
    same = {"product": "Lightbox", "uptime<60": "", "days": "28"}

    page = page_of(crashes, query)

    first, second = page.one("table", class_="top-crashes").one("tbody").all("tr")
    link = first.one("th").one("a").attributes["href"]
    assert link.startswith("/signature?")
    assert filters_of(link) == {**same, "signature": "render"}
    for row, named in ((first, {"signature": "render"}), (second, {"signature!?": ""})):
        link = row.one("td", class_="crashes").one("a").attributes["href"]
        assert link.startswith("/search?")
        assert filters_of(link) == {**same, **named}
    system = first.one("td", class_="systems").one("a").attributes["href"]
    assert filters_of(system) == {**same, "signature": "render", "os_name": "Linux"}
    no_system = second.one("td", class_="systems").one("a").attributes["href"]
    assert filters_of(no_system) == {**same, "signature!?": "", "os_name!?": ""}
    bar = page.one("svg", role="group").all("a")[-1].attributes["href"]
    others = {"date": str(TODAY), "sort": "installations"}
    assert filters_of(bar) == {"product": "Lightbox", "uptime<60": "", **others}


def test_the_choices_are_those_of_these_days_and_of_the_product(crashes):
    save(crashes, 2, version="2.9", release_channel="beta")
    save(crashes, 1, version="2.10", os_name="Linux")
    save(crashes, 1, product="Darkroom", version="7.0", os_name="Windows NT")
    save(crashes, 1, day=BEFORE, product="Frame", version="1.0")

    page = page_of(crashes, "product=Lightbox")

    chosen = {
        select.attributes["name"]: [each.text for each in select.all("option")]
        for select in page.one("form", class_="filters").all("select")
    }
    assert chosen == {
        "product": ["any", "Lightbox", "Darkroom"],
        "version": ["any", "2.10", "2.9"],
        "release_channel": ["any", "beta"],
        "os_name": ["any", "Linux"],
    }


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("", ["many", "more", "wide"]),
        ("sort=installations", ["wide", "more", "many"]),
        ("sort=difference", ["wide", "more", "many"]),
    ],
)
def test_the_list_can_have_another_order_and_says_which(crashes, sort, expected):
    save(crashes, 1, day=BEFORE, signature="more")
    save(crashes, 8, day=BEFORE, signature="many")
    for _ in range(6):
        crashes.save(signature="many", install_time=1)
    for number in range(4):
        crashes.save(signature="more", install_time=number % 2)
    save(crashes, 3, signature="wide")

    page = page_of(crashes, sort)

    assert [row.signature for row in listed(page)] == expected
    assert {row.signature: row.rank for row in listed(page)} == {"many": 1, "more": 2, "wide": 3}
    (head,) = [each for each in page.all("th") if "aria-sort" in each.attributes]
    assert head.text == f"{sort.removeprefix('sort=') or 'crashes'} ↓"
    head = page.one("table", class_="top-crashes").one("thead")
    links = [filters_of(each.attributes["href"]).get("sort") for each in head.all("a")]
    assert links == [None, "difference", "installations"]


def test_a_page_has_50_signatures_and_leads_to_the_next_ones(crashes):
    for number in range(53):
        crashes.save(signature=f"function{number:02}")

    page = page_of(crashes, "product=Lightbox")
    paging = page.one("nav", class_="paging")
    assert [row.signature for row in listed(page)] == [f"function{number:02}" for number in range(50)]
    assert "1 to 50 of 53" in paging.text
    (link,) = paging.all("a")
    assert filters_of(link.attributes["href"]) == {"product": "Lightbox", "offset": "50"}

    page = page_of(crashes, "product=Lightbox&offset=50")
    assert [row.signature for row in listed(page)] == ["function50", "function51", "function52"]
    (link,) = page.one("nav", class_="paging").all("a")
    assert filters_of(link.attributes["href"]) == {"product": "Lightbox"}

    page = page_of(crashes, "product=Lightbox&offset=100")
    assert "There are only 53 signatures" in page.one("main").text

    # Far beyond the last page, the one before is the last.
    previous = page_of(crashes, "product=Lightbox&offset=100000").one("nav", class_="paging").one("a")
    assert filters_of(previous.attributes["href"]) == {"product": "Lightbox", "offset": "50"}
    assert "There is only 1 signature." in page_of(crashes, "signature=function07&offset=50").one("main").text


def test_today_is_said_not_to_be_over(crashes):
    crashes.save()
    crashes.save(YESTERDAY)

    assert "Today is not over yet" in page_of(crashes).one("main").text
    assert "Today" not in page_of(crashes, f"date={BEFORE}..{YESTERDAY}").one("main").text


def test_filters_that_no_crash_has_can_be_removed_and_days_without_crashes_be_left(crashes):
    crashes.save(BEFORE - timedelta(days=30), version="2.0")
    crashes.save(version="2.3")

    page = page_of(crashes, "version=2.0")

    nothing = page.one("section", class_="nothing")
    assert "No crash in these days has these filters" in nothing.text
    links = {each.text: filters_of(each.attributes["href"]) for each in nothing.all("a")}
    assert links == {
        "Show the last days with such a crash": {"version": "2.0", "date": "2026-10-18..2026-10-24"},
        "Remove all filters and choose the last 7 days": {},
        "Show 90 days": {"version": "2.0", "days": "90"},
    }
    assert [row.signature for row in listed(page_of(crashes, "version=2.0&date=2026-10-18..2026-10-24"))] == ["render"]
    nothing = page_of(crashes, "version=9&days=90").one("section", class_="nothing")
    assert [each.text for each in nothing.all("a")] == ["Remove all filters and choose the last 7 days"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("nothing=1", "there is no such field"),
        ("uptime=soon", "it is not a whole number"),
        ("days=x", "days='x'"),
        ("sort=product", "sort is crashes, installations, difference"),
        ("offset=-1", "offset='-1'"),
        ("date=tomorrow", "tomorrow"),
    ],
)
def test_an_address_that_cannot_be_answered_is_400_with_words_and_filters_to_mend(crashes, query, words):
    crashes.save()

    answer = answer_of(crashes, query)

    page = read_html(answer.html)
    assert answer.status == 400
    assert words in page.one("div", class_="message").text
    form = page.one("form", class_="filters")
    # What was wrong with a parameter is not sent again.
    assert not {each.attributes["name"] for each in form.all("input")} & {"days", "date", "sort", "offset"}


def test_protected_fields_can_be_named_only_by_those_who_may_see_them(crashes):
    crashes.save(email="a@example.com")

    assert answer_of(crashes, "email?").status == 200
    assert answer_of(crashes, "email?", NOTHING).status == 400


class BrokenIndex(CrashIndex):
    """An index that is away."""

    def top(self, *arguments: Any, **options: Any) -> Top:
        raise TransientStorageError("cannot read the search index: its disk is away")

    def state(self) -> IndexState:
        return IndexState("nowhere", 0, False)


def test_while_the_index_is_away_the_page_says_so():
    sources = SearchSources(BrokenIndex(), FieldTable(), lambda: TODAY)

    answer = top_page(pages(), sources, NOTHING_ARRIVES, b"", ORIGIN, EVERYTHING)

    assert answer.status == 503
    assert "its disk is away" in read_html(answer.html).one("div", class_="message").text


def test_an_index_that_may_lack_crashes_is_said_to(crashes, tmp_path):
    crashes.save()
    IndexDirectory(tmp_path / "search").mark_incomplete()

    assert "may lack crashes: socorro search index adds them" in page_of(crashes).one("p", class_="notice").text


def test_the_command_that_lists_the_same_is_named(crashes):
    crashes.save(version="2.3 beta")

    words = page_of(crashes, "version=2.3+beta&days=1").one("p", class_="command").text

    assert words == "In a terminal: socorro top 'version=2.3 beta' --date=2026-11-30..2026-11-30"


HOSTILE = (MARKUP, "\u202egnp.exe", "a\0b", "\ud800", "f" * 4000, "'\"><svg onload=x>", "%2e%2e/&?#;", " ")


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_stays_text_in_every_place(crashes, text):
    fields = ("signature", "product", "version", "release_channel", "os_name")
    crashes.save(**dict.fromkeys(fields, text))
    crashes.save()

    page = page_of(crashes)

    assert len(listed(page)) == 2
    assert not page.all("img")
    assert [each.attributes.get("src", "").startswith("/static/") for each in page.all("script")] == [True]
    assert not [name for each in page.walk() for name in each.attributes if name.startswith("on") or name == "style"]
    assert "\u202e" not in page.text
    for link in page.one("table", class_="top-crashes").all("a"):
        address = link.attributes["href"]
        path, _, query = address.partition("?")
        assert path in ("/", "/signature", "/search")
        if path == "/search":
            assert crashes.sources.index.count(read_address(path, query.encode()).filters) >= 1, address


def test_the_application_answers_behind_its_guards(crashes):
    save(crashes, 2, signature="OOM | small", version="2.3+5 & more")
    routes = list(top_routes(pages(), crashes.sources, NOTHING_ARRIVES))
    app = application(None, Probes(Health(), dict), OPEN, routes)

    answer = ask(app, "/?version=2.3%2B5+%26+more")
    assert (answer.status, answer.header("content-type")) == (200, "text/html; charset=utf-8")
    assert [row.signature for row in listed(read_html(answer.text))] == ["OOM | small"]
    assert ask(app, "/", headers={"Host": "example.com"}).status == 403
    assert ask(app, "/", "POST", headers={"Origin": ORIGIN}).status in (403, 405)
    assert ask(app, "/?nothing=1").status == 400
