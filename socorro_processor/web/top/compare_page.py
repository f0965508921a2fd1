"""The page ``/compare``: what crashes in one version of a product and not in another, or more often.

    /compare?product=Lightbox&a=2.3&b=2.4&days=28

``a`` and ``b`` are the versions. Without them they are those that filters name (``version=2.3&version=2.4``, the older
first; one alone is b), and without these the two newest that have crashes in these days.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import NamedTuple

from socorro_processor.errors import ConfigurationError, CrashStorageError, QueryError
from socorro_processor.search.base import MAXIMUM_TOP, CrashIndex
from socorro_processor.search.filters import Filter
from socorro_processor.web.pages.address import Address, read_address
from socorro_processor.web.pages.answer import Answer, message_page
from socorro_processor.web.pages.choices import choices_of, newest_first
from socorro_processor.web.pages.filter_bar import Choice, FilterBar, filter_bar
from socorro_processor.web.pages.index_away import index_away_page
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.search_sources import SearchSources
from socorro_processor.web.pages.version_order import is_unknown, version_key
from socorro_processor.web.pages.viewer import Viewer
from socorro_processor.web.top.compare_view import LEAST_CRASHES, LEAST_EXPECTED, ComparisonView, comparison_view

PATH = "/compare"
ROWS = 50
"""Signatures of a group, unless the address has another ``limit``."""

_MOST_PRODUCTS = 20
_MOST_LEFT_OUT = 5
"""Values that one notice names."""
_LONG = 90
"""Days that the page offers if these have not two versions."""


class ProductLink(NamedTuple):
    name: str
    address: str
    is_chosen: bool


class Compared(NamedTuple):
    """The versions that are compared, and all that could be. Empty texts: there are none."""

    product: str
    a: str
    b: str
    versions: tuple[str, ...]
    """The versions of the product that have crashes, the newest first."""
    left_out: tuple[str, ...] = ()
    """Says which products and versions the address names beyond these."""


def compare_page(pages: Pages, sources: SearchSources, query: bytes, viewer: Viewer) -> Answer:
    """Return the page of an address, or one that says why there is none."""
    try:
        address = read_address(PATH, query)
    except QueryError as error:
        return message_page(pages, 400, "This address cannot be read", [str(error)])
    today = sources.today()
    try:
        days = address.days(today)
        with sources.index.snapshot() as index:
            products = index.choices(*days, size=_MOST_PRODUCTS)["product"]
            chosen = _chosen(index, address, days, products, viewer)
            products = tuple(dict.fromkeys([*products, *address.values("product")]))
            if chosen.product:
                address = address.with_filter("product", chosen.product)
            address = address.without_equality("version")
            rows = address.number("limit", ROWS, MAXIMUM_TOP) or ROWS
            view = _compare(index, address, chosen, days, rows, viewer) if chosen.a and chosen.b else None
            bar = _bar(address, days, today, choices_of(index, days, address.filters), chosen)
    except QueryError as error:
        bar = _bar_to_mend(address, today)
        return message_page(pages, 400, "These versions cannot be compared", [str(error)], filters=bar)
    except ConfigurationError as error:
        return message_page(pages, 503, "There is no search index", [str(error)])
    except CrashStorageError as error:
        return index_away_page(pages, sources, error)
    html = pages.render(
        "compare.html",
        view=view,
        chosen=chosen,
        least_crashes=LEAST_CRASHES,
        least_expected=LEAST_EXPECTED,
        lacks=sources.notices(),
        bar=bar,
        products=[_product_link(address, each, chosen.product) for each in products],
        newest=str(address.with_parameter("a").with_parameter("b")),
        swapped=str(address.with_parameter("a", chosen.b).with_parameter("b", chosen.a)),
        all_rows=str(address.with_parameter("limit", str(MAXIMUM_TOP))) if rows < MAXIMUM_TOP else "",
        more_days=str(address.of_last_days(_LONG)) if (days[1] - days[0]).days + 1 < _LONG else "",
    )
    return Answer(200, html)


def _chosen(
    index: CrashIndex, address: Address, days: tuple[date, date], products: Sequence[str], viewer: Viewer
) -> Compared:
    """Return the versions that an address asks for.

    Without a product it is that with most of these crashes; without versions they are its newest.
    """
    product = next(iter(address.values("product")), "") or _product_with_most(index, address, days, viewer)
    product = product or next(iter(products), "")
    if not product:
        return Compared("", "", "", ())
    filters = address.with_filter("product", product).without_equality("version").filters
    found = index.choices(*days, filters, protected=viewer.sees_protected)["version"]
    versions = newest_first(each for each in found if not is_unknown(each))
    a, b, others = _named_versions(address)
    if not b:
        b = next((each for each in versions if each != a), "")
    if not a:
        older = [each for each in versions if version_key(each) < version_key(b)]
        a = next(iter(older), "") or next((each for each in versions if each != b), "")
    left_out = (
        *_left_out("versions of one product", [each for each in address.values("product") if each != product]),
        *_left_out("two versions", others),
    )
    return Compared(product, a, b, versions, left_out)


def _product_with_most(index: CrashIndex, address: Address, days: tuple[date, date], viewer: Viewer) -> str:
    """Return the product with most crashes of the versions and other filters that the address names, or nothing."""
    versions = dict.fromkeys(filter(None, (address.one("a"), address.one("b"), *address.values("version"))))
    named = address.without_equality("version")
    if versions:
        named = named.plus(Filter("version", "is", tuple(versions)))
    return next(iter(index.choices(*days, named.filters, size=1, protected=viewer.sees_protected)["product"]), "")


def _named_versions(address: Address) -> tuple[str, str, list[str]]:
    """Return a, b and those for which there is no place, the oldest first. Empty: the address names none."""
    a, b = address.one("a"), address.one("b")
    named = sorted({*address.values("version")} - {a, b}, key=lambda each: (version_key(each), each))
    if named and not b:
        b = named.pop()
    if named and not a:
        a = named.pop()
    return a, b, named


def _left_out(compared: str, values: Sequence[str]) -> Iterator[str]:
    if values:
        more = len(values) - _MOST_LEFT_OUT
        listed = ", ".join(values[:_MOST_LEFT_OUT]) + (f" and {more} more" if more > 0 else "")
        yield f"This page compares {compared}. The address also names {listed}: left out."


def _compare(
    index: CrashIndex, address: Address, chosen: Compared, days: tuple[date, date], rows: int, viewer: Viewer
) -> ComparisonView:
    one, other = (address.with_filter("version", version).filters for version in (chosen.a, chosen.b))
    compared = index.compare(*days, one, other, protected=viewer.sees_protected)
    return comparison_view(address, (chosen.a, chosen.b), compared, rows)


def _bar(
    address: Address,
    days: tuple[date, date],
    today: date,
    choices: Mapping[str, Sequence[str]],
    chosen: Compared,
) -> FilterBar:
    """Return the filters, with two versions in place of one; another product has other versions: it is a link."""
    bar = filter_bar(address, days, today, choices)
    versions = [
        Choice(
            name, f"Version {name}", list(dict.fromkeys([*chosen.versions, *filter(None, [version])])), version, rest
        )
        for name, version, rest in (("a", chosen.a, "the one before b"), ("b", chosen.b, "the newest"))
    ]
    product = [("product", chosen.product)] if chosen.product else []
    kept = tuple(each for each in address.filters if each.field == "product")
    return replace(
        bar,
        choices=[*versions, *(each for each in bar.choices if each.field not in ("product", "version"))],
        hidden=[*product, *((name, value) for name, value in bar.hidden if name not in ("a", "b"))],
        clear=str(replace(address, filters=kept)) if bar.chips else "",
    )


def _bar_to_mend(address: Address, today: date) -> FilterBar:
    """Return the filters of an address that cannot be answered, without the parameters that may be the reason."""
    a, b, _ = _named_versions(address)
    plain = Address(PATH, address.without_equality("version").filters)
    product = next(iter(address.values("product")), "")
    return _bar(plain, plain.days(today), today, {}, Compared(product, a, b, ()))


def _product_link(address: Address, name: str, chosen: str) -> ProductLink:
    other = address.with_filter("product", name).with_parameter("a").with_parameter("b")
    return ProductLink(name, str(other), name == chosen)
