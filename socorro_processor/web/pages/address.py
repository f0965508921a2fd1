"""The address of a page that shows crashes: its filters, days and order, and links that change one of them.

    /search?product=Lightbox&signature~render&uptime%3C60&date=2026-11-20..2026-11-26

Each part is a filter in the short form of the commands (``socorro_processor.search.filters``), or one of PARAMETERS. So
the field of a form is a filter, too; an empty one is none.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from urllib.parse import quote, unquote_plus

from socorro_processor.configuration import read_days
from socorro_processor.errors import QueryError
from socorro_processor.search.base import LONGEST_CURSOR, check_days
from socorro_processor.search.days import Days, closed_days
from socorro_processor.search.filters import Filter, read_filters, short_forms

PARAMETERS = (
    *("date", "days", "sort", "after", "facet", "columns", "limit", "offset", "a", "b", "outcome"),
    *("line", "add_field", "add_sign", "add_value"),
)
"""The parameters of pages; no searchable field has such a name."""
MAXIMUM_PARTS = 200
LONGEST_ADDRESS = 30_000
"""Characters of what stands behind the question mark."""
DEFAULT_DAYS = 7

_SAFE = "/:~!@$*(),;^'| "
"""Characters that may stand in an address as they are; a space becomes a plus."""
_SIGNS = "=~^<>?"
_PAGING = ("after", "offset")
"""The parameters that lead beyond the first page."""


@dataclass(frozen=True)
class Address:
    """An address of this server. Its links begin with a slash, and are safe in HTML once that is escaped."""

    path: str
    filters: tuple[Filter, ...] = ()
    """Without those of the days."""
    parameters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def one(self, parameter: str, default: str = "") -> str:
        """Return the last value of a parameter."""
        return self.parameters.get(parameter, (default,))[-1]

    def number(self, parameter: str, default: int, maximum: int) -> int:
        """Return a parameter that is a number from 0 to ``maximum``. Raises QueryError."""
        text = self.one(parameter)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= maximum):
            raise QueryError(f"cannot show this page with {parameter}={text[:50]!r}: it must be from 0 to {maximum}")
        return int(text)

    def days(self, today: date, default: int = DEFAULT_DAYS) -> tuple[date, date]:
        """Return the first and the last day: those of ``date``, or as many as ``days`` up to today.

        Raises QueryError.
        """
        days = closed_days(self._dates(), today, self.number("days", default, 10_000) or default)
        check_days(*days)
        return days

    def values(self, field: str) -> tuple[str, ...]:
        """Return the values that the field must have."""
        return tuple(
            value for each in self.filters if each.field == field and each.is_equality for value in each.values
        )

    def to(self, path: str) -> Address:
        """Return another page with the same filters and days."""
        kept = {name: self.parameters[name] for name in ("date", "days") if name in self.parameters}
        return Address(path, self.filters, kept)

    def with_filter(self, field: str, value: str) -> Address:
        """Return the address in which the field must have this value, and no other. Raises QueryError."""
        return self.without_equality(field).plus(Filter(field, "is", (value,)))

    def plus(self, *conditions: Filter) -> Address:
        """Return the address with further filters."""
        return self._from_first_page(filters=(*self.filters, *conditions))

    def without_value(self, condition: Filter, value: str | None = None) -> Address:
        """Return the address without a filter, or without one of its values."""
        filters = []
        for each in self.filters:
            if each != condition:
                filters.append(each)
            elif value is not None and len(each.values) > 1:
                filters.append(replace(each, values=tuple(other for other in each.values if other != value)))
        return self._from_first_page(filters=tuple(filters))

    def without_field(self, field: str) -> Address:
        return self._from_first_page(filters=tuple(each for each in self.filters if each.field != field))

    def without_equality(self, field: str) -> Address:
        """Return the address that does not say which values the field must have; its other filters of it stay."""
        return self._from_first_page(
            filters=tuple(each for each in self.filters if each.field != field or not each.is_equality)
        )

    def with_parameter(self, parameter: str, *values: str) -> Address:
        """Return the address with these values of a parameter; without any, it has none."""
        parameters = {name: old for name, old in self.parameters.items() if name != parameter}
        if values:
            parameters[parameter] = values
        return replace(self, parameters=parameters)

    def of_days(self, first: date, last: date) -> Address:
        """Return the first page of these days."""
        return self._of_parameter("date", str(first) if first == last else f"{first}..{last}")

    def of_last_days(self, number: int) -> Address:
        """Return the first page of so many days up to today."""
        return self._of_parameter("days", str(number))

    def _of_parameter(self, parameter: str, value: str) -> Address:
        others = {name: each for name, each in self.parameters.items() if name not in ("date", "days", *_PAGING)}
        return replace(self, parameters={**others, parameter: (value,)})

    def _from_first_page(self, filters: tuple[Filter, ...]) -> Address:
        parameters = {name: each for name, each in self.parameters.items() if name not in _PAGING}
        return replace(self, filters=filters, parameters=parameters)

    def _dates(self) -> Days:
        if not (text := self.one("date")):
            return None, None
        try:
            return read_days(text)
        except argparse.ArgumentTypeError as error:
            raise QueryError(f"cannot show the days of {text[:50]!r}: {error}") from None

    def parts(self) -> Iterator[tuple[str, str]]:
        """Yield names and values, as a form has them in hidden fields."""
        for text in short_forms(self.filters):
            name, _, value = text.partition("=")
            yield (name, value) if value else (text, "")
        for name, values in self.parameters.items():
            for value in values:
                yield name, value

    def __str__(self) -> str:
        parts = [f"{_quoted(name)}={_quoted(value)}" if value else _quoted(name) for name, value in self.parts()]
        return f"{self.path}?{'&'.join(parts)}" if parts else self.path


def read_address(path: str, query: bytes) -> Address:
    """Return the address that a browser asked for; ``query`` is what stands behind the question mark.

    Raises QueryError.
    """
    if len(query) > LONGEST_ADDRESS:
        raise QueryError(f"cannot show a page whose address has {len(query)} characters: at most {LONGEST_ADDRESS}")
    filters: list[str] = []
    parameters: dict[str, tuple[str, ...]] = {}
    parts = query.decode("ascii", "replace").split("&")
    if len(parts) > MAXIMUM_PARTS:
        raise QueryError(f"cannot show a page whose address has {len(parts)} parts: at most {MAXIMUM_PARTS}")
    for part in parts:
        name, sign, value = (unquote_plus(each, errors="replace") for each in part.partition("="))
        if name in PARAMETERS:
            if value:
                parameters[name] = (*parameters.get(name, ()), value[:LONGEST_CURSOR])
        elif value or not sign:
            if name:
                filters.append(name + sign + value)
        elif any(each in _SIGNS for each in name):
            # A filter without "=", or with nothing behind it, from a hidden field of a form.
            filters.append(name)
    return Address(path, read_filters(filters), parameters)


def page_address(path: str, **fields: str) -> str:
    """Return the link to a page whose crashes have these values. Raises QueryError if one is too long."""
    return str(Address(path, tuple(Filter(name, "is", (value,)) for name, value in fields.items())))


def signature_address(signature: str, like: Sequence[Filter] = ()) -> str:
    """Return the link to the page of a signature, with further filters. Raises QueryError if it is too long."""
    others = tuple(each for each in like if each.field != "signature")
    return str(Address("/signature", (Filter("signature", "is", (signature,)), *others)))


def _quoted(text: str) -> str:
    return quote(text, safe=_SAFE).replace(" ", "+")
