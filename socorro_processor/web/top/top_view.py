"""The list of the signatures that crash most as its template shows it: figures, chart, rows and links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple, get_args

from socorro_processor.errors import QueryError
from socorro_processor.search.base import TopOrder
from socorro_processor.search.filters import Filter
from socorro_processor.search.results import DayCount, Top, TopSignature
from socorro_processor.web.pages.address import Address
from socorro_processor.web.pages.bar_chart import BarChart, day_chart
from socorro_processor.web.pages.filter_bar import FilterBar, filter_bar
from socorro_processor.web.signature.signature_badges import is_new
from socorro_processor.web.top.sparkline import Sparkline, sparkline

PAGE = 50
"""Signatures in a page."""
NO_SIGNATURE = "(no signature)"

_MOST_SYSTEMS = 3


class Change(NamedTuple):
    """The change of a rank."""

    kind: str
    """The class of the style sheet: new, up, down, same or none."""
    text: str
    words: str


class System(NamedTuple):
    name: str
    share: float
    address: str


class Row(NamedTuple):
    rank: int
    change: Change
    signature: str
    address: str
    """The page of the signature."""
    is_signature: bool
    """False for the crashes without one."""
    crashes: int
    crashes_address: str
    share: float
    difference: float | None
    """The share less that of the days before, in points; None if nothing crashed then."""
    installations: int
    systems: list[System]
    first_seen: date | None
    last_seen: date | None
    days: Sparkline


class Head(NamedTuple):
    """The head of a column by which the list can be sorted."""

    order: TopOrder
    address: str
    is_sorted: bool


@dataclass(frozen=True)
class TopView:
    filters: FilterBar
    crashes: int
    crashes_before: int
    change: float | None
    """The part by which the crashes became more, or fewer; None if there were none before."""
    length: int
    """The number of days."""
    is_today_among_them: bool
    signatures: int
    chart: BarChart
    heads: Mapping[TopOrder, Head]
    rows: list[Row]
    first_place: int
    previous: str
    """The addresses of the pages before and after; empty if there is none."""
    next: str
    first_page: str
    search: str
    """The address of all these crashes."""
    compare: str


def order_of(address: Address) -> TopOrder:
    """Return the order that an address names. Raises QueryError."""
    named = address.one("sort", "crashes")
    for order in _ORDERS:
        if named == order:
            return order
    raise QueryError(f"cannot sort signatures by {named[:50]!r}: sort is {', '.join(_ORDERS)}")


_ORDERS: tuple[TopOrder, ...] = get_args(TopOrder)


def top_view(
    address: Address, top: Top, order: TopOrder, offset: int, today: date, choices: Mapping[str, Sequence[str]]
) -> TopView:
    days = top.first_day, top.last_day
    return TopView(
        filter_bar(address, days, today, choices),
        top.crashes,
        top.crashes_before,
        top.crashes / top.crashes_before - 1 if top.crashes_before else None,
        len(top.days),
        top.first_day <= today <= top.last_day,
        top.count,
        _chart(address, top),
        {each: _head(address, each, order) for each in _ORDERS},
        [_row(address, top, each) for each in top.signatures],
        offset + 1,
        str(_at(address, min(offset - PAGE, (top.count - 1) // PAGE * PAGE))) if offset else "",
        str(_at(address, offset + PAGE)) if offset + PAGE < top.count else "",
        str(_at(address, 0)),
        str(address.to("/search")),
        str(address.to("/compare")),
    )


def signature_link(address: Address, signature: str | None) -> str:
    """Return the page of a signature with the filters and days of an address; a search for crashes without one."""
    if signature is None:
        return crashes_link(address, None)
    return str(address.to("/signature").with_filter("signature", signature))


def crashes_link(address: Address, signature: str | None, *others: Filter) -> str:
    """Return the search for the crashes of a signature, with the filters and days of an address, and others."""
    search = address.to("/search")
    none = Filter("signature", "exists", (), negated=True)
    named = search.plus(none) if signature is None else search.with_filter("signature", signature)
    return str(named.plus(*others))


def _chart(address: Address, top: Top) -> BarChart:
    days = [DayCount(top.first_day + timedelta(days=number), crashes) for number, crashes in enumerate(top.days)]
    return day_chart("Crashes by day", days, address_of=lambda first, last: str(address.of_days(first, last)))


def _head(address: Address, order: TopOrder, sorted_by: TopOrder) -> Head:
    named = () if order == "crashes" else (order,)
    return Head(order, str(_at(address, 0).with_parameter("sort", *named)), order == sorted_by)


def _at(address: Address, offset: int) -> Address:
    return address.with_parameter("offset", *([str(offset)] if offset > 0 else []))


def _row(address: Address, top: Top, found: TopSignature) -> Row:
    signature = found.signature
    return Row(
        found.rank,
        _change(top, found),
        NO_SIGNATURE if signature is None else signature,
        signature_link(address, signature),
        signature is not None,
        found.crashes,
        crashes_link(address, signature),
        found.share,
        100 * (found.share - found.share_before) if top.crashes_before else None,
        found.installations,
        list(_systems(address, found)),
        found.first_seen.date() if found.first_seen else None,
        found.last_seen.date() if found.last_seen else None,
        sparkline(top.first_day, found.days),
    )


def _change(top: Top, found: TopSignature) -> Change:
    if is_new(found.first_seen, top.first_day, top.last_day):
        return Change("new", "new", f"first seen on {found.first_seen:%Y-%m-%d}")
    before = "the day before" if len(top.days) == 1 else f"the {len(top.days)} days before"
    if found.rank_before is None:
        return Change("none", "", f"no crash in {before}")
    ranks = found.rank_before - found.rank
    words = f"rank {found.rank_before} in {before}"
    if not ranks:
        return Change("same", "=", words)
    return (
        Change("up", f"\N{BLACK UP-POINTING TRIANGLE}{ranks}", words)
        if ranks > 0
        else Change("down", f"\N{BLACK DOWN-POINTING TRIANGLE}{-ranks}", words)
    )


def _systems(address: Address, found: TopSignature) -> Iterator[System]:
    for name, crashes in list(found.systems.items())[:_MOST_SYSTEMS]:
        condition = Filter("os_name", "exists", (), negated=True) if name is None else Filter("os_name", "is", (name,))
        yield System(name or "none", crashes / found.crashes, crashes_link(address, found.signature, condition))
