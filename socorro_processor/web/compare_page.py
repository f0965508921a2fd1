"""The page ``/compare``: what crashes in one version of a product and not in another, or more often.

    /compare?product=Lightbox&a=2.3&b=2.4&days=28

``a`` and ``b`` are the versions; without them, the two newest that have crashes in these days.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import NamedTuple

from socorro_processor.errors import ConfigurationError, CrashStorageError, QueryError
from socorro_processor.search.base import MAXIMUM_TOP, CrashIndex
from socorro_processor.web.address import Address, read_address
from socorro_processor.web.choices import choices_of, newest_first
from socorro_processor.web.compare_view import LEAST_CRASHES, LEAST_EXPECTED, ComparisonView, comparison_view
from socorro_processor.web.filter_bar import Choice, FilterBar, filter_bar
from socorro_processor.web.rendering import Pages
from socorro_processor.web.report_page import Answer, message_page
from socorro_processor.web.report_sources import Viewer
from socorro_processor.web.search_sources import SearchSources
from socorro_processor.web.version_order import is_unknown, version_key

PATH = "/compare"
ROWS = 50
"""Signatures of a group, unless the address has another ``limit``."""

_MOST_PRODUCTS = 20


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


def compare_page(pages: Pages, sources: SearchSources, query: bytes, viewer: Viewer) -> Answer:
    """Return the page of an address, or one that says why there is none."""
    try:
        address = read_address(PATH, query)
    except QueryError as error:
        return message_page(pages, 400, "This address cannot be read", [str(error)])
    today = sources.today()
    try:
        index = sources.index
        days = address.days(today)
        products = index.choices(*days, size=_MOST_PRODUCTS)["product"]
        chosen = _chosen(index, address, days, products, viewer)
        if chosen.product:
            address = address.with_filter("product", chosen.product)
        address = address.without_field("version")
        rows = address.number("limit", ROWS, MAXIMUM_TOP) or ROWS
        view = _compare(index, address, chosen, days, rows, viewer) if chosen.a and chosen.b else None
        bar = _bar(address, days, today, choices_of(index, days, address.filters), chosen)
    except QueryError as error:
        bar = filter_bar(address, Address(PATH).days(today), today, {})
        return message_page(pages, 400, "These versions cannot be compared", [str(error)], filters=bar)
    except ConfigurationError as error:
        return message_page(pages, 503, "There is no search index", [str(error)])
    except CrashStorageError as error:
        return message_page(pages, 503, "The search index is away", [str(error)])
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
        more_days=str(address.of_last_days(90)),
    )
    return Answer(200, html)


def _chosen(
    index: CrashIndex, address: Address, days: tuple[date, date], products: Sequence[str], viewer: Viewer
) -> Compared:
    """Return what an address asks for: without a product that with most crashes, without versions the newest."""
    product = next(iter(address.values("product")), "") or next(iter(products), "")
    if not product:
        return Compared("", "", "", ())
    filters = address.with_filter("product", product).without_field("version").filters
    found = index.choices(*days, filters, protected=viewer.sees_protected)["version"]
    versions = newest_first(each for each in found if not is_unknown(each))
    named = address.values("version")
    a, b = address.one("a"), address.one("b") or (named[0] if len(named) == 1 else "")
    if not b:
        b = next((each for each in versions if each != a), "")
    if not a:
        older = [each for each in versions if version_key(each) < version_key(b)]
        a = next(iter(older), "") or next((each for each in versions if each != b), "")
    return Compared(product, a, b, versions)


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


def _product_link(address: Address, name: str, chosen: str) -> ProductLink:
    other = address.with_filter("product", name).with_parameter("a").with_parameter("b")
    return ProductLink(name, str(other), name == chosen)
