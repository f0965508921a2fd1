"""The filters at the head of a page: the fields that most people choose by, the days, and a chip for any other filter.

It is a form with GET, so that it needs no script, and its choices are in the address.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple

from socorro_processor.fields.searchable import DIMENSIONS
from socorro_processor.search.filters import Filter
from socorro_processor.web.pages.address import Address

LABELS: Mapping[str, str] = {
    "product": "Product",
    "version": "Version",
    "release_channel": "Channel",
    "os_name": "System",
}
"""The labels of DIMENSIONS."""
LENGTHS = (1, 3, 7, 14, 28, 90)
"""The numbers of days that a click chooses."""


class Choice(NamedTuple):
    """A field of which one value can be chosen."""

    field: str
    label: str
    values: list[str]
    chosen: str
    """Empty: any."""
    any: str = "any"
    """The word for choosing none."""


class Chip(NamedTuple):
    """A filter, with the address of the page without it."""

    text: str
    without: str


class Length(NamedTuple):
    """A number of days up to today, with the address of the page of these."""

    days: int
    address: str
    is_shown: bool


@dataclass(frozen=True)
class FilterBar:
    path: str
    choices: list[Choice]
    chips: list[Chip]
    lengths: list[Length]
    hidden: list[tuple[str, str]]
    """The rest of the address, which the form keeps."""
    first_day: date
    last_day: date
    clear: str
    """The address without any filter; empty if it has none."""


def filter_bar(
    address: Address, days: tuple[date, date], today: date, choices: Mapping[str, Sequence[str]]
) -> FilterBar:
    """Return the filters of an address. ``choices`` has the values of DIMENSIONS that can be chosen."""
    chosen = {field: address.values(field) for field in DIMENSIONS}
    # Of several values a list shows none; a chip shows all.
    single = {field for field, values in chosen.items() if len(values) == 1}
    others = tuple(each for each in address.filters if each.field not in single or not each.is_equality)
    first_day, last_day = days
    length = (last_day - first_day).days + 1
    return FilterBar(
        address.path,
        [
            Choice(
                field,
                LABELS[field],
                list(dict.fromkeys([*choices.get(field, ()), *chosen[field]])),
                chosen[field][0] if field in single else "",
            )
            for field in DIMENSIONS
        ],
        [chip for each in others for chip in _chips(address, each)],
        [Length(each, str(address.of_last_days(each)), last_day == today and length == each) for each in LENGTHS],
        [(name, value) for name, value in replace(address, filters=others).parts() if name not in ("after", "offset")],
        first_day,
        last_day,
        str(Address(address.path)) if address.filters else "",
    )


def _chips(address: Address, condition: Filter) -> Iterator[Chip]:
    for value in condition.values or (None,):
        one = condition if value is None else Filter(condition.field, condition.operator, (value,), condition.negated)
        yield Chip(str(one), str(address.without_value(condition, value)))
