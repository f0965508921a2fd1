"""The page ``/search``: crashes by any field, and the values by which they can be narrowed.

    answer = search_page(pages, sources, address, viewer)

It knows no web framework: an index and an address go in, HTML comes out.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import date
from typing import Any

from socorro_processor.errors import QueryError
from socorro_processor.search.base import CrashIndex, Facet, Page
from socorro_processor.search.filters import Filter, short_forms
from socorro_processor.search.searchable import DATE, DIMENSIONS
from socorro_processor.search.value_text import value_text
from socorro_processor.web.address import Address
from socorro_processor.web.bar_chart import BarChart, Column, Series, bar_chart
from socorro_processor.web.filter_bar import filter_bar
from socorro_processor.web.rendering import Pages
from socorro_processor.web.report_page import Answer
from socorro_processor.web.report_sources import Viewer
from socorro_processor.web.search_line import SIGNS, line_of
from socorro_processor.web.search_sources import SearchSources
from socorro_processor.web.search_view import column_heads, columns_of, facet_views, facets_of, rows_of, sort_of

MOST_COUNTED = 20_000
"""The newest crashes whose values are counted: that takes the same time, however many there are."""
_FACET_SIZE = 8
_ROWS = 50


@dataclass(frozen=True)
class _Found:
    page: Page
    total: int
    facets: tuple[Facet, ...]
    counted: int
    chart: BarChart


def search_page(pages: Pages, sources: SearchSources, address: Address, viewer: Viewer) -> Answer:
    """Return the page of an address. Raises CrashStorageError if the index is away, ConfigurationError without one."""
    index = sources.index
    try:
        days = address.days(sources.today())
        return _page(pages, sources, address, viewer, days, _found(index, address, days, viewer))
    except QueryError as error:
        today = sources.today()
        return _page(pages, sources, address, viewer, (today, today), None, str(error))


def filters_of(address: Address, days: tuple[date, date]) -> tuple[Filter, ...]:
    """Return all filters of a search: those of the address, and its days."""
    first, last = days
    return (
        *address.filters,
        Filter(DATE, "at least", (first.isoformat(),)),
        Filter(DATE, "at most", (last.isoformat(),)),
    )


def _found(index: CrashIndex, address: Address, days: tuple[date, date], viewer: Viewer) -> _Found:
    filters, protected = filters_of(address, days), viewer.sees_protected
    page = index.find(
        filters,
        fields=columns_of(address),
        sort=sort_of(address),
        limit=_ROWS,
        after=address.one("after") or None,
        protected=protected,
    )
    newest = index.newest(filters, fields=facets_of(address), size=_FACET_SIZE, limit=MOST_COUNTED, protected=protected)
    by_day = index.histogram(*days, address.filters, protected=protected)
    bars = [
        Column(str(each.day), (each.crashes,), f"{each.day:%b %-d}", str(address.with_parameter("date", str(each.day))))
        for each in by_day
    ]
    chart = bar_chart("Crashes by day", [Series("crashes")], bars)
    return _Found(page, sum(each.crashes for each in by_day), newest.facets, newest.crashes, chart)


def _page(
    pages: Pages,
    sources: SearchSources,
    address: Address,
    viewer: Viewer,
    days: tuple[date, date],
    found: _Found | None,
    problem: str = "",
) -> Answer:
    fields = {
        name: each for name, each in sources.index.fields().items() if viewer.sees_protected or not each.is_protected
    }
    values: dict[str, Any] = {"found": None}
    choices = {}
    if found:
        columns, sort = columns_of(address), sort_of(address)
        values = {
            "found": found,
            "columns": column_heads(address, columns, fields, sort),
            "rows": list(rows_of(found.page.crashes, columns, fields, address)),
            "facets": list(facet_views(address, found.facets, found.counted, fields)),
            "next": str(address.with_parameter("after", found.page.next)) if found.page.next else "",
            "first": str(address.with_parameter("after")) if address.one("after") else "",
        }
        choices = {
            facet.field: [value_text(each.value) for each in facet.values]
            for facet in found.facets
            if facet.field in DIMENSIONS
        }
    html = pages.render(
        "search.html",
        address=address,
        bar=filter_bar(address, days, sources.today(), choices),
        line=line_of(address),
        fields=sorted((name, each.field.doc) for name, each in fields.items()),
        chosen=", ".join(address.parameters.get("columns", ())),
        signs=SIGNS,
        problem=problem,
        notices=sources.notices(),
        csv=str(address.with_parameter("after")).replace("/search", "/search.csv", 1),
        json=str(address.with_parameter("after")).replace("/search", "/search.json", 1),
        more_days=str(address.with_parameter("date").with_parameter("after").with_parameter("days", "90")),
        command=shlex.join(["socorro", "search", *short_forms(address.filters), f"--date={days[0]}..{days[1]}"]),
        **values,
    )
    return Answer(400 if problem else 200, html)
