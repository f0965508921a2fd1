"""The history of a signature: when it was first and last seen, and whether it came back after it had been quiet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from socorro_processor.fields.searchable import DATE
from socorro_processor.search.base import CrashIndex
from socorro_processor.search.filters import Filter
from socorro_processor.search.results import DayCount, Page, SignatureRecord
from socorro_processor.web.pages.version_order import is_unknown

QUIET_DAYS = 14
"""A signature is quiet if it had no crash for so many days."""


class Return(NamedTuple):
    """A day when a signature came back."""

    day: date
    days: int | None
    """The days without a crash before it; None if the crashes from before are not stored any more."""


def records_of(records: Sequence[SignatureRecord], products: Sequence[str]) -> list[SignatureRecord]:
    """Return the records of these products; without any, all."""
    return [each for each in records if not products or each.product in products]


def came_back(
    index: CrashIndex,
    filters: Sequence[Filter],
    records: Sequence[SignatureRecord],
    days: tuple[date, date],
    by_day: Sequence[DayCount] | None = None,
    *,
    protected: bool,
) -> Return | None:
    """Return the first of these days when crashes of known versions came after QUIET_DAYS without any.

    ``filters`` find the crashes of the signature, ``records`` are theirs, which stay when crashes go, and ``by_day``
    are those of these days by version, if known. An index that has no crash from before the quiet days proves nothing.
    """
    first_day, last_day = days
    first_seen = min((each.first_seen.date() for each in records), default=last_day)
    if first_seen >= last_day - timedelta(days=QUIET_DAYS):
        return None
    begin = first_day - timedelta(days=QUIET_DAYS)
    end = last_day if by_day is None else first_day - timedelta(days=1)
    counts = (*index.histogram(begin, end, filters, by="version", protected=protected), *(by_day or ()))
    for place in range(QUIET_DAYS, len(counts)):
        day = counts[place].day
        known = sum(crashes for version, crashes in counts[place].by.items() if not is_unknown(version))
        is_quiet = not any(each.crashes for each in counts[place - QUIET_DAYS : place])
        quiet_from = day - timedelta(days=QUIET_DAYS)
        if not known or not is_quiet or first_seen >= quiet_from:
            continue
        before = Filter(DATE, "less than", (quiet_from.isoformat(),))
        if earlier := _day_of_newest(index.find([*filters, before], fields=(DATE,), limit=1, protected=protected)):
            return Return(day, (day - earlier).days - 1)
        if index.find([before], fields=(), limit=1, protected=protected).crashes:
            return Return(day, None)
    return None


def _day_of_newest(page: Page) -> date | None:
    for crash in page.crashes:
        moment = crash.fields.get(DATE)
        return moment.date() if moment is not None else None
    return None
