"""Charts: their bars are as high as their numbers, and the same numbers stand in the table."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.search.results import DayCount
from socorro_processor.web.pages.bar_chart import (
    HEIGHT,
    MOST_DAYS,
    BarChart,
    Column,
    Series,
    bar_chart,
    day_chart,
    spans,
)
from socorro_processor.web.pages.rendering import Pages
from tests.unit.web.html_tree import Element, read_html

FIRST_DAY = date(2026, 11, 1)
TEMPLATE = '{% from "bar_chart.html" import bar_chart with context %}{{ bar_chart(chart) }}'


def drawn(chart: BarChart) -> Element:
    return read_html(Pages()._environment.from_string(TEMPLATE).render(chart=chart))


def day_counts(*counts: dict[str | None, int]) -> list[DayCount]:
    return [
        DayCount(FIRST_DAY + timedelta(days=number), sum(by.values()), {name: n for name, n in by.items() if n})
        for number, by in enumerate(counts)
    ]


@given(st.lists(st.lists(st.integers(0, 10**7), min_size=2, max_size=2), max_size=40))
def test_a_part_is_as_high_as_its_number_and_stands_on_the_one_below(counts):
    chart = bar_chart("Crashes", [Series("a"), Series("b")], [Column("day", each) for each in counts])

    for bar, numbers in zip(chart.bars, counts, strict=True):
        heights = [each for each in numbers if each]
        assert [part.height for part in bar.parts] == pytest.approx(
            [each * HEIGHT / chart.ticks[0] for each in heights], abs=0.001
        )
        bottom = HEIGHT
        for part in bar.parts:
            assert part.y + part.height == pytest.approx(bottom, abs=0.002)
            bottom = part.y
        assert bottom >= -0.01
    assert chart.total == sum(map(sum, counts))
    assert [item.total for item in chart.legend] == [sum(each[place] for each in counts) for place in (0, 1)]


@pytest.mark.parametrize(
    ("most", "ticks"), [(0, [1, 0]), (1, [1, 0]), (2, [2, 1, 0]), (7, [8, 4, 0]), (11, [20, 10, 0]), (99, [100, 50, 0])]
)
def test_the_axis_ends_at_a_round_number_that_the_highest_bar_does_not_exceed(most, ticks):
    assert bar_chart("Crashes", [Series("all")], [Column("day", (most,))]).ticks == ticks


def test_crashes_that_no_series_has_are_the_rest():
    days = day_counts({"2.3": 4, "2.4": 1, None: 2}, {"2.3": 1, "old": 3})

    chart = day_chart("Crashes", days, series={"2.3": Series("2.3"), "2.4": Series("2.4")}, rest="other versions")

    assert [(item.name, item.total, item.style) for item in chart.legend] == [
        ("2.3", 5, "s0"),
        ("2.4", 1, "s1"),
        ("other versions", 5, "rest"),
    ]
    assert chart.bars[0].words == "2026-11-01: 7 crashes (2.3 4, 2.4 1, other versions 2)"


def test_a_rest_that_has_no_crash_is_not_shown():
    chart = day_chart("Crashes", day_counts({"2.3": 4}, {}), series={"2.3": Series("2.3")})

    assert [item.name for item in chart.legend] == ["2.3"]


def test_the_page_has_the_numbers_as_a_table_too():
    days = day_counts({"2.3": 1200, "2.4": 1}, {})
    series = {"2.3": Series("2.3", "/?version=2.3"), "2.4": Series("2.4")}

    page = drawn(day_chart("Crashes", days, series=series, address_of=lambda first, last: f"/?date={first}"))

    assert [row.text for row in page.one("tbody").all("tr")] == ["2026-11-02 0 0 0", "2026-11-01 1,200 1 1,201"]
    assert page.one("tbody").all("a")[0].attributes["href"] == "/?date=2026-11-02"
    bars = page.one("svg", role="group").all("a")
    assert [each.attributes["aria-label"] for each in bars] == [
        "2026-11-01: 1,201 crashes (2.3 1,200, 2.4 1)",
        "2026-11-02: 0 crashes",
    ]
    assert page.one("ul", class_="legend").one("a").attributes["href"] == "/?version=2.3"


def test_a_name_of_a_stranger_is_text_and_short():
    name = "<script>\u202e" + "v" * 300

    page = drawn(day_chart("Crashes", day_counts({name: 1}, {}), series={name: Series(name), "b": Series("b")}))

    assert not page.all("script")
    assert page.one("ul", class_="legend").all("li")[0].text.startswith("<script>\\u202evvv")
    assert len(page.text) < 1000


@given(st.integers(1, 1100))
def test_each_day_is_in_one_bar_and_of_many_days_a_bar_is_a_week(length):
    days = [FIRST_DAY + timedelta(days=number) for number in range(length)]

    found = spans(days)

    within = [day for first, last in found for day in days if first <= day <= last]
    assert within == days
    longest = 1 if length <= MOST_DAYS else 7
    assert all((last - first).days + 1 == longest for first, last in found[1:])


def test_the_bars_of_weeks_have_all_crashes():
    days = day_counts(*({"2.3": 1, None: 1} for _ in range(100)))

    chart = day_chart("Crashes", days, series={"2.3": Series("2.3")})

    assert chart.total == 200
    assert [item.total for item in chart.legend] == [100, 100]
    assert chart.bars[-1].name == "2027-02-02 to 2027-02-08"


def test_a_chart_without_days_says_so():
    page = drawn(bar_chart("Crashes", [], []))

    assert "There is nothing to show." in page.one("svg").attributes["aria-label"]
