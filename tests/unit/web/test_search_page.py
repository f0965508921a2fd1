"""The page of a search: what is typed, what is found, and where each link leads."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from socorro_processor.errors import ConfigurationError, QueryError, TransientStorageError
from socorro_processor.fields import FieldTable
from socorro_processor.search.filters import Filter
from socorro_processor.web.pages.address import Address, read_address
from socorro_processor.web.pages.search_sources import SearchSources
from socorro_processor.web.search.search_files import search_csv, search_json
from socorro_processor.web.search.search_line import address_of_typed, line_of, read_line
from socorro_processor.web.search.search_page import search_page
from socorro_processor.web.search.search_routes import search_routes
from tests.asgi import ask
from tests.unit.web.crash_pages import EVERYTHING, NOTHING, pages
from tests.unit.web.html_tree import Element, read_html
from tests.unit.web.signature_crashes import TODAY, Crashes, crashes_in
from tests.viewers import SeenBy

MARKUP = "<script>alert(1)</script>"


@pytest.fixture
def crashes(tmp_path):
    with crashes_in(tmp_path / "search") as made:
        yield made


def answer_of(crashes: Crashes, query: str = "", viewer=EVERYTHING):
    return search_page(pages(), crashes.sources, read_address("/search", query.encode()), viewer)


def page_of(crashes: Crashes, query: str = "", viewer=EVERYTHING) -> Element:
    answer = answer_of(crashes, query, viewer)
    assert answer.status == 200, read_html(answer.html).one("main").text
    return read_html(answer.html)


def total(page: Element) -> int:
    return int(page.one("p", class_="count").one("strong").text.replace(",", ""))


def tally(page: Element, title: str) -> Element:
    (table,) = page.all("table", class_="tally", **{"aria-label": title})
    return table


def tally_rows(page: Element, title: str) -> dict[str, Element]:
    return {row.one("th").text: row for row in tally(page, title).one("tbody").all("tr")}


def facet(page: Element, title: str) -> dict[str, int]:
    return {value: int(row.all("td")[0].text) for value, row in tally_rows(page, title).items()}


def column(page: Element, title: str) -> list[str]:
    heads = [each.text.rstrip(" ↓↑") for each in page.one("table", class_="found").one("thead").all("th")]
    return [row.all()[heads.index(title)].text for row in rows(page)] if title == "crash" else cells(page, title, heads)


def cells(page: Element, title: str, heads: list[str]) -> list[str]:
    return [row.all("td")[heads.index(title) - 1].text for row in rows(page)]


def rows(page: Element) -> list[Element]:
    return page.one("table", class_="found").one("tbody").all("tr")


class TestPage:
    def test_the_crashes_of_the_last_seven_days_are_shown_the_newest_first(self, crashes):
        ids = [crashes.save(TODAY - timedelta(days=days)) for days in (7, 6, 1, 0)]

        page = page_of(crashes)

        assert total(page) == 3
        assert rows(page)[0].one("th").one("a").attributes["href"] == f"/report/{ids[-1]}"
        assert [row.one("th").text for row in rows(page)] == [each[:8] for each in reversed(ids[1:])]

    @pytest.mark.parametrize(
        "query",
        [
            "",
            "product=Frame",
            "version=2.3&version=2.4",
            "version!=2.3",
            "signature~REND",
            "uptime%3C60",
            "email?",
            "days=3",
        ],
    )
    def test_every_number_is_that_of_the_crashes_that_the_filters_find(self, crashes, query):
        for number in range(40):
            crashes.save(
                TODAY - timedelta(days=number % 9),
                product=("Lightbox", "Frame")[number % 3 == 0],
                version=f"2.{number % 5}",
                signature=("render", "paint")[number % 4 == 0],
                uptime=number * 10,
                email="a@example.com" if number % 7 == 0 else None,
            )
        tests = {
            "": lambda crash: True,
            "product=Frame": lambda crash: crash["product"] == "Frame",
            "version=2.3&version=2.4": lambda crash: crash["version"] in ("2.3", "2.4"),
            "version!=2.3": lambda crash: crash["version"] != "2.3",
            "signature~REND": lambda crash: "rend" in crash["signature"],
            "uptime%3C60": lambda crash: crash["uptime"] < 60,
            "email?": lambda crash: "email" in crash,
            "days=3": lambda crash: True,
        }
        first = TODAY - timedelta(days=2 if query == "days=3" else 6)
        matching = [each for each in crashes.saved if tests[query](each) and each["date_processed"][:10] >= str(first)]

        page = page_of(crashes, query)

        assert total(page) == len(matching) == len(rows(page))
        for name in ("product", "version", "signature"):
            values = [each[name] for each in matching]
            assert facet(page, name) == {value: values.count(value) for value in set(values)}
        by_day = page.one("figure", class_="chart").one("tbody")
        assert sum(int(row.one("td").text) for row in by_day.all("tr")) == len(matching)

    def test_a_value_leads_to_its_crashes_and_the_minus_to_all_others(self, crashes):
        for version in ("2.3", "2.3", "2.4"):
            crashes.save(version=version)
        row = tally_rows(page_of(crashes), "version")["2.3"]
        only, without = (row.one("a", class_=name).attributes["href"] for name in ("value", "not"))

        assert total(page_of(crashes, only.partition("?")[2])) == 2
        assert total(page_of(crashes, without.partition("?")[2])) == 1

    def test_the_minus_says_what_it_does(self, crashes):
        crashes.save(version="2.3")
        page = page_of(crashes)
        minus = tally_rows(page, "version")["2.3"].one("a", class_="not")

        assert (minus.text, minus.attributes["aria-label"]) == ("\N{MINUS SIGN}", "leave out 2.3")
        assert minus.attributes["title"] == "leave this value out"
        assert "\N{MINUS SIGN} all others" in page.one("aside").one("p").text

    def test_a_bar_of_more_than_92_days_is_a_week(self, crashes):
        crashes.save()
        rows = page_of(crashes, "days=100").one("figure", class_="chart").one("tbody").all("tr")

        assert len(rows) == 15
        assert rows[0].one("th").text == f"{TODAY - timedelta(days=6)} to {TODAY}"

    def test_the_crashes_without_a_value_can_be_chosen(self, crashes):
        crashes.save(reason="SIGABRT")
        crashes.save(reason=None)
        none = tally_rows(page_of(crashes), "reason")["(none)"]

        query = none.one("a", class_="value").attributes["href"].partition("?")[2]

        assert total(page_of(crashes, query)) == 1

    def test_a_column_sorts_the_greatest_number_first_and_then_the_other_way(self, crashes):
        for uptime in (5, 50, 7):
            crashes.save(uptime=uptime)
        query = "columns=uptime,signature"
        for expected in (["50", "7", "5"], ["5", "7", "50"]):
            head = page_of(crashes, query).one("table", class_="found").one("thead").all("th")[1]
            query = head.one("a").attributes["href"].partition("?")[2]
            assert column(page_of(crashes, query), "uptime") == expected

    def test_pages_have_each_crash_once(self, crashes):
        ids = {crashes.save(seconds=number) for number in range(120)}
        found: list[str] = []
        query = ""
        while True:
            page = page_of(crashes, query)
            found += [row.one("th").one("a").attributes["href"].removeprefix("/report/") for row in rows(page)]
            links = page.one("nav", class_="paging").all("a", rel="next")
            if not links:
                break
            query = links[0].attributes["href"].partition("?")[2]
        assert len(found) == 120
        assert set(found) == ids

    def test_a_bar_leads_to_the_crashes_of_its_day(self, crashes):
        crashes.save(TODAY - timedelta(days=2))
        crashes.save(TODAY)
        day = TODAY - timedelta(days=2)

        (link,) = {
            each.attributes["href"]
            for each in page_of(crashes).one("figure", class_="chart").all("a")
            if str(day) in each.attributes["href"]
        }

        assert total(page_of(crashes, link.partition("?")[2])) == 1

    def test_a_bar_on_a_later_page_leads_to_the_first_page_of_its_day(self, crashes):
        for number in range(120):
            crashes.save(seconds=number)
        after = page_of(crashes).one("nav", class_="paging").one("a", rel="next").attributes["href"]

        links = {each.attributes["href"] for each in page_of(crashes, after.partition("?")[2]).one("figure").all("a")}

        assert f"/search?date={TODAY}" in links

    def test_each_value_has_its_crashes_and_known_installations(self, crashes):
        for version, install_time in (("2.3", 1), ("2.3", 1), ("2.3", 2), ("2.3", None), ("2.4", 1)):
            crashes.save(version=version, install_time=install_time)
        page = page_of(crashes)
        heads = [each.text for each in tally(page, "version").one("thead").all("th")]

        numbers = {
            value: [each.text for each in row.all("td")[:2]] for value, row in tally_rows(page, "version").items()
        }

        assert heads == ["version", "crashes", "inst.", "leave out"]
        assert "known installations (inst.)" in page.one("aside").one("p").text
        assert numbers == {"2.3": ["4", "2"], "2.4": ["1", "1"]}

    @pytest.mark.parametrize(
        ("name", "value", "shown"),
        [
            ("classifications", {"support": {"classification": "OOM"}}, "support.classification=OOM"),
            ("classifications", {"a b": "x"}, None),
            ("addons", ["a:1"], "a:1"),
            ("frame", None, None),
            ("startup_crash", True, "true"),
            ("uptime_ts", 1.25, "1.25"),
            ("submitted_timestamp", "2026-11-30T01:02:03.456+00:00", "2026-11-30T01:02:03Z"),
        ],
    )
    def test_a_value_of_any_type_leads_to_its_crashes(self, crashes, name, value, shown):
        crashes.save(**({} if value is None else {name: value}))
        crashes.save()
        table = page_of(crashes, f"facet={name}").all("table", class_="tally")[-1]

        links = {each.text: each.attributes["href"] for each in table.all("a", class_="value")}

        assert (shown in links) == (shown is not None)
        for link in links.values():
            assert 1 <= total(page_of(crashes, link.partition("?")[2])) <= 2
        if shown:
            assert total(page_of(crashes, links[shown].partition("?")[2])) == 1

    def test_the_columns_can_be_chosen_and_those_that_are_shown_come_first(self, crashes):
        crashes.save()
        boxes = (
            page_of(crashes, "columns=version&columns=uptime")
            .one("form", class_="columns")
            .all("input", name="columns")
        )

        assert [each.attributes["value"] for each in boxes if "checked" in each.attributes] == ["version", "uptime"]
        assert [each.attributes["value"] for each in boxes[:2]] == ["version", "uptime"]
        assert "signature" in [each.attributes["value"] for each in boxes]

    def test_the_choice_of_a_product_keeps_the_days(self, crashes):
        crashes.save()

        form = page_of(crashes, f"date={TODAY}").one("form", class_="filters", role="search")

        assert [each.attributes["value"] for each in form.all("input", name="date")] == [str(TODAY)]

    def test_a_search_without_a_result_offers_more_days_and_fewer_filters(self, crashes):
        crashes.save(TODAY - timedelta(days=20))

        page = page_of(crashes, "product=Lightbox")

        links = [each.attributes["href"] for each in page.one("main").all("a")]
        assert "/search?product=Lightbox&days=90" in links
        assert "/search" in links

    @pytest.mark.parametrize(
        "query", ["nothing=1", "uptime%3Cx", "days=x", "sort=nothing", "after=x", "facet=x", "columns=x"]
    )
    def test_an_error_is_said_beside_the_filters_that_can_be_mended(self, crashes, query):
        answer = answer_of(crashes, query)

        page = read_html(answer.html)
        assert answer.status == 400
        assert page.one("p", role="alert").text.startswith("cannot ")
        assert page.one("form", class_="line").one("input", type="search").attributes["value"] == (
            line_of(read_address("/search", query.encode()))
        )

    def test_protected_fields_are_only_for_those_who_may_see_them(self, crashes):
        crashes.save(email="secret@example.com", user_comments="secret")

        assert "secret@example.com" in read_html(answer_of(crashes, "columns=email").html).one("main").text
        for query in ("columns=email", "facet=user_comments", "email?", "sort=email"):
            answer = answer_of(crashes, query, NOTHING)
            assert (answer.status, "secret@" in answer.html) == (400, False), query
        names = [each.attributes["value"] for each in page_of(crashes, "", NOTHING).one("datalist").all("option")]
        assert "product" in names
        assert "email" not in names

    @pytest.mark.parametrize("text", [MARKUP, '"><img src=x>', "\u202eevil", "a\0b", "x" * 4000, "' OR 1=1 --"])
    def test_a_hostile_value_is_text_and_its_links_find_it(self, crashes, text):
        crashes.save(signature=text, product=text, version=text, reason=text)

        page = page_of(crashes)

        assert page.all("img") == []
        assert all(each.attributes.get("src", "").startswith("/static/") for each in page.all("script"))
        link = tally(page, "product").one("a", class_="value").attributes["href"]
        assert total(page_of(crashes, link.partition("?")[2])) == 1

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ("product=Light+box", "'product=Light box' --date=2026-11-24..2026-11-26"),
            ("columns=version&columns=uptime,frame&sort=-uptime", "--fields=version,uptime,frame --sort=-uptime"),
            ("email%3F", "'email?' --date=2026-11-24..2026-11-26 --protected"),
            ("sort=email", "--sort=email --protected"),
        ],
    )
    def test_the_same_search_is_given_for_a_terminal(self, crashes, query, words):
        page = page_of(crashes, f"{query}&date=2026-11-24..2026-11-26")

        command = page.all("p", class_="command")[0].one("code").text

        assert command.startswith("socorro search ")
        assert command.endswith(words)


class TestLine:
    def test_words_without_a_sign_are_looked_for_in_signatures(self):
        assert list(read_line("render 'two words' product=Lightbox")) == [
            Filter("signature", "contains", ("render",)),
            Filter("signature", "contains", ("two words",)),
            Filter("product", "is", ("Lightbox",)),
        ]

    @pytest.mark.parametrize(
        "word", ["field!", "std::vector<int>::at", "Foo::~Foo", "foo(int*)=", "@0x0<", "a::operator=="]
    )
    def test_the_name_of_a_function_is_a_word_whatever_signs_it_has(self, word):
        assert list(read_line(f"'{word}'")) == [Filter("signature", "contains", (word,))]

    @pytest.mark.parametrize("line", ["'open", "a" * 10_001, "=x", "uptime?5"])
    def test_a_line_that_cannot_be_read_is_refused(self, line):
        with pytest.raises(QueryError):
            list(read_line(line))

    @given(st.text(max_size=40))
    def test_any_line_is_read_or_refused(self, line):
        try:
            list(read_line(line))
        except QueryError:
            return

    def test_the_line_of_an_address_makes_its_filters(self):
        address = read_address("/search", b"product=Light+box&uptime%3C60&email%3F&signature~it%27s")

        assert tuple(read_line(line_of(address))) == address.filters

    def test_what_is_typed_becomes_an_address(self):
        typed = read_address("/search", b"line=frame~render+product%3DLightbox&days=3")

        assert address_of_typed(typed) == "/search?frame~render&product=Lightbox&days=3"

    @pytest.mark.parametrize("prefix", ["", "bp-", " "])
    def test_a_crash_id_leads_to_its_report(self, prefix):
        crash_id = "0bba61c5-dfc3-43e7-dead-8afd20161123"

        assert address_of_typed(Address("/search", (), {"line": (prefix + crash_id,)})) == f"/report/{crash_id}"

    def test_a_filter_that_was_chosen_is_added(self):
        typed = read_address("/search", b"product=Lightbox&add_field=uptime&add_sign=%3C&add_value=60")

        assert address_of_typed(typed) == "/search?product=Lightbox&uptime%3C60"

    @pytest.mark.parametrize(
        "query", [b"add_field=a&add_sign=x", b"add_field=a&add_sign=%3F&add_value=1", b"add_field=!"]
    )
    def test_a_choice_that_makes_no_filter_is_refused(self, query):
        with pytest.raises(QueryError):
            address_of_typed(read_address("/search", query))


class TestFiles:
    def test_csv_has_a_line_for_each_crash(self, crashes):
        ids = [crashes.save(seconds=number) for number in range(1200)]

        text = "".join(search_csv(crashes.sources, read_address("/search.csv", b"columns=version"), NOTHING))

        lines = list(csv.reader(io.StringIO(text)))
        assert lines[0] == ["crash_id", "version"]
        assert [line[0] for line in lines[1:]] == ids[::-1]

    @pytest.mark.parametrize("text", ["=1+1", "+cmd", "-x", "@SUM(A1)"])
    def test_a_cell_is_no_formula_for_a_spreadsheet(self, crashes, text):
        crashes.save(signature=text)

        lines = list(search_csv(crashes.sources, read_address("/search.csv", b"columns=signature"), NOTHING))

        assert list(csv.reader(io.StringIO("".join(lines))))[1][1] == f"'{text}"

    def test_a_negative_number_stays_a_number(self, crashes):
        crashes.save(signature="-5")

        lines = list(search_csv(crashes.sources, read_address("/search.csv", b"columns=signature"), NOTHING))

        assert list(csv.reader(io.StringIO("".join(lines))))[1][1] == "-5"

    def test_the_days_of_a_file_stay_the_same_when_midnight_comes(self, crashes):
        for number in range(1001):
            crashes.save(TODAY - timedelta(days=6), seconds=number)
        days = iter([TODAY])
        sources = SearchSources(crashes.sources.index, FieldTable(), lambda: next(days, TODAY + timedelta(days=1)))

        lines = "".join(search_csv(sources, read_address("/search.csv", b"columns=version"), NOTHING))

        assert len(lines.splitlines()) == 1002

    @pytest.mark.parametrize("text", [MARKUP, "\ud800", "\0", "\u202e", "\u2028"])
    def test_hostile_texts_are_in_both_files(self, crashes, text):
        crashes.save(signature=f"a{text}", uptime_ts=float("inf"))
        app = SeenBy(Starlette(routes=list(search_routes(pages(), crashes.sources))), EVERYTHING)

        for path in ("/search.csv", "/search.json"):
            answer = ask(app, f"{path}?columns=signature,uptime_ts&facet=signature")
            assert answer.status == 200
            assert "a" in answer.text

    def test_json_has_pages_totals_and_facets(self, crashes):
        ids = [crashes.save(seconds=number, version=f"2.{number % 2}") for number in range(5)]
        address = read_address("/search.json", b"limit=2&columns=version&facet=version")

        first = search_json(crashes.sources, address, NOTHING)
        rest = search_json(crashes.sources, address.with_parameter("after", first["next"]), NOTHING)

        assert first["total"] == 5
        assert [each["crash_id"] for each in first["crashes"] + rest["crashes"]] == ids[:0:-1]
        assert first["facets"]["version"]["values"][0] == {"value": "2.0", "crashes": 3, "installations": 0}

    def test_protected_fields_are_in_neither(self, crashes):
        for name in ("csv", "json"):
            make = search_csv if name == "csv" else search_json
            with pytest.raises(QueryError):
                make(crashes.sources, read_address(f"/search.{name}", b"columns=email"), NOTHING)


class Away:
    """An index that is away."""

    def __getattr__(self, name):
        def fail(*_, **__):
            raise TransientStorageError("the index is locked")

        return dict if name == "fields" else fail


class TestAnswers:
    @pytest.fixture
    def app(self, crashes):
        crashes.save()
        return SeenBy(Starlette(routes=list(search_routes(pages(), crashes.sources))), NOTHING)

    @pytest.mark.parametrize("path", ["/search", "/search.csv", "/search.json"])
    def test_a_good_search_is_200_and_a_bad_one_400(self, app, path):
        assert ask(app, path).status == 200
        assert ask(app, f"{path}?nothing=1").status == 400
        assert ask(app, f"{path}?{'a' * 40_000}").status == 400

    @pytest.mark.parametrize("path", ["/search", "/search.csv", "/search.json"])
    def test_an_index_that_is_away_is_503_with_words(self, path):
        sources = SearchSources(Away(), FieldTable(), lambda: TODAY)
        app = SeenBy(Starlette(routes=list(search_routes(pages(), sources))), NOTHING)

        answer = ask(app, path)

        assert (answer.status, "the index is locked" in answer.text) == (503, True)

    @pytest.mark.parametrize("path", ["/search", "/search.csv", "/search.json"])
    def test_a_configuration_without_an_index_says_which_store_has_one(self, path):
        app = SeenBy(Starlette(routes=list(search_routes(pages(), SearchSources(None, FieldTable())))), NOTHING)

        answer = ask(app, path)

        assert (answer.status, "IndexedFileSystemCrashStorage" in answer.text) == (503, True)

    def test_what_is_typed_is_sent_on_to_its_address(self, app):
        answer = ask(app, "/search?line=render&product=Lightbox")

        assert (answer.status, answer.header("location")) == (303, "/search?product=Lightbox&signature~render")

    @pytest.mark.parametrize(
        ("query", "line", "words"),
        [
            ("line='open+quote&product=Lightbox", "'open quote", "a quote has no end"),
            ("product=Lightbox&add_field=uptime&add_sign=~~&add_value=1", "product=Lightbox", "one of the signs"),
        ],
    )
    def test_what_is_typed_and_cannot_be_read_stays_to_be_mended(self, app, query, line, words):
        answer = ask(app, f"/search?{query}")

        page = read_html(answer.text)
        assert answer.status == 400
        assert words in page.one("p", role="alert").text
        assert page.one("form", class_="line").one("input", type="search").attributes["value"] == line
        assert ("product", "Lightbox") in [
            (each.attributes["name"], each.one("option", selected="").attributes["value"])
            for each in page.all("select")
            if each.all("option", selected="")
        ]

    @pytest.mark.parametrize("query", ["a" * 40_000, "%3C%3C%3C", "&".join(f"f{number}=1" for number in range(60))])
    def test_an_address_that_cannot_be_read_shows_an_empty_search_with_words(self, app, query):
        answer = ask(app, f"/search?{query}")

        page = read_html(answer.text)
        assert answer.status == 400
        assert page.one("p", role="alert").text.startswith("cannot ")
        assert page.one("form", class_="line").one("input", type="search").attributes["value"] == ""

    def test_sources_without_an_index_raise(self):
        with pytest.raises(ConfigurationError):
            _ = SearchSources(None, FieldTable()).index
