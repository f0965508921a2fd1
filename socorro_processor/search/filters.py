"""The filters of a search, and the short form in which commands and addresses have them.

product=Lightbox        the field has this value
version!=2.3            it has not, or has none
signature~render        the text has this in it, whatever the case
signature^lightbox::    it begins so, whatever the case
uptime<60               also <=, > and >=; of dates, too: date_processed>=2016-11-23
email?                  it has a value; email!? that it has none
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from socorro_processor.errors import QueryError

Operator = Literal["is", "contains", "begins", "at least", "more than", "at most", "less than", "exists"]

MAXIMUM_FILTERS = 50
MAXIMUM_VALUES = 50
"""Values of one filter."""
LONGEST_VALUE = 2000
"""Characters of a filter's value."""

_SIGNS: dict[str, Operator] = {
    "=": "is",
    "~": "contains",
    "^": "begins",
    ">=": "at least",
    ">": "more than",
    "<=": "at most",
    "<": "less than",
    "?": "exists",
}
_FORM = re.compile(r"(?P<field>[A-Za-z0-9_.:-]{1,200})(?P<not>!?)(?P<sign>>=|<=|[=~^<>?])(?P<value>.*)", re.DOTALL)


@dataclass(frozen=True)
class Filter:
    """A condition for crashes: a field has one of the values.

    ``values`` are texts, which are read as the type of the field; ``exists`` takes none.
    """

    field: str
    """A field of the table; what is in an object has a dotted name."""
    operator: Operator
    values: tuple[str, ...] = ()
    negated: bool = False
    """True for the crashes for which the condition is not true, those without the field among them."""

    def __post_init__(self) -> None:
        if bool(self.values) == (self.operator == "exists"):
            wanted = "no value" if self.values else "a value"
            raise QueryError(f"cannot search by {json.dumps(self.field)[:100]}: '{self.operator}' needs {wanted}")
        if len(self.values) > MAXIMUM_VALUES:
            raise QueryError(
                f"cannot search by {self.field[:100]}: {len(self.values)} values, at most {MAXIMUM_VALUES}"
            )
        if any(len(value) > LONGEST_VALUE for value in self.values):
            raise QueryError(f"cannot search by {self.field[:100]}: a value has more than {LONGEST_VALUE} characters")

    @property
    def is_equality(self) -> bool:
        """True if the field must have one of the values."""
        return self.operator == "is" and not self.negated

    def __str__(self) -> str:
        return self.head + " or ".join(self.values)

    @property
    def head(self) -> str:
        """The short form without the value: field and sign."""
        sign = next(sign for sign, operator in _SIGNS.items() if operator == self.operator)
        return f"{self.field}{'!' if self.negated else ''}{sign}"


def read_filter(text: str) -> Filter:
    """Read the short form of a filter. Raises QueryError."""
    form = _FORM.fullmatch(text)
    if form is None or (form["sign"] == "?" and form["value"]):
        raise QueryError(
            f"cannot read the filter {json.dumps(text)[:100]}: it is FIELD, then one of "
            f"{' '.join(_SIGNS)}, with ! before it for the opposite, then a value"
        )
    operator = _SIGNS[form["sign"]]
    return Filter(form["field"], operator, () if operator == "exists" else (form["value"],), bool(form["not"]))


def short_forms(filters: Iterable[Filter]) -> Iterator[str]:
    """Yield the texts from which ``read_filters`` makes these filters."""
    for each in filters:
        for value in each.values or ("",):
            yield each.head + value


def read_filters(texts: list[str]) -> tuple[Filter, ...]:
    """Read filters; values of the same field and operator, not negated, are alternatives. Raises QueryError."""
    if len(texts) > MAXIMUM_FILTERS:
        raise QueryError(f"cannot search by {len(texts)} filters: at most {MAXIMUM_FILTERS}")
    merged: dict[tuple[str, Operator], Filter] = {}
    others = []
    for each in map(read_filter, texts):
        key = each.field, each.operator
        if each.negated or each.operator not in ("is", "contains", "begins"):
            others.append(each)
        elif key in merged:
            merged[key] = Filter(each.field, each.operator, (*merged[key].values, *each.values))
        else:
            merged[key] = each
    return (*merged.values(), *others)
