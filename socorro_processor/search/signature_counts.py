"""Numbers that an index counts for one signature."""

from __future__ import annotations

from dataclasses import dataclass

from socorro_processor.search.base import Facet


@dataclass(frozen=True)
class Standing:
    """The place of a signature among all signatures, in some days."""

    crashes: int
    installations: int
    """The known installations with such crashes."""
    rank: int | None
    """From 1; signatures with equally many crashes have the same. None if it has no crash in these days."""
    signatures: int
    """All signatures with crashes in these days."""
    all_crashes: int
    """All crashes of these days, whatever their signature."""


@dataclass(frozen=True)
class NewestCrashes:
    """Numbers of the newest crashes that a search finds."""

    crashes: int
    """The crashes that were counted: all that were found, or as many as the limit."""
    facets: tuple[Facet, ...]
    """The most frequent values of each field; installations only if they were asked for."""
    fulfilling: tuple[int, ...]
    """The crashes that fulfil each of the conditions that were asked for."""
    known_installations: int
    """The number of known installations."""
    of_known_installations: int
    """The crashes whose installation is known."""
    most_of_one_installation: int
    """The crashes of the installation that has most; 0 if none is known."""
