"""A sparkline, drawn on the server: the course of a number over some days, as small as a word.

    sparkline(date(2026, 11, 24), [3, 0, 5]).words == "3, 0, 5 crashes from 2026-11-24 to 2026-11-26"

The template ``sparkline.html`` makes SVG of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from socorro_processor.web.pages.bar_chart import spans

HEIGHT = 20
"""Units of the greatest number."""

_WIDTH = 4
_GAP = 1
_LEAST = 1.5
"""Units of the smallest number that is not 0: it can be seen."""
_MOST_DAYS = 31
"""Days with a bar each; of more days a bar is a week."""
_MOST_LISTED = 14


class Sparkline(NamedTuple):
    path: str
    """The bars, as the path of an SVG."""
    width: int
    words: str
    """All that it shows, in words."""


def sparkline(first_day: date, counts: Sequence[int]) -> Sparkline:
    """Return the sparkline of the crashes of one or more days; a bar is a week if there are many days."""
    days = [first_day + timedelta(days=number) for number in range(len(counts))]
    by_day = dict(zip(days, counts, strict=True))
    bars = [
        (first, sum(by_day[first + timedelta(days=number)] for number in range((last - first).days + 1)))
        for first, last in spans(days, _MOST_DAYS)
    ]
    most = max(crashes for _, crashes in bars)
    path = "".join(_bar(place, crashes, most) for place, (_, crashes) in enumerate(bars) if crashes)
    return Sparkline(path, len(bars) * _WIDTH - _GAP, _words(bars, days))


def _bar(place: int, crashes: int, most: int) -> str:
    height = max(HEIGHT * crashes / most, _LEAST)
    return f"M{place * _WIDTH} {HEIGHT}v-{height:.3g}h{_WIDTH - _GAP}v{height:.3g}z"


def _words(bars: Sequence[tuple[date, int]], days: Sequence[date]) -> str:
    when = f"from {days[0]} to {days[-1]}" if len(days) > 1 else f"on {days[0]}"
    if len(bars) <= _MOST_LISTED:
        total = sum(crashes for _, crashes in bars)
        return f"{', '.join(f'{crashes:,}' for _, crashes in bars)} {'crash' if total == 1 else 'crashes'} {when}"
    first, crashes = max(bars, key=lambda bar: bar[1])
    unit = "on" if len(bars) == len(days) else "in the week from"
    return f"crashes {when}: at most {crashes:,}, {unit} {first}; {bars[-1][1]:,} at the end"
