"""The parts of a search's address: filters with days, columns, order, facets; and the command that asks the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from socorro_processor.errors import QueryError
from socorro_processor.fields.searchable import DATE, SearchableField
from socorro_processor.search.base import Sort
from socorro_processor.search.days import filters_of_days
from socorro_processor.search.filters import Filter, short_forms
from socorro_processor.search.searchable import ALIASES
from socorro_processor.web.pages.address import Address

COLUMNS = (DATE, "product", "version", "os_name", "reason", "signature")
"""The fields in the table, unless the address names others."""
FACETS = ("product", "version", "release_channel", "os_name", "process_type", "reason", "signature")
"""The fields whose values are counted, besides those that the address names."""
MOST_COLUMNS = 30


def filters_of(address: Address, days: tuple[date, date]) -> tuple[Filter, ...]:
    """Return all filters of a search: those of the address, and its days."""
    return *address.filters, *filters_of_days(days)


def columns_of(address: Address) -> tuple[str, ...]:
    """Return the fields in the table. Raises QueryError."""
    return _named_columns(address) or COLUMNS


def sort_of(address: Address) -> Sort:
    text = address.one("sort", f"-{DATE}")
    return Sort(text.removeprefix("-"), text.startswith("-"))


def facets_of(address: Address) -> tuple[str, ...]:
    """Return the fields whose values are counted."""
    return tuple(dict.fromkeys((*FACETS, *address.parameters.get("facet", ()))))


def command_of(address: Address, days: tuple[date, date], fields: Mapping[str, SearchableField]) -> Iterator[str]:
    """Yield the words of the command that finds the same crashes, in the same order. Raises QueryError."""
    yield from ("socorro", "search", *short_forms(address.filters), f"--date={days[0]}..{days[1]}")
    columns, sort = _named_columns(address), address.one("sort")
    if columns:
        yield f"--fields={','.join(columns)}"
    if sort:
        yield f"--sort={sort}"
    named = (*columns, sort.removeprefix("-"), *(each.field.partition(".")[0] for each in address.filters))
    if any(field.is_protected for name in named if (field := fields.get(ALIASES.get(name, name)))):
        yield "--protected"


def _named_columns(address: Address) -> tuple[str, ...]:
    named = dict.fromkeys(name for text in address.parameters.get("columns", ()) for name in text.split(",") if name)
    if len(named) > MOST_COLUMNS:
        raise QueryError(f"cannot show {len(named)} columns: at most {MOST_COLUMNS}")
    return tuple(named)
