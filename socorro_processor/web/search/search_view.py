"""The content of the page of a search: a table of crashes, and the values by which they can be narrowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from socorro_processor.errors import QueryError
from socorro_processor.fields.searchable import DATE, SearchableField
from socorro_processor.search.base import Sort
from socorro_processor.search.filters import LONGEST_VALUE, Filter, read_filter
from socorro_processor.search.results import Facet, FacetValue, FoundCrash
from socorro_processor.search.searchable import ALIASES
from socorro_processor.search.value_text import value_text
from socorro_processor.web.pages.address import Address, signature_address
from socorro_processor.web.pages.moments import moment_text
from socorro_processor.web.pages.report_address import report_path
from socorro_processor.web.search.search_address import FACETS

_TITLES: Mapping[str, str] = {
    DATE: "submitted (UTC)",
    "os_name": "system",
    "release_channel": "channel",
    "process_type": "process",
}
_LONGEST_CELL = 120  # characters
_LONGEST_SIGNATURE = 300  # characters


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


class ColumnChoice(NamedTuple):
    """A field that can be a column."""

    field: str
    doc: str
    is_shown: bool


class Row(NamedTuple):
    name: str
    """The beginning of the crash id."""
    link: str
    cells: list[Cell]


class FacetLink(NamedTuple):
    text: str
    crashes: int
    installations: int | None
    """None if they were not counted."""
    share: int
    """Percent of the crashes that were counted."""
    only: str
    """The address of the crashes with this value; empty if no filter can name it."""
    without: str
    """The address of the crashes with any other value, or none; empty as ``only``."""


@dataclass(frozen=True)
class FacetView:
    field: str
    title: str
    doc: str
    values: list[FacetLink]
    remove: str
    """The address of the page without this facet; empty if the page always has it."""


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


def column_choices(columns: Sequence[str], fields: Mapping[str, SearchableField]) -> Iterator[ColumnChoice]:
    """Yield the fields that can be columns, those that are first: a form sends them in this order."""
    for name in (*columns, *sorted(fields.keys() - {*columns})):
        field = fields.get(ALIASES.get(name, name))
        yield ColumnChoice(name, field.field.doc if field else "", name in columns)


def rows_of(
    crashes: Sequence[FoundCrash], columns: Sequence[str], fields: Mapping[str, SearchableField], address: Address
) -> Iterator[Row]:
    like = [each for each in address.filters if each.field == "product"]
    for crash in crashes:
        cells = []
        for name in columns:
            value = crash.fields.get(name)
            text = moment_text(value) if isinstance(value, datetime) else _cut(value_text(value), name)
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
        field = fields.get(ALIASES.get(name, name))
        is_object = field is not None and field.kind == "leaves"
        links = [
            _link(address, each, counted, _of_leaf(name, each.value) if is_object else _of_value(name, each.value))
            for each in facet.values
        ]
        if facet.missing:
            none = FacetValue("(none)", facet.missing, None)
            links.append(_link(address, none, counted, None if is_object else Filter(name, "exists", (), negated=True)))
        extra = [each for each in address.parameters.get("facet", ()) if each != name]
        remove = "" if name in FACETS else str(address.with_parameter("facet", *extra))
        yield FacetView(name, title_of(name), field.field.doc if field else "", links, remove)


def _of_value(field: str, value: Any) -> Filter | None:
    # A date is shown without its fraction of a second, without which it would not be found.
    return _readable(field, value.isoformat() if isinstance(value, datetime) else value_text(value))


def _of_leaf(field: str, text: str) -> Filter | None:
    name, _, value = text.partition("=")
    return _readable(f"{field}.{name}", value)


def _readable(field: str, value: str) -> Filter | None:
    """Return the filter for a value; None if an address cannot have it, because strangers chose the field's name."""
    text = f"{field}={value}"
    try:
        condition = read_filter(text)
    except QueryError:
        return None
    return condition if value and (condition.field, condition.values) == (field, (value,)) else None


def _link(address: Address, value: FacetValue, counted: int, condition: Filter | None) -> FacetLink:
    only = without = ""
    if condition:
        opposite = replace(condition, negated=not condition.negated)
        narrowed = (
            address.with_filter(condition.field, condition.values[0]) if condition.values else address.plus(condition)
        )
        only, without = str(narrowed), str(address.plus(opposite))
    share = round(100 * value.crashes / counted) if counted else 0
    text = _cut(value_text(value.value)) or '""'
    return FacetLink(text, value.crashes, value.installations, share, only, without)


def _kind(fields: Mapping[str, SearchableField], name: str) -> str:
    field = fields.get(ALIASES.get(name, name))
    if field is None or name == "signature":
        return "signature" if name == "signature" else "text"
    return {"integer": "number", "number": "number", "date": "date"}.get(field.kind, "text")


def _cut(text: str, field: str = "") -> str:
    longest = _LONGEST_SIGNATURE if field == "signature" else _LONGEST_CELL
    return text if len(text) <= longest else f"{text[:longest]}…"
