"""Small charts of events by minute, drawn on the server: a bar for each minute of the last hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

HEIGHT = 40
STEP = 10
"""Units from a bar to the next."""
_WIDTH = 8
_LOWEST = 1.5
"""Units of the lowest bar: one event among thousands is seen, too."""


class Bar(NamedTuple):
    x: int
    y: float
    height: float
    words: str
    """The number, and when that was."""


@dataclass(frozen=True)
class RateChart:
    event: str
    total: int
    most: int
    """The most in a minute."""
    width: int
    bars: list[Bar]
    """Minutes without an event have none."""
    words: str
    """The chart in a sentence."""


def rate_charts(counts: Mapping[str, Sequence[int]], together: Sequence[Sequence[str]]) -> list[RateChart]:
    """Return a chart for each event, in the order of ``together``: groups of events with the same scale."""
    return [
        _chart(event, counts[event], max(max(counts[each]) for each in group)) for group in together for event in group
    ]


def _chart(event: str, counts: Sequence[int], top: int) -> RateChart:
    bars = []
    for place, count in enumerate(counts):
        if count:
            height = round(max(_LOWEST, HEIGHT * count / top), 2)
            words = f"{count:,} {event} {_moment(len(counts) - 1 - place)}"
            bars.append(Bar(place * STEP, round(HEIGHT - height, 2), height, words))
    total, most = sum(counts), max(counts)
    words = f"{event}: {total:,} in {len(counts)} minutes, at most {most:,} in one"
    return RateChart(event, total, most, len(counts) * STEP - (STEP - _WIDTH), bars, words)


def _moment(minutes: int) -> str:
    if minutes == 0:
        return "in this minute"
    return "a minute ago" if minutes == 1 else f"{minutes} minutes ago"
