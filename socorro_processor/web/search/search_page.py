"""The page ``/search``: crashes by any field, and the values by which they can be narrowed.

    answer = search_page(pages, sources, address, viewer)

It knows no web framework: an index and an address go in, HTML comes out.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from socorro_processor.errors import QueryError
from socorro_processor.fields.searchable import DIMENSIONS
from socorro_processor.search.base import CrashIndex
from socorro_processor.search.results import Facet, Page
from socorro_processor.search.value_text import value_text
from socorro_processor.web.pages.address import Address
from socorro_processor.web.pages.answer import Answer
from socorro_processor.web.pages.bar_chart import BarChart, day_chart
from socorro_processor.web.pages.filter_bar import filter_bar
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.search_sources import SearchSources
from socorro_processor.web.pages.viewer import Viewer
from socorro_processor.web.search.search_address import COLUMNS, columns_of, command_of, facets_of, filters_of, sort_of
from socorro_processor.web.search.search_files import MOST_ROWS
from socorro_processor.web.search.search_line import SIGNS, line_of
from socorro_processor.web.search.search_view import column_choices, column_heads, facet_views, rows_of

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


def search_page(
    pages: Pages, sources: SearchSources, address: Address, viewer: Viewer, *, line: str = "", problem: str = ""
) -> Answer:
    """Return the page of an address. Raises CrashStorageError if the index is away, ConfigurationError without one.

    ``problem`` says why ``line``, which was typed, is no search: the page shows both, to be mended.
    """
    today = sources.today()
    days = Address(address.path).days(today)
    found = None
    try:
        days = address.days(today)
        if not problem:
            with sources.index.snapshot() as index:
                found = _found(index, address, days, viewer)
    except QueryError as error:
        problem = problem or str(error)
    return _page(pages, sources, address, viewer, days, found, line or line_of(address), problem)


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
    newest = index.newest(
        filters,
        fields=facets_of(address),
        size=_FACET_SIZE,
        limit=MOST_COUNTED,
        with_installations=True,
        protected=protected,
    )
    by_day = index.histogram(*days, address.filters, protected=protected)
    chart = day_chart("Crashes by day", by_day, address_of=lambda first, last: str(address.of_days(first, last)))
    return _Found(page, sum(each.crashes for each in by_day), newest.facets, newest.crashes, chart)


def _page(
    pages: Pages,
    sources: SearchSources,
    address: Address,
    viewer: Viewer,
    days: tuple[date, date],
    found: _Found | None,
    line: str,
    problem: str,
) -> Answer:
    fields = {
        name: each for name, each in sources.index.fields().items() if viewer.sees_protected or not each.is_protected
    }
    values: dict[str, Any] = {"found": None}
    columns: tuple[str, ...] = COLUMNS
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
    first_page = address.with_parameter("after")
    html = pages.render(
        "search.html",
        address=address,
        bar=filter_bar(address, days, sources.today(), choices),
        line=line,
        fields=sorted((name, each.field.doc) for name, each in fields.items()),
        choices=list(column_choices(columns, fields)),
        signs=SIGNS,
        problem=problem,
        lacks=sources.notices(),
        csv=str(replace(first_page, path="/search.csv")),
        json=str(replace(first_page, path="/search.json")),
        most_rows=MOST_ROWS,
        more_days=str(address.of_last_days(90)),
        command=shlex.join(command_of(address, days, fields)) if found else "",
        **values,
    )
    return Answer(400 if problem else 200, html)
