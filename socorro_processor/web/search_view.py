"""The content of the page of a search: a table of crashes, and the values by which they can be narrowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from socorro_processor.errors import QueryError
from socorro_processor.search.base import Facet, FoundCrash, Sort
from socorro_processor.search.filters import LONGEST_VALUE, Filter
from socorro_processor.search.searchable import DATE, SearchableField
from socorro_processor.search.value_text import value_text
from socorro_processor.web.address import Address, signature_address
from socorro_processor.web.report_sources import report_path

COLUMNS = (DATE, "product", "version", "os_name", "reason", "signature")
"""The fields in the table, unless the address names others."""
FACETS = ("product", "version", "release_channel", "os_name", "process_type", "reason", "signature")
"""The fields whose values are counted, besides those that the address names."""
MOST_COLUMNS = 30

_TITLES: Mapping[str, str] = {
    DATE: "submitted",
    "os_name": "system",
    "release_channel": "channel",
    "process_type": "process",
}
_LONGEST_CELL = 300  # characters


class Column(NamedTuple):
    field: str
    title: str
    kind: str
    """A class of the style sheet: number, date, signature or text."""
    sort: str
    """The address of the page sorted by it."""
    order: str
    """ascending or descending, if the page is sorted by it; else none."""


class Cell(NamedTuple):
    text: str
    kind: str
    link: str


class Row(NamedTuple):
    name: str
    """The beginning of the crash id."""
    link: str
    cells: list[Cell]


class FacetLink(NamedTuple):
    text: str
    crashes: int
    share: int
    """Percent of the crashes that were counted."""
    only: str
    """The address of the crashes with this value."""
    without: str
    """The address of the crashes with any other value."""


@dataclass(frozen=True)
class FacetView:
    field: str
    title: str
    doc: str
    values: list[FacetLink]
    remove: str
    """The address of the page without this facet; empty if the page always has it."""


def columns_of(address: Address) -> tuple[str, ...]:
    """Return the fields that the address names as columns. Raises QueryError."""
    named = [name for text in address.parameters.get("columns", ()) for name in text.split(",") if name]
    if len(named) > MOST_COLUMNS:
        raise QueryError(f"cannot show {len(named)} columns: at most {MOST_COLUMNS}")
    return tuple(dict.fromkeys(named)) or COLUMNS


def sort_of(address: Address) -> Sort:
    text = address.one("sort", f"-{DATE}")
    return Sort(text.removeprefix("-"), text.startswith("-"))


def facets_of(address: Address) -> tuple[str, ...]:
    """Return the fields whose values are counted."""
    return tuple(dict.fromkeys((*FACETS, *address.parameters.get("facet", ()))))


def title_of(field: str) -> str:
    return _TITLES.get(field, field.replace("_", " "))


def column_heads(
    address: Address, columns: Sequence[str], fields: Mapping[str, SearchableField], sort: Sort
) -> list[Column]:
    heads = []
    for name in columns:
        is_sorted = sort.field == name
        # A text is sorted from its beginning first, anything else from the greatest.
        kind = _kind(fields, name)
        descending = not sort.descending if is_sorted else kind in ("number", "date")
        link = address.with_parameter("after").with_parameter("sort", f"{'-' * descending}{name}")
        order = ("descending" if sort.descending else "ascending") if is_sorted else "none"
        heads.append(Column(name, title_of(name), kind, str(link), order))
    return heads


def rows_of(
    crashes: Sequence[FoundCrash], columns: Sequence[str], fields: Mapping[str, SearchableField], address: Address
) -> Iterator[Row]:
    like = [each for each in address.filters if each.field == "product"]
    for crash in crashes:
        cells = []
        for name in columns:
            value = crash.fields.get(name)
            text = f"{value:%Y-%m-%d %H:%M}" if name == DATE and value is not None else _cut(value_text(value))
            link = ""
            if name == "signature" and isinstance(value, str) and 0 < len(value) <= LONGEST_VALUE:
                link = signature_address(value, like)
            cells.append(Cell(text, _kind(fields, name), link))
        yield Row(crash.crash_id[:8], report_path(crash.crash_id), cells)


def facet_views(
    address: Address, facets: Sequence[Facet], counted: int, fields: Mapping[str, SearchableField]
) -> Iterator[FacetView]:
    for facet in facets:
        name = facet.field
        links = [
            _link(address, value_text(each.value), each.crashes, counted, Filter(name, "is", (value_text(each.value),)))
            for each in facet.values
            if len(value_text(each.value)) <= LONGEST_VALUE
        ]
        if facet.missing:
            links.append(_link(address, "(none)", facet.missing, counted, Filter(name, "exists", (), negated=True)))
        extra = [each for each in address.parameters.get("facet", ()) if each != name]
        remove = "" if name in FACETS else str(address.with_parameter("facet", *extra))
        doc = fields[name].field.doc if name in fields else ""
        yield FacetView(name, title_of(name), doc, links, remove)


def _link(address: Address, text: str, crashes: int, counted: int, condition: Filter) -> FacetLink:
    opposite = Filter(condition.field, condition.operator, condition.values, not condition.negated)
    only = address.with_filter(condition.field, condition.values[0]) if condition.values else address.plus(condition)
    share = round(100 * crashes / counted) if counted else 0
    return FacetLink(_cut(text) or '""', crashes, share, str(only), str(address.plus(opposite)))


def _kind(fields: Mapping[str, SearchableField], name: str) -> str:
    field = fields.get(name)
    if field is None or name == "signature":
        return "signature" if name == "signature" else "text"
    return {"integer": "number", "number": "number", "date": "date"}.get(field.kind, "text")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}…"
