"""A search as a file: CSV for a spreadsheet, JSON for a program."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from socorro_processor.search.base import MAXIMUM_PAGE, CrashIndex, Sort
from socorro_processor.search.filters import Filter
from socorro_processor.search.results import Page
from socorro_processor.search.value_text import value_text
from socorro_processor.untrusted import plain
from socorro_processor.web.pages.address import Address
from socorro_processor.web.pages.search_sources import SearchSources
from socorro_processor.web.pages.viewer import Viewer
from socorro_processor.web.search.search_address import columns_of, filters_of, sort_of

MOST_ROWS = 100_000
_ROWS = 100
_FACET_SIZE = 100
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins so for a formula, which may send away what it finds."""


def search_csv(sources: SearchSources, address: Address, viewer: Viewer) -> Iterator[str]:
    """Return the lines of a CSV file, at most MOST_ROWS; the first page is read before this returns.

    Raises QueryError and CrashStorageError, the latter also later.
    """
    search = _Search.of(sources, address, viewer)
    return _lines(search, search.page(MAXIMUM_PAGE))


def search_json(sources: SearchSources, address: Address, viewer: Viewer) -> dict[str, Any]:
    """Return an object with a page of crashes, the number of all, and the facets that the address names.

    Raises QueryError and CrashStorageError.
    """
    search = _Search.of(sources, address, viewer)
    page = search.page(address.number("limit", _ROWS, MAXIMUM_PAGE), address.one("after") or None)
    protected = viewer.sees_protected
    facets = search.index.facets(
        address.parameters.get("facet", ()), search.filters, size=_FACET_SIZE, protected=protected
    )
    return {
        "total": search.index.count(search.filters, protected=protected),
        "filters": [str(each) for each in search.filters],
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


@dataclass(frozen=True)
class _Search:
    """A search of an address. Its days stay the same, also if midnight comes while a long file is written."""

    index: CrashIndex
    filters: tuple[Filter, ...]
    columns: tuple[str, ...]
    sort: Sort
    protected: bool

    @classmethod
    def of(cls, sources: SearchSources, address: Address, viewer: Viewer) -> _Search:
        filters = filters_of(address, address.days(sources.today()))
        return cls(sources.index, filters, columns_of(address), sort_of(address), viewer.sees_protected)

    def page(self, limit: int, after: str | None = None) -> Page:
        return self.index.find(
            self.filters, fields=self.columns, sort=self.sort, limit=limit, after=after, protected=self.protected
        )


def _lines(search: _Search, page: Page) -> Iterator[str]:
    yield _line(["crash_id", *search.columns])
    left = MOST_ROWS
    while True:
        yield "".join(
            _line([each.crash_id, *(value_text(each.fields.get(name)) for name in search.columns)])
            for each in page.crashes
        )
        left -= len(page.crashes)
        if page.next is None or left <= 0:
            return
        page = search.page(min(MAXIMUM_PAGE, left), page.next)


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
