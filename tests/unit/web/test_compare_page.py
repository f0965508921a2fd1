"""The page that compares two versions: which it chooses, its numbers, and where its links lead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from socorro_processor.errors import TransientStorageError
from socorro_processor.fields import FieldTable
from socorro_processor.monitoring.health import Health
from socorro_processor.search.base import CrashIndex
from socorro_processor.search.results import IndexState
from socorro_processor.search.sqlite.directory import IndexDirectory
from socorro_processor.web.application import application
from socorro_processor.web.pages.address import read_address
from socorro_processor.web.pages.answer import Answer
from socorro_processor.web.pages.search_sources import SearchSources
from socorro_processor.web.pages.viewer import Viewer
from socorro_processor.web.probes import Probes
from socorro_processor.web.top.compare_page import compare_page
from socorro_processor.web.top.compare_view import LEAST_CRASHES
from socorro_processor.web.top.top_routes import top_routes
from tests.asgi import ask
from tests.browser.hostile import ELEMENT, ODD
from tests.unit.web.crash_pages import EVERYTHING, NOTHING, pages
from tests.unit.web.html_tree import Element, read_html
from tests.unit.web.signature_crashes import TODAY, Crashes, crashes_in, figures
from tests.unit.web.top_pages import NOTHING_ARRIVES, filters_of
from tests.viewers import OPEN

MINUS = "\N{MINUS SIGN}"
GROUPS = ("only-b", "only-a", "both")


@pytest.fixture
def crashes(tmp_path: Path) -> Iterator[Crashes]:
    with crashes_in(tmp_path / "search") as made:
        yield made


def answer_of(crashes: Crashes, query: str = "", viewer: Viewer = EVERYTHING) -> Answer:
    return compare_page(pages(), crashes.sources, query.encode(), viewer)


def page_of(crashes: Crashes, query: str = "", viewer: Viewer = EVERYTHING) -> Element:
    answer = answer_of(crashes, query, viewer)
    assert answer.status == 200, read_html(answer.html).one("main").text
    return read_html(answer.html)


def save(crashes: Crashes, counts: Mapping[str, Mapping[str | None, int]], **fields: Any) -> None:
    """Save crashes by version and signature."""
    for version, signatures in counts.items():
        for signature, number in signatures.items():
            for _ in range(number):
                crashes.save(version=version, signature=signature, **fields)


def rows(page: Element, group: str) -> list[Element]:
    return [row for section in page.all("section", id=group) for row in section.one("tbody").all("tr")]


def numbers(page: Element, group: str) -> dict[str, tuple[str, ...]]:
    """Return by signature: crashes and share, of a and b or of the only one, and the change."""
    return {
        row.one("th").text: (
            *(
                text
                for crashes, share in zip(
                    row.all("td", class_="crashes"), row.all("td", class_="share-of"), strict=True
                )
                for text in (crashes.one("a").text, share.text)
            ),
            row.one("td", class_="difference").text,
        )
        for row in rows(page, group)
    }


def doubts(page: Element) -> list[str]:
    """Return what the page says against its numbers, besides what the index lacks."""
    boxes = page.all("section")[0].all(class_="notice")
    assert len(boxes) <= 1
    return [each.text for box in boxes for each in box.all("p")]


def chosen(page: Element) -> tuple[str, ...]:
    """Return product, a and b."""
    form = page.one("form", class_="filters")
    products = [each.attributes["value"] for each in form.all("input", name="product")]
    selects = [form.one("select", name=name) for name in ("a", "b")]
    options = [each for select in selects for each in select.all("option") if "selected" in each.attributes]
    return (*products, *(each.attributes["value"] for each in options))


def link(page: Element, words: str) -> str:
    """Return what stands behind the question mark of a link."""
    (found,) = {each.attributes["href"] for each in page.one("main").all("a") if each.text == words}
    return found.partition("?")[2]


def test_signatures_are_in_three_groups_with_their_share_of_each_version(crashes):
    save(
        crashes,
        {
            "2.3": {"render": 30, "paint": 10, "gone": 8, "rare": 2},
            "2.4": {"render": 10, "paint": 80, "came": 9, None: 1},
        },
    )

    page = page_of(crashes)

    assert numbers(page, "only-b") == {"came": ("9", "9.0%", "+9.0"), "(no signature)": ("1", "1.0%", "few +1.0")}
    assert numbers(page, "only-a") == {"gone": ("8", "16.0%", f"{MINUS}16.0"), "rare": ("2", "4.0%", f"{MINUS}4.0")}
    assert numbers(page, "both") == {
        "paint": ("10", "20.0%", "80", "80.0%", "+60.0"),
        "render": ("30", "60.0%", "10", "10.0%", f"{MINUS}50.0"),
    }
    assert list(numbers(page, "both")) == ["paint", "render"]
    assert figures(page) == {
        "crashes of a": "50 2.3",
        "crashes of b": "100 2.4",
        "only in 2.4": "2 signatures",
        "only in 2.3": "2 signatures",
        "in both": "2 signatures",
    }
    heads = [page.one("section", id=group).one("h2").text for group in GROUPS]
    assert heads == [
        "Only in 2.4 2 signatures, 10 crashes",
        "Only in 2.3 2 signatures, 10 crashes",
        "In both, the most changed first 2 signatures, 130 crashes",
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ("2.9", "2.10")),
        ("a=&b=", ("2.9", "2.10")),
        ("b=2.9", ("2.3", "2.9")),
        ("b=2.3", ("2.10", "2.3")),
        ("a=2.3", ("2.3", "2.10")),
        ("a=2.10", ("2.10", "2.9")),
        ("a=2.10&b=2.3", ("2.10", "2.3")),
        # Named by the field, the older is a.
        ("version=2.9", ("2.3", "2.9")),
        ("version=2.3&version=2.9", ("2.3", "2.9")),
        ("version=2.10&version=2.3", ("2.3", "2.10")),
        ("version=2.10&version=2.9", ("2.9", "2.10")),
        ("version=unknown&version=2.3", ("unknown", "2.3")),
        ("version=2.10&version=1.0", ("1.0", "2.10")),
        # a and b win.
        ("a=2.3&version=2.9", ("2.3", "2.9")),
        ("b=2.9&version=2.10", ("2.10", "2.9")),
        ("a=2.3&b=2.9&version=2.9", ("2.3", "2.9")),
        ("a=2.10&version=2.10", ("2.10", "2.9")),
        # Filters of other kinds choose among the versions.
        ("version%5E2.&a=2.3", ("2.3", "2.10")),
        ("version!=2.10", ("2.3", "2.9")),
        ("a=1.0", ("1.0", "2.10")),
    ],
)
def test_versions_are_those_that_the_address_names_or_the_newest(crashes, query, expected):
    save(crashes, {version: {"render": 2} for version in ("2.10", "2.3", "2.9", "unknown")})
    save(crashes, {"7": {"render": 1}, "8": {"render": 1}}, product="Frame")
    crashes.save(TODAY - timedelta(days=40), version="3.0")

    page = page_of(crashes, query)

    assert chosen(page) == ("Lightbox", *expected)
    assert page.one("h1").text == f"Lightbox {expected[0]} and {expected[1]}"
    assert not [each for each in doubts(page) if "left out" in each]


@pytest.mark.parametrize(
    ("query", "compared", "left_out"),
    [
        ("version=2.3&version=2.9&version=2.10", ("2.9", "2.10"), "two versions. The address also names 2.3"),
        ("a=2.3&version=2.9&version=2.10", ("2.3", "2.10"), "two versions. The address also names 2.9"),
        ("a=2.3&b=2.9&version=2.10", ("2.3", "2.9"), "two versions. The address also names 2.10"),
        (
            "a=2.9&b=2.10&" + "&".join(f"version=1.{number}" for number in range(8)),
            ("2.9", "2.10"),
            "two versions. The address also names 1.0, 1.1, 1.2, 1.3, 1.4 and 3 more",
        ),
        (
            "product=Lightbox&product=Frame",
            ("2.9", "2.10"),
            "versions of one product. The address also names Frame",
        ),
    ],
)
def test_named_versions_and_products_beyond_those_compared_are_said_to_be_left_out(crashes, query, compared, left_out):
    save(crashes, {version: {"render": 30} for version in ("2.3", "2.9", "2.10")})
    crashes.save(product="Frame")

    page = page_of(crashes, query)

    assert chosen(page)[1:] == compared
    assert doubts(page) == [f"This page compares {left_out}: left out."]
    # Its links say what it compares, and nothing else.
    assert "version" not in filters_of(f"/compare?{link(page, 'swap a and b')}")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("product=Frame", ("Frame", "7", "8")),
        ("product!=Lightbox", ("Frame", "7", "8")),
        ("os_name=Linux", ("Frame", "7", "8")),
        ("a=7&b=8", ("Frame", "7", "8")),
        ("version=8", ("Frame", "7", "8")),
        ("signature=nothing", ("Lightbox",)),
    ],
)
def test_the_product_is_that_of_the_address_or_one_with_most_of_its_crashes(crashes, query, expected):
    save(crashes, {version: {"render": 5} for version in ("2.3", "2.4")})
    save(crashes, {version: {"render": 1} for version in ("7", "8")}, product="Frame", os_name="Linux")

    assert chosen(page_of(crashes, query)) == expected


def test_another_product_is_a_click_away_also_from_one_without_crashes(crashes):
    save(crashes, {"2.3": {"render": 2}, "2.4": {"render": 2}})

    page = page_of(crashes, "product=Darkroom&a=1&b=2&os_name!=Linux")

    links = {each.text: each.attributes["href"] for each in page.one("p", class_="products").all("a")}
    assert {name: filters_of(each) for name, each in links.items()} == {
        "Lightbox": {"product": "Lightbox", "os_name!": "Linux"},
        "Darkroom": {"product": "Darkroom", "os_name!": "Linux"},
    }


def test_the_choices_are_the_versions_that_the_product_has_in_these_days_the_newest_first(crashes):
    save(crashes, {version: {"render": 1} for version in ("2.9", "2.10", "2.3", "unknown")})
    save(crashes, {"8": {"render": 1}}, product="Frame")
    crashes.save(TODAY - timedelta(days=40), version="3.0")

    def choices(query: str) -> list[list[str]]:
        form = page_of(crashes, query).one("form", class_="filters")
        assert form.all("select", name="version") == []
        selects = [form.one("select", name=name) for name in ("a", "b")]
        return [[each.attributes["value"] for each in select.all("option")] for select in selects]

    assert choices("") == [["", "2.10", "2.9", "2.3"]] * 2
    assert choices("days=60")[1] == ["", "3.0", "2.10", "2.9", "2.3"]
    # A version that has no crash is one to choose once the address names it.
    assert choices("b=9.9") == [["", "2.10", "2.9", "2.3"], ["", "2.10", "2.9", "2.3", "9.9"]]


QUERIES: Mapping[str, Callable[[dict[str, Any]], bool]] = {
    "": lambda crash: True,
    "os_name=Linux": lambda crash: crash["os_name"] == "Linux",
    "release_channel!=beta": lambda crash: "release_channel" not in crash,
    "uptime%3C60": lambda crash: crash["uptime"] < 60,
    "days=3": lambda crash: crash["date_processed"][:10] >= str(TODAY - timedelta(days=2)),
    "date=2026-11-23..2026-11-24": lambda crash: crash["date_processed"][:10] in ("2026-11-23", "2026-11-24"),
    "signature~r": lambda crash: "r" in crash.get("signature", ""),
    "email?": lambda crash: "email" in crash,
    "version!=2.3": lambda crash: crash["version"] != "2.3",
}


@pytest.mark.parametrize("query", QUERIES)
def test_every_number_is_that_of_the_crashes_with_these_filters_in_these_days(crashes, query):
    for number in range(120):
        crashes.save(
            TODAY - timedelta(days=number % 9),
            version=("2.3", "2.4", "2.2")[number % 3],
            signature=("render", "paint", None, "draw", "only2.3" if number % 3 == 0 else "draw")[number % 5],
            os_name=("Linux", "Windows NT")[number % 4 == 0],
            release_channel=("beta", None)[number % 7 == 0],
            uptime=number,
            email="a@example.com" if number % 2 else None,
            product=("Lightbox", "Frame")[number % 11 == 0],
        )
    days = "2026-11-23" if "date=" in query else str(TODAY - timedelta(days=6))
    found = [
        each
        for each in crashes.saved
        if each["product"] == "Lightbox" and each["date_processed"][:10] >= days and QUERIES[query](each)
    ]
    expected = Counter((each["version"], each.get("signature", "(no signature)")) for each in found)
    totals = Counter(each["version"] for each in found)

    page = page_of(crashes, f"product=Lightbox&a=2.3&b=2.4&{query}")

    signatures = {signature for version, signature in expected if version != "2.2"}
    assert signatures
    groups = {
        "only-b": {each for each in signatures if not expected["2.3", each]},
        "only-a": {each for each in signatures if not expected["2.4", each]},
        "both": {each for each in signatures if expected["2.3", each] and expected["2.4", each]},
    }
    for group, members in groups.items():
        shown = numbers(page, group)
        assert shown.keys() == members
        for signature, cells in shown.items():
            counts = {version: expected[version, signature] for version in ("2.3", "2.4")}
            shares = {version: count / totals[version] if count else 0 for version, count in counts.items()}
            change = 100 * (shares["2.4"] - shares["2.3"])
            assert [*cells[:-1]] == [
                text
                for version, count in counts.items()
                if count
                for text in (str(count), "100%" if shares[version] == 1 else f"{shares[version]:.1%}")
            ]
            written = "0.0" if abs(change) < 0.05 else f"{change:+.1f}".replace("-", MINUS)
            assert cells[-1].removeprefix("few ") == written
    assert figures(page) == {
        "crashes of a": f"{totals['2.3']} 2.3",
        "crashes of b": f"{totals['2.4']} 2.4",
        **{
            name: f"{len(groups[group])} signature{'' if len(groups[group]) == 1 else 's'}"
            for name, group in (("only in 2.4", "only-b"), ("only in 2.3", "only-a"), ("in both", "both"))
        },
    }


def test_signatures_and_counts_lead_to_their_pages_with_the_same_filters_and_days(crashes):
    save(crashes, {"2.3": {"a & b": 3}, "2.4": {"a & b": 1, None: 2}}, os_name="Linux")
    save(crashes, {"2.3": {"a & b": 5}}, os_name="Windows NT")
    same = {"product": "Lightbox", "os_name": "Linux", "version^2.": "", "days": "3"}

    page = page_of(crashes, "os_name=Linux&days=3&a=2.3&b=2.4&version%5E2.&limit=7")

    (row,) = rows(page, "both")
    signature = row.one("th").one("a").attributes["href"]
    assert signature.startswith("/signature?")
    assert filters_of(signature) == {**same, "signature": "a & b"}
    (unsigned,) = rows(page, "only-b")
    links = [each.one("a").attributes["href"] for tr in (row, unsigned) for each in tr.all("td", class_="crashes")]
    assert [filters_of(each) for each in links] == [
        {**same, "version": "2.3", "signature": "a & b"},
        {**same, "version": "2.4", "signature": "a & b"},
        {**same, "version": "2.4", "signature!?": ""},
    ]
    found = [read_address("/search", each.partition("?")[2].encode()).filters for each in links]
    assert [crashes.sources.index.count(each) for each in found] == [3, 1, 2]
    assert filters_of(f"/?{link(page, 'top crashes of 2.4')}") == {**same, "version": "2.4"}


def test_the_versions_can_be_swapped(crashes):
    save(crashes, {"2.3": {"old": 1}, "2.4": {"new": 1}})

    page = page_of(crashes, link(page_of(crashes, "version=2.3&version=2.4"), "swap a and b"))

    assert chosen(page) == ("Lightbox", "2.4", "2.3")
    assert list(numbers(page, "only-b")) == ["old"]


def test_the_form_keeps_days_and_other_filters_and_sends_each_version_once(crashes):
    save(crashes, {"2.3": {"old": 1}, "2.4": {"new": 1}})

    page = page_of(crashes, "version=2.3&b=2.4&signature!=x&version^2.&date=2026-11-01..2026-11-30&limit=5")

    form = page.one("form", class_="filters")
    hidden = {each.attributes["name"]: each.attributes["value"] for each in form.all("input", type="hidden")}
    assert hidden == {
        "product": "Lightbox",
        "signature!": "x",
        "version^2.": "",
        "date": "2026-11-01..2026-11-30",
        "limit": "5",
    }
    assert [each.attributes["name"] for each in form.all("select")] == ["a", "b", "release_channel", "os_name"]
    assert [each.one("code").text for each in form.all("li") if each.all("code")] == ["version^2.", "signature!=x"]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (LEAST_CRASHES - 1, LEAST_CRASHES, ["2.3 has only 19 crashes"]),
        (LEAST_CRASHES, LEAST_CRASHES, []),
        (1, 2, ["2.3 has only 1 crash, 2.4 has only 2 crashes"]),
    ],
)
def test_a_version_with_few_crashes_is_said_to_tell_little(crashes, a, b, expected):
    save(crashes, {"2.3": {"render": a}, "2.4": {"render": b}})

    end = " in these days: with fewer than 20, shares mean little."
    assert doubts(page_of(crashes)) == [f"{each}{end}" for each in expected]


def test_all_that_a_comparison_lacks_is_in_one_box(crashes):
    save(crashes, {"2.3": {"render": 5}, "2.4": {"render": 5}})

    said = doubts(page_of(crashes, "product=Lightbox&version=2.2&version=2.3&version=2.4&b=2.5"))

    assert [each.split(":")[0] for each in said] == [
        "This page compares two versions. The address also names 2.2, 2.3",
        "No crash of 2.5 has these filters in these days. Compare the two newest",
        "2.4 has only 5 crashes in these days",
    ]


def test_a_change_that_is_shown_as_0_has_no_bar(crashes):
    save(crashes, {"2.3": {"render": 40, "paint": 20}, "2.4": {"render": 40, "paint": 20}})

    page = page_of(crashes)

    assert numbers(page, "both") == {
        name: (count, share, count, share, "0.0")
        for name, count, share in (("render", "40", "66.7%"), ("paint", "20", "33.3%"))
    }
    assert page.one("section", id="both").all("svg") == []


def test_a_named_version_without_crashes_is_said_to_have_none(crashes):
    save(crashes, {"2.3": {"render": 30}, "2.4": {"render": 30}})

    page = page_of(crashes, "b=2.5")

    assert doubts(page) == [
        "No crash of 2.5 has these filters in these days. Compare the two newest",
    ]
    assert numbers(page, "only-a") == {"render": ("30", "100%", f"few {MINUS}100.0")}
    assert chosen(page_of(crashes, link(page, "Compare the two newest"))) == ("Lightbox", "2.3", "2.4")


@pytest.mark.parametrize("query", ["a=2.3&b=2.3", "a=2.3&b=2.3&version=2.3"])
def test_a_version_beside_itself_is_said_to_be_the_same(crashes, query):
    save(crashes, {"2.3": {"render": 30}, "2.4": {"render": 30}})

    page = page_of(crashes, query)

    assert doubts(page) == ["Both are the same version. Compare the two newest"]
    assert numbers(page, "both") == {"render": ("30", "100%", "30", "100%", "0.0")}


def test_what_a_version_may_lack_by_chance_is_marked(crashes):
    save(crashes, {"2.3": {"steady": 52, "up": 10, "once": 1}, "2.4": {"steady": 30, "up": 40, "other": 30}})

    page = page_of(crashes)

    assert {row.one("th").text: bool(row.all(class_="chance")) for group in GROUPS for row in rows(page, group)} == {
        "steady": False,
        "up": False,
        "once": True,
        "other": False,
    }


def test_a_group_has_its_first_rows_and_a_link_to_all(crashes):
    save(crashes, {"2.3": {"render": 1}, "2.4": {f"new{number}": 1 for number in range(5)}})

    page = page_of(crashes, "limit=3")

    assert len(rows(page, "only-b")) == 3
    assert page.one("section", id="only-b").one("p", class_="more").text.startswith("3 are shown.")
    assert page.one("section", id="only-b").one("h2").text == "Only in 2.4 5 signatures, 5 crashes"
    assert len(rows(page_of(crashes, link(page, "Show up to 1,000 of each group")), "only-b")) == 5


def test_signatures_that_are_too_rare_to_be_compared_are_counted(crashes):
    save(crashes, {"2.3": {"render": 1}, "2.4": {f"new{number:04}": 1 for number in range(1003)}})

    page = page_of(crashes)

    assert figures(page)["only in 2.4"] == "1,000 signatures"
    assert "3 rarer ones are left out" in page.one("main").text


@pytest.mark.parametrize(
    ("versions", "words"),
    [([], "No crash of these days names its product."), (["2.3"], "Only one version of Lightbox has crashes")],
)
def test_without_two_versions_the_page_offers_more_days(crashes, versions, words):
    save(crashes, {version: {"render": 1} for version in versions}, os_name="Linux")
    crashes.save(TODAY - timedelta(days=40), version="1.9", os_name="Linux")
    crashes.save(TODAY - timedelta(days=41), version="2.0", os_name="Linux")

    page = page_of(crashes, "os_name=Linux&date=2026-11-20..")

    assert words in page.one("main").text
    more = link(page, "Compare in 90 days")
    assert chosen(page_of(crashes, more)) == ("Lightbox", *(["2.0", "2.3"] if versions else ["1.9", "2.0"]))
    # Those who look at as many days already are not sent to them.
    assert "Compare in 90 days" not in page_of(crashes, "days=90&signature=nothing").one("main").text


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("nothing=1", "there is no such field"),
        ("days=x", "days='x'"),
        ("date=tomorrow", "tomorrow"),
        ("limit=x", "limit='x'"),
        ("limit=1001", "limit='1001'"),
        ("uptime%3Cx", "it is not a whole number"),
        ("b=" + "9" * 2001, "more than 2000 characters"),
    ],
)
def test_an_address_that_cannot_be_answered_is_400_with_words_and_filters_to_mend(crashes, query, words):
    save(crashes, {"2.3": {"render": 1}, "2.4": {"render": 1}})

    answer = answer_of(crashes, f"os_name=Linux&a=2.3&{query}")

    page = read_html(answer.html)
    assert answer.status == 400
    assert words in page.one("div", class_="message").text
    form = page.one("form", class_="filters")
    assert form.one("select", name="a").all("option")[-1].attributes["value"] == "2.3"
    assert form.one("select", name="os_name").all("option")[-1].attributes["value"] == "Linux"
    # What was wrong with a parameter is not sent again.
    assert not {each.attributes["name"] for each in form.all("input")} & {"days", "date", "limit"}


@pytest.mark.parametrize("query", ["nothing", "a=1&=&%00=%00&&", "version=" + "&version=".join("9" * 60)])
def test_an_odd_address_is_answered_in_words(crashes, query):
    crashes.save()

    answer = answer_of(crashes, query)

    assert answer.status == 400
    assert "cannot" in read_html(answer.html).one("div", class_="message").text


def test_who_may_not_see_a_protected_field_cannot_compare_by_it(crashes):
    save(crashes, {"2.3": {"render": 1}, "2.4": {"render": 1}}, email="secret@example.com")

    assert answer_of(crashes, "email=secret@example.com").status == 200
    assert answer_of(crashes, "email=secret@example.com", NOTHING).status == 400


def test_an_index_that_may_lack_crashes_is_said_to(crashes, tmp_path):
    save(crashes, {"2.3": {"render": 30}, "2.4": {"render": 30}})
    IndexDirectory(tmp_path / "search").mark_incomplete()

    notice = page_of(crashes).one("main").one("p", class_="notice")

    assert "may lack crashes: socorro search index adds them" in notice.text


class AwayIndex(CrashIndex):
    def state(self) -> IndexState:
        return IndexState("x", 0, False)

    def choices(self, *_: object, **__: object) -> dict[str, tuple[str, ...]]:
        raise TransientStorageError("cannot read the search index in x: it is locked")


@pytest.mark.parametrize(("index", "words"), [(None, "needs a search index"), (AwayIndex(), "it is locked")])
def test_without_an_index_the_page_says_what_is_missing(index, words):
    answer = compare_page(pages(), SearchSources(index, FieldTable(), lambda: TODAY), b"", NOTHING)

    assert answer.status == 503
    assert words in read_html(answer.html).one("main").text


HOSTILE = (*ODD.values(), "'\"><svg onload=x>", "%2e%2e/&?#;+", "a\0b", "9" * 200, "\ud800")


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_stays_text_wherever_it_is(crashes, text):
    for version in (text, f"2{text}", "2.3"):
        crashes.save(product=text, version=version, signature=text, release_channel=text, os_name=text)
    crashes.save(product="Frame")

    page = page_of(crashes)
    assert_harmless(page)

    # All links of the page lead to pages, which have what they promise.
    for each in [each for group in GROUPS for row in rows(page, group) for each in row.all("td", class_="crashes")]:
        path, _, query = each.one("a").attributes["href"].partition("?")
        assert path == "/search"
        assert crashes.sources.index.count(read_address(path, query.encode()).filters) == int(each.one("a").text)
    for words in ("swap a and b", "Frame"):
        assert_harmless(page_of(crashes, link(page, words)))


def assert_harmless(page: Element) -> None:
    assert page.text.isprintable()
    assert not page.all("img") + page.all(ELEMENT)
    assert [each.attributes.get("src", "").startswith("/static/") for each in page.all("script")] == [True]
    for each in page.walk():
        assert each.attributes.get("href", "/")[0] in "/#"
        assert not [name for name in each.attributes if name.startswith("on") or name == "style"]


def test_the_application_answers_the_address_behind_its_guards(crashes):
    save(crashes, {"2.3": {"render": 1}, "2.4": {"render": 1}})
    routes = list(top_routes(pages(), crashes.sources, NOTHING_ARRIVES))
    app = application(None, Probes(Health(), dict), OPEN, routes)

    answer = ask(app, "/compare?product=Lightbox")

    assert answer.status == 200
    assert "default-src 'none'" in answer.header("Content-Security-Policy")
    assert read_html(answer.text).one("h1").text == "Lightbox 2.3 and 2.4"
    assert ask(app, "/compare", headers={"Host": "example.com"}).status == 403
    assert ask(app, "/compare?limit=x").status == 400
