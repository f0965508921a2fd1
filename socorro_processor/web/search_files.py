"""A search as a file: CSV for a spreadsheet, JSON for a program."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from socorro_processor.search.base import MAXIMUM_PAGE, Page
from socorro_processor.search.value_text import value_text
from socorro_processor.untrusted import plain
from socorro_processor.web.address import Address
from socorro_processor.web.report_sources import Viewer
from socorro_processor.web.search_page import filters_of
from socorro_processor.web.search_sources import SearchSources
from socorro_processor.web.search_view import columns_of, sort_of

MOST_ROWS = 100_000
_ROWS = 100
_FACET_SIZE = 100
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins so for a formula, which may send away what it finds."""


def search_csv(sources: SearchSources, address: Address, viewer: Viewer) -> Iterator[str]:
    """Return the lines of a CSV file, at most MOST_ROWS; the first page is read before this returns.

    Raises QueryError and CrashStorageError, the latter also later.
    """
    columns = columns_of(address)
    first = _page(sources, address, viewer, columns, MAXIMUM_PAGE, None)
    return _lines(sources, address, viewer, columns, first)


def search_json(sources: SearchSources, address: Address, viewer: Viewer) -> dict[str, Any]:
    """Return an object with a page of crashes, the number of all, and the facets that the address names.

    Raises QueryError and CrashStorageError.
    """
    columns = columns_of(address)
    limit = address.number("limit", _ROWS, MAXIMUM_PAGE)
    page = _page(sources, address, viewer, columns, limit, address.one("after") or None)
    filters = filters_of(address, address.days(sources.today()))
    protected = viewer.sees_protected
    facets = sources.index.facets(address.parameters.get("facet", ()), filters, size=_FACET_SIZE, protected=protected)
    return {
        "total": sources.index.count(filters, protected=protected),
        "filters": [str(each) for each in filters],
        "crashes": [{"crash_id": each.crash_id, **_fields(each.fields)} for each in page.crashes],
        "next": page.next,
        "facets": {
            facet.field: {
                "values": [
                    {"value": _plain_value(each.value), "crashes": each.crashes, "installations": each.installations}
                    for each in facet.values
                ],
                "missing": facet.missing,
            }
            for facet in facets
        },
    }


def _page(
    sources: SearchSources, address: Address, viewer: Viewer, columns: Sequence[str], limit: int, after: str | None
) -> Page:
    return sources.index.find(
        filters_of(address, address.days(sources.today())),
        fields=columns,
        sort=sort_of(address),
        limit=limit,
        after=after,
        protected=viewer.sees_protected,
    )


def _lines(
    sources: SearchSources, address: Address, viewer: Viewer, columns: Sequence[str], page: Page
) -> Iterator[str]:
    yield _line(["crash_id", *columns])
    written = 0
    while True:
        rows = [
            _line([each.crash_id, *(value_text(each.fields.get(name)) for name in columns)]) for each in page.crashes
        ]
        yield "".join(rows)
        written += len(rows)
        if page.next is None or written >= MOST_ROWS:
            return
        page = _page(sources, address, viewer, columns, min(MAXIMUM_PAGE, MOST_ROWS - written), page.next)


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow([_harmless(plain(cell)) for cell in cells])
    return text.getvalue()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) and not _is_number(cell) else cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _fields(fields: Any) -> dict[str, Any]:
    return {name: _plain_value(value) for name, value in fields.items()}


def _plain_value(value: Any) -> Any:
    return value_text(value) if hasattr(value, "isoformat") else value
