"""The line in which people type a search, and the filter that they choose from lists: both become an address."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from socorro_processor.errors import InvalidCrashID, QueryError
from socorro_processor.search.filters import Filter, read_filter, short_forms
from socorro_processor.web.pages.address import Address
from socorro_processor.web.pages.report_address import crash_id_in, report_path

SIGNS = (
    ("=", "is"),
    ("!=", "is not"),
    ("~", "contains"),
    ("!~", "does not contain"),
    ("^", "begins with"),
    (">=", "at least"),
    (">", "more than"),
    ("<=", "at most"),
    ("<", "less than"),
    ("?", "has a value"),
    ("!?", "has no value"),
)
"""The signs of filters with their meanings, as a list offers them."""
LONGEST_LINE = 10_000  # characters

_FILTER = re.compile(r"(?:[\w.-]|:(?!:))*!?[=~^<>?]")
"""The beginning of a filter: a name, unlike that of a C++ template or operator, and a sign."""
_TYPED = ("line", "add_field", "add_sign", "add_value")


def is_typed(address: Address) -> bool:
    """Return True if the address has what people typed, and ``address_of_typed`` has to make filters of it."""
    return any(name in address.parameters for name in _TYPED)


def address_of_typed(address: Address) -> str:
    """Return the address of the search that was typed, or the page of the crash whose id was. Raises QueryError."""
    line = address.one("line").strip()
    try:
        return report_path(crash_id_in(line))
    except InvalidCrashID:
        conditions = (*read_line(line), *_chosen(address))
    address = without_typed(address)
    # A form sends its hidden filters again.
    return str(address.plus(*(each for each in conditions if each not in address.filters)))


def without_typed(address: Address) -> Address:
    for name in _TYPED:
        address = address.with_parameter(name)
    return address


def read_line(line: str) -> Iterator[Filter]:
    """Yield the filters of a line: in their short form, with quotes as in a shell. Raises QueryError.

    A word without a sign is looked for in signatures, and so is one such as ``std::vector<int>``.
    """
    if len(line) > LONGEST_LINE:
        raise QueryError(f"cannot search by a line of {len(line)} characters: at most {LONGEST_LINE}")
    try:
        words = shlex.split(line)
    except ValueError:
        raise QueryError("cannot read the search: a quote has no end") from None
    for word in words:
        yield read_filter(word) if _FILTER.match(word) else Filter("signature", "contains", (word,))


def line_of(address: Address) -> str:
    """Return the line that makes the filters of an address."""
    return shlex.join(short_forms(address.filters))


def _chosen(address: Address) -> Iterator[Filter]:
    name, sign, value = (address.one(each).strip() for each in ("add_field", "add_sign", "add_value"))
    if not name:
        return
    if sign not in dict(SIGNS):
        raise QueryError("cannot search: choose one of the signs of the list")
    if value and sign.endswith("?"):
        raise QueryError(f"cannot search by {name[:100]}: {dict(SIGNS)[sign]!r} takes no value")
    yield read_filter(f"{name}{sign}{value}")
