"""The results of searches and counts, as every index of crashes returns them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True)
class FoundCrash:
    """A crash, with the values of the fields that were asked for; a field without a value is missing.

    Texts come from strangers, and may have been cut.
    """

    crash_id: str
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """Some of the crashes that a search found, in its order."""

    crashes: tuple[FoundCrash, ...] = ()
    next: str | None = None
    """The cursor of the next page; None if this is the last one."""


@dataclass(frozen=True)
class FacetValue:
    """A value of a field, and how many crashes, and known installations, have it."""

    value: Any
    crashes: int
    installations: int | None
    """None if they were not counted; of the items of lists, ``facets`` counts those of the 100 most frequent."""


@dataclass(frozen=True)
class Facet:
    """The most frequent values of a field, the most frequent first."""

    field: str
    values: tuple[FacetValue, ...]
    missing: int
    """The crashes without the field."""


@dataclass(frozen=True)
class DayCount:
    """The crashes of a day, also by the values of another field; crashes without that field are under None."""

    day: date
    crashes: int
    by: Mapping[Any, int] = field(default_factory=dict)


@dataclass(frozen=True)
class TopSignature:
    """A signature in the list of those that crash most."""

    signature: str | None
    """None: crashes without a signature."""
    rank: int
    """From 1; signatures with equally many crashes have the same."""
    crashes: int
    share: float
    """The part of all crashes of these days: 0 to 1."""
    rank_before: int | None
    """The rank in as many days before; None if it had no crash then."""
    crashes_before: int
    share_before: float
    installations: int
    """The known installations with such crashes."""
    first_seen: datetime | None
    """When the first crash of it was submitted; it stays when crashes go. Of the filters, it follows the product."""
    last_seen: datetime | None
    systems: Mapping[str | None, int]
    """The crashes by operating system, the most frequent ones."""
    days: tuple[int, ...]
    """The crashes of each day."""


@dataclass(frozen=True)
class Top:
    """The signatures that crash most, in some days."""

    first_day: date
    last_day: date
    crashes: int
    """All crashes of these days, whatever their signature."""
    crashes_before: int
    """All crashes of as many days before."""
    count: int
    """The number of signatures, those that are not listed among them."""
    signatures: tuple[TopSignature, ...]
    days: tuple[int, ...]
    """All crashes of each day."""


@dataclass(frozen=True)
class SignatureRecord:
    """The record of a signature in one product; it stays when crashes go."""

    signature: str
    product: str | None
    first_seen: datetime
    last_seen: datetime
    first_version: str | None


@dataclass(frozen=True)
class Neighbours:
    """The ids of the crashes before and after one, in the order of submission; None where there is none."""

    older: str | None = None
    newer: str | None = None


@dataclass(frozen=True)
class IndexState:
    """The state of an index."""

    place: str
    """The index and where it is, for people."""
    crashes: int
    is_complete: bool
    """False if it may lack crashes that the stores have."""
    waiting: int = 0
    """Crashes that could not be written yet."""
    problem: str = ""
    """Says what is wrong, and what to do; empty if nothing is."""
    exists: bool = True
    """False if there is no index yet: the first crash makes it."""


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
class ComparedSignature:
    """A signature, and its crashes in two searches."""

    signature: str | None
    """None: crashes without a signature."""
    crashes: int
    other_crashes: int


@dataclass(frozen=True)
class Comparison:
    """Two searches, in the same days."""

    crashes: int
    other_crashes: int
    """All crashes of each search, whatever their signature."""
    count: int
    """The signatures that have crashes in either, those that are not listed among them."""
    signatures: tuple[ComparedSignature, ...]
    """In the order of their crashes in both."""


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
