"""A bar chart, drawn on the server: a bar for each day, of parts that are stacked, such as versions.

    chart = bar_chart("Crashes by day and version", [Series("2.3"), Series("2.4")], [Column("2026-11-23", (12, 3))])

The template ``bar_chart.html`` makes SVG of it, with a legend, and the same numbers as a table. A bar and a name in the
legend may be links.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from socorro_processor.search.results import DayCount

MOST_SERIES = 6
"""Series with a colour of their own; one more has the colour of the rest."""
MOST_DAYS = 92
"""Days with a bar each; of more days a bar is a week."""
HEIGHT = 100
"""Units from the axis to the top of the chart."""
WIDTH = 10
"""Units from a bar to the next."""

_GAP = 1.5
_MOST_LABELS = 7
_WEEK = 7
_LONGEST_NAME = 60  # characters


class Series(NamedTuple):
    """Parts of all bars that have one colour."""

    name: str
    address: str = ""
    """The address of a page that shows only these; empty if there is none."""
    is_rest: bool = False


class Column(NamedTuple):
    """The numbers of one bar, in the order of the series."""

    name: str
    counts: Sequence[int]
    label: str = ""
    """A short name, which stands below the bar."""
    address: str = ""


class Part(NamedTuple):
    y: float
    height: float
    style: str


class Bar(NamedTuple):
    name: str
    x: float
    width: float
    parts: list[Part]
    """From the axis to the top."""
    counts: Sequence[int]
    total: int
    words: str
    address: str


class LegendItem(NamedTuple):
    name: str
    style: str
    total: int
    address: str


@dataclass(frozen=True)
class BarChart:
    title: str
    words: str
    """All that it shows, in a sentence."""
    bars: list[Bar]
    legend: list[LegendItem]
    labels: list[str]
    """The words below each bar; most are empty if there are many bars."""
    ticks: list[int]
    """The numbers of the axis, the greatest first, at equal distances."""
    total: int
    width: int
    height: int = HEIGHT


def bar_chart(title: str, series: Sequence[Series], columns: Sequence[Column], unit: str = "crash") -> BarChart:
    """Return the chart of these columns; each has as many counts as there are series."""
    ticks = _ticks(max((sum(each.counts) for each in columns), default=0))
    styles = ["rest" if each.is_rest else f"s{number % MOST_SERIES}" for number, each in enumerate(series)]
    names = [_cut(each.name) for each in series]
    bars = [_bar(number, each, names, styles, ticks[0], unit) for number, each in enumerate(columns)]
    total = sum(bar.total for bar in bars)
    return BarChart(
        title,
        _description(bars, total, unit),
        bars,
        [
            LegendItem(names[place], styles[place], sum(column.counts[place] for column in columns), each.address)
            for place, each in enumerate(series)
        ],
        _labels(columns),
        ticks,
        total,
        max(len(columns), 1) * WIDTH,
    )


def day_chart(
    title: str,
    days: Sequence[DayCount],
    *,
    series: Mapping[Any, Series] | None = None,
    rest: str = "others",
    address_of: Callable[[date, date], str] | None = None,
) -> BarChart:
    """Return the chart of crashes by day, or by week if there are more than MOST_DAYS.

    ``series`` are those that are shown, by the values in ``DayCount.by``; all other crashes are ``rest``.
    ``address_of`` returns the address of the days from a first to a last.
    """
    series = series or {}
    columns = []
    has_rest = False
    for first, last in spans([each.day for each in days]):
        within = [each for each in days if first <= each.day <= last]
        counts = [sum(each.by.get(value, 0) for each in within) for value in series]
        others = sum(each.crashes for each in within) - sum(counts)
        has_rest = has_rest or others > 0
        name = str(first) if first == last else f"{first} to {last}"
        columns.append(Column(name, (*counts, others), f"{first:%m-%d}", address_of(first, last) if address_of else ""))
    if not has_rest and series:
        return bar_chart(title, [*series.values()], [each._replace(counts=each.counts[:-1]) for each in columns])
    # Without series a bar has one part: all crashes.
    rest_of_all = Series(rest, is_rest=True) if series else Series("all")
    return bar_chart(title, [*series.values(), rest_of_all], columns)


def spans(days: Sequence[date], most: int = MOST_DAYS) -> list[tuple[date, date]]:
    """Return the first and the last day of each bar: a day, or a week if there are more days than ``most``."""
    length = 1 if len(days) <= most else _WEEK
    # Weeks are whole ones but for the first: the newest days are those that count.
    first = len(days) % length
    starts = [*([0] if first else []), *range(first, len(days), length)]
    ends = [*starts[1:], len(days)]
    return [(days[start], days[end - 1]) for start, end in zip(starts, ends, strict=True)]


def _bar(number: int, column: Column, names: list[str], styles: list[str], top: int, unit: str) -> Bar:
    parts = []
    below = 0
    for count, style in zip(column.counts, styles, strict=True):
        if count > 0:
            height = HEIGHT * count / top
            parts.append(Part(round(HEIGHT - HEIGHT * below / top - height, 3), round(height, 3), style))
            below += count
    total = sum(column.counts)
    words = f"{column.name}: {_counted(total, unit)}"
    if len(names) > 1 and total:
        listed = [f"{name} {count:,}" for name, count in zip(names, column.counts, strict=True) if count]
        words += f" ({', '.join(listed)})"
    x, width = number * WIDTH + _GAP / 2, WIDTH - _GAP
    return Bar(column.name, x, width, parts, column.counts, total, words, column.address)


def _ticks(most: int) -> list[int]:
    """Return round numbers from at least ``most`` down to 0."""
    if most <= 1:
        return [1, 0]
    scale = 1
    while True:
        for digit in (2, 4, 6, 8, 10):
            if digit * scale >= most:
                return [digit * scale, digit * scale // 2, 0]
        scale *= 10


def _labels(columns: Sequence[Column]) -> list[str]:
    step = -(-len(columns) // _MOST_LABELS) or 1
    return [each.label if number % step == step // 2 else "" for number, each in enumerate(columns)]


def _description(bars: Sequence[Bar], total: int, unit: str) -> str:
    if not bars:
        return "There is nothing to show."
    words = f"{_counted(total, unit)} from {bars[0].name} to {bars[-1].name}"
    if not total:
        return f"{words}."
    most = max(bars, key=lambda each: each.total)
    return f"{words}; most of them in {most.name}: {most.total:,}."


def _counted(number: int, unit: str) -> str:
    plural = f"{unit}es" if unit.endswith(("s", "sh", "ch")) else f"{unit}s"
    return f"{number:,} {unit if number == 1 else plural}"


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
