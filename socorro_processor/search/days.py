"""The days (UTC) of a search, as commands and pages have them; an end may be open."""

from __future__ import annotations

from datetime import date, timedelta

from socorro_processor.fields.searchable import DATE
from socorro_processor.search.filters import Filter

Days = tuple[date | None, date | None]
"""The first and the last day; None if that end is open."""


def filters_of_days(days: Days) -> tuple[Filter, ...]:
    """Return the filters for crashes of these days."""
    first, last = days
    filters = [Filter(DATE, "at least", (first.isoformat(),))] if first else []
    return (*filters, Filter(DATE, "at most", (last.isoformat(),))) if last else tuple(filters)


def closed_days(days: Days, today: date, default_length: int) -> tuple[date, date]:
    """Return the first and last day; where an end is open, as many days as by default."""
    first, last = days
    last = last or (max(today, first) if first else today)
    return first or last - timedelta(days=default_length - 1), last
