"""Find processed crashes: the interface that every index of crashes has.

with closing(index) as index:
    page = index.find(read_filters(["product=Lightbox"]), limit=20)
    top = index.top(first_day, last_day)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from socorro_processor.errors import QueryError
from socorro_processor.fields.searchable import DATE, SearchableField
from socorro_processor.search.filters import MAXIMUM_FILTERS, Filter
from socorro_processor.search.results import (
    Comparison,
    DayCount,
    Facet,
    IndexState,
    Neighbours,
    NewestCrashes,
    Page,
    SignatureRecord,
    Standing,
    Top,
)

MAXIMUM_PAGE = 1000
"""Crashes in a page."""
MAXIMUM_FACETS = 20
"""Fields of one call of ``facets``."""
MAXIMUM_FACET_SIZE = 1000
"""Values of one facet."""
MAXIMUM_DAYS = 1100
"""Days of a histogram, or of a list of top signatures."""
MAXIMUM_TOP = 1000
"""Signatures of one list."""
MAXIMUM_NEWEST = 50_000
"""Crashes that ``newest`` counts."""
MAXIMUM_SYSTEMS = 20
"""Operating systems of a signature in it."""
_YEARS = range(1970, 9999)
LONGEST_CURSOR = 10_000
"""Characters."""

SHOWN = (DATE, "product", "version", "release_channel", "os_name", "signature", "reason", "address", "process_type")
"""The fields of a found crash, unless others are asked for."""

TopOrder = Literal["crashes", "installations", "difference"]
"""The order of top signatures, the greatest first; ``difference`` is that of the shares, now and before."""


@dataclass(frozen=True)
class Sort:
    """The order of found crashes; crashes without the field come last, and the same crash id first in a tie."""

    field: str = DATE
    descending: bool = True


class CrashIndex:
    """Finds processed crashes. Any thread may call any method.

    ``filters`` must all be true of a crash. Fields that the table of fields protects can be named only with
    ``protected=True``: let only those do that who may see data of users. Every result is bounded by the constants of
    this module, and every call by a time.

    Raises QueryError for what cannot be searched, and CrashStorageError if the index is away, damaged or too slow.
    """

    @contextmanager
    def snapshot(self) -> Iterator[CrashIndex]:
        """Return this index, for some calls of one thread that belong together, such as those of a page.

        An index that can do so lets all of them see the same crashes, and does once what several of them need; the
        time of a call bounds them together.
        """
        yield self

    def fields(self) -> Mapping[str, SearchableField]:
        """Return the fields that can be searched, by name; those that are protected, too."""
        raise NotImplementedError

    def find(
        self,
        filters: Sequence[Filter] = (),
        *,
        fields: Sequence[str] = SHOWN,
        sort: Sort = Sort(),  # it never changes
        limit: int = 50,
        after: str | None = None,
        protected: bool = False,
    ) -> Page:
        """Return a page of crashes.

        ``after`` is ``Page.next`` of the page before. Crashes that come meanwhile neither repeat nor hide others.
        """
        raise NotImplementedError

    def crash_ids(self, filters: Sequence[Filter] = (), *, protected: bool = False) -> Iterator[str]:
        """Yield the ids of all crashes, however many, the newest first, as ``find`` would."""
        raise NotImplementedError

    def count(self, filters: Sequence[Filter] = (), *, protected: bool = False) -> int:
        """Return the number of crashes."""
        raise NotImplementedError

    def facets(
        self, fields: Sequence[str], filters: Sequence[Filter] = (), *, size: int = 10, protected: bool = False
    ) -> tuple[Facet, ...]:
        """Return the most frequent values of each field. Of a list, each item counts once a crash."""
        raise NotImplementedError

    def histogram(
        self,
        first_day: date,
        last_day: date,
        filters: Sequence[Filter] = (),
        *,
        by: str | None = None,
        protected: bool = False,
    ) -> tuple[DayCount, ...]:
        """Return the crashes of each day (UTC, by ``date_processed``), days without any among them.

        ``by`` is another field, whose values split each day; those after the 20 most frequent are left out.
        """
        raise NotImplementedError

    def top(
        self,
        first_day: date,
        last_day: date,
        filters: Sequence[Filter] = (),
        *,
        limit: int = 50,
        offset: int = 0,
        order: TopOrder = "crashes",
        protected: bool = False,
    ) -> Top:
        """Return the signatures that crash most, or that ``order`` puts first; a rank is always that by crashes.

        By product, version, channel and system it comes from roll-ups, and is fast; by other fields it is counted, and
        so are the installations of all signatures for an order by them.
        """
        raise NotImplementedError

    def compare(
        self,
        first_day: date,
        last_day: date,
        one: Sequence[Filter],
        other: Sequence[Filter],
        *,
        limit: int = MAXIMUM_TOP,
        protected: bool = False,
    ) -> Comparison:
        """Return the signatures of two searches, with the crashes of each signature in both.

        They are those with most crashes in the one or in the other search, ``limit`` of each. It is as fast as ``top``.
        """
        raise NotImplementedError

    def choices(
        self,
        first_day: date,
        last_day: date,
        filters: Sequence[Filter] = (),
        *,
        size: int = MAXIMUM_FACET_SIZE,
        protected: bool = False,
    ) -> Mapping[str, tuple[str, ...]]:
        """Return the values of DIMENSIONS that these crashes have, at most ``size`` of each, the most frequent first.

        It is as fast as ``top``, where ``facets`` would read each crash.
        """
        raise NotImplementedError

    def standing(
        self,
        signature: str,
        first_day: date,
        last_day: date,
        filters: Sequence[Filter] = (),
        *,
        protected: bool = False,
    ) -> Standing:
        """Return the place of a signature among all of the crashes that the filters find, in these days."""
        raise NotImplementedError

    def newest(
        self,
        filters: Sequence[Filter] = (),
        *,
        fields: Sequence[str] = (),
        conditions: Sequence[Sequence[Filter]] = (),
        size: int = 10,
        limit: int = MAXIMUM_NEWEST,
        with_installations: bool = False,
        protected: bool = False,
    ) -> NewestCrashes:
        """Count the newest crashes, at most ``limit``, in one pass: fast, however many there are.

        They are counted by ``fields``, ``size`` values of each, and by ``conditions``: filters that must all be true.
        ``with_installations`` counts the known installations of each value, too.
        """
        raise NotImplementedError

    def neighbours(self, crash_id: str, filters: Sequence[Filter] = (), *, protected: bool = False) -> Neighbours:
        """Return the neighbours of a crash among those that the filters find; none if the index lacks the crash."""
        raise NotImplementedError

    def records(self, signature: str) -> tuple[SignatureRecord, ...]:
        """Return when a signature was first and last seen, by product; nothing if it never was."""
        raise NotImplementedError

    def state(self) -> IndexState:
        """Return what is known of the index. Raises nothing."""
        raise NotImplementedError

    def close(self) -> None:
        """Release files and connections."""


def check_bounds(what: str, number: int, maximum: int, minimum: int = 1) -> None:
    """Raise QueryError for a number that is not from ``minimum`` to ``maximum``."""
    if not minimum <= number <= maximum:
        raise QueryError(f"cannot search with {what} {number}: it must be from {minimum} to {maximum}")


def check_filters(filters: Sequence[Filter]) -> None:
    if len(filters) > MAXIMUM_FILTERS:
        raise QueryError(f"cannot search by {len(filters)} filters: at most {MAXIMUM_FILTERS}")


def check_days(first_day: date, last_day: date) -> int:
    """Return the number of days. Raises QueryError if there are none, or too many."""
    if first_day.year not in _YEARS or last_day.year not in _YEARS:
        raise QueryError(f"cannot search from {first_day} to {last_day}: years are from {_YEARS[0]} to {_YEARS[-1]}")
    days = (last_day - first_day).days + 1
    if days < 1:
        raise QueryError(f"cannot search from {first_day} to {last_day}: the last day comes before the first")
    check_bounds("a number of days of", days, MAXIMUM_DAYS)
    return days


def write_cursor(sort: Sort, position: Sequence[Any]) -> str:
    """Return the text of ``Page.next``."""
    return json.dumps([sort.field, sort.descending, *position])


def read_cursor(text: str, sort: Sort) -> list[Any]:
    """Return the position in a cursor, two values. Raises QueryError."""
    try:
        if len(text) > LONGEST_CURSOR:
            raise ValueError
        name, descending, value, tie = json.loads(text)
        if [name, descending] != [sort.field, sort.descending] or type(tie) is not int or tie >> 63:
            raise ValueError
        if not isinstance(value, str | int | float | None) or (isinstance(value, int) and abs(value) >> 63):
            raise ValueError
    except (ValueError, TypeError, RecursionError):
        raise QueryError(
            f"cannot go on after {json.dumps(text)[:100]}: no page of this search had it as next"
        ) from None
    return [value, tie]
