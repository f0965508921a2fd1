"""The page of a signature, ``/signature?signature=...``: what is known of all its crashes, in some days.

    answer = signature_page(pages, sources, b"signature=render&days=28", ALL)
    answer.status, answer.html

It knows no web framework: an index and the query of an address go in, HTML comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from itertools import islice

from socorro_processor.errors import ConfigurationError, CrashStorageError, QueryError
from socorro_processor.fields.searchable import DIMENSIONS
from socorro_processor.report.sent_signals import is_sent_signal
from socorro_processor.search.base import CrashIndex
from socorro_processor.search.days import filters_of_days
from socorro_processor.search.filters import MAXIMUM_VALUES, Filter
from socorro_processor.search.results import Facet, FoundCrash, NewestCrashes
from socorro_processor.web.pages.address import Address, read_address
from socorro_processor.web.pages.answer import Answer, failure_page, message_page
from socorro_processor.web.pages.index_away import index_away_page
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.search_sources import SearchSources
from socorro_processor.web.pages.viewer import Viewer
from socorro_processor.web.signature.signature_badges import START_SECONDS
from socorro_processor.web.signature.signature_history import came_back, records_of
from socorro_processor.web.signature.signature_view import (
    ADDRESS,
    COMMENT_FIELDS,
    CRASH_FIELDS,
    FACETS,
    MODULES,
    STACKS,
    FoundSignature,
    signature_filter_bar,
    signature_view,
)

PATH = "/signature"
COUNTED = 10_000
MOST_CRASHES = 25
MOST_COMMENTS = 20

_SIZE = 1000
"""Values of a field that are asked for: most of those that differ are combinations of modules."""

# An uptime of 0 is what a crash has whose start is not known.
_AT_START = (
    (Filter("uptime", "more than", ("0",)), Filter("uptime", "less than", (str(START_SECONDS),))),
    (Filter("startup_crash", "is", ("true",)),),
)


def signature_page(
    pages: Pages, sources: SearchSources, query: bytes, viewer: Viewer, counted: int = COUNTED
) -> Answer:
    """Return the page of the signature in an address, or one that says why there is none.

    Systems, reasons, stacks and so on are those of the newest crashes, ``counted`` at most.
    """
    try:
        address = read_address(PATH, query)
    except QueryError as error:
        return message_page(pages, 400, "This address cannot be read", [str(error)])
    today = sources.today()
    try:
        signature = _signature_in(address)
    except QueryError as error:
        words = [str(error), "The search finds signatures by any part of them: signature~TEXT."]
        return message_page(pages, 400, "No signature is named", words, links=[_search_link(address)])
    try:
        days = address.days(today)
        with sources.index.snapshot() as index:
            found = _find(index, address, signature, days, viewer.sees_protected, counted)
    except QueryError as error:
        # The parameters, too, may be the reason: the form does not send them again.
        plain = Address(PATH, address.filters)
        bar = signature_filter_bar(plain, plain.days(today), today, {})
        return message_page(pages, 400, "This cannot be searched", [str(error)], filters=bar)
    except ConfigurationError as error:
        return failure_page(pages, error)
    except CrashStorageError as error:
        return index_away_page(pages, sources, error)
    if not found.signature:
        words = [
            f"No crash had the signature {signature[:1000]}, as far as the index knows.",
            "Signatures change with rules and lists: the search finds those that have a part of it.",
        ]
        return message_page(pages, 404, "There is no such signature", words, links=[_search_link(address)])
    return Answer(200, pages.render("signature.html", page=signature_view(found, today), viewer=viewer))


def _signature_in(address: Address) -> str:
    """Return the one signature that the address names. Raises QueryError."""
    names = address.values("signature")
    if len(names) == 1:
        return names[0]
    if names:
        raise QueryError(f"cannot show {len(names)} signatures in one page: name one, signature=TEXT")
    raise QueryError("cannot show a signature: the address does not name one, signature=TEXT")


def _find(
    index: CrashIndex, address: Address, signature: str, days: tuple[date, date], protected: bool, counted: int
) -> FoundSignature:
    """Ask the index for all that the page shows. Raises QueryError and CrashStorageError."""
    this = Filter("signature", "is", (signature,))
    others = tuple(each for each in address.filters if each != this)
    within = filters_of_days(days)
    shown = (this, *others, *within)
    all_records = index.records(signature)
    records = records_of(all_records, address.values("product"))
    fields = (*(each for each in FACETS if each != ADDRESS), MODULES, STACKS)
    newest = index.newest(shown, fields=fields, conditions=_AT_START, size=_SIZE, limit=counted, protected=protected)
    newest, sent = _with_addresses(index, shown, newest, protected)
    # Choices are the values that the signature has without the filters.
    of_any = index.newest((this, *within), fields=DIMENSIONS, size=_SIZE, limit=counted) if others else newest
    comments: Sequence[FoundCrash] = ()
    if protected:
        has_comment = Filter("user_comments", "exists")
        comments = index.find([*shown, has_comment], fields=COMMENT_FIELDS, limit=MOST_COMMENTS, protected=True).crashes
    by_day = index.histogram(*days, (this, *others), by="version", protected=protected)
    products = _products(others)
    of_products = by_day if len(products) == len(others) else None
    return FoundSignature(
        address,
        all_records[0].signature if all_records else "",
        days,
        max((each.last_seen for each in all_records), default=None),
        records,
        index.standing(signature, *days, others, protected=protected),
        by_day,
        came_back(index, (this, *products), records, days, of_products, protected=protected),
        newest,
        sent,
        {facet.field: [value.value for value in facet.values] for facet in of_any.facets if facet.field in DIMENSIONS},
        index.find(shown, fields=CRASH_FIELDS, limit=MOST_CRASHES, protected=protected).crashes,
        comments,
        index.state(),
    )


def _with_addresses(
    index: CrashIndex, shown: Sequence[Filter], newest: NewestCrashes, protected: bool
) -> tuple[NewestCrashes, dict[str, int]]:
    """Count the crashes by address, too, but for those that have none, because a process sent the signal.

    Returns these signals, with their crashes, too.
    """
    (reasons,) = (facet.values for facet in newest.facets if facet.field == "reason")
    sent = {each.value: each.crashes for each in reasons if is_sent_signal(each.value)}
    sent = dict(islice(sent.items(), MAXIMUM_VALUES))
    addresses = Facet(ADDRESS, (), 0)
    if left := newest.crashes - sum(sent.values()):
        with_address = (*shown, Filter("reason", "is", tuple(sent), negated=True)) if sent else shown
        # The newest of all, less those of the signals, are as many newest ones of the others.
        found = index.newest(with_address, fields=(ADDRESS,), size=_SIZE, limit=left, protected=protected)
        (addresses,) = found.facets
    return replace(newest, facets=(*newest.facets, addresses)), sent


def _products(filters: Sequence[Filter]) -> list[Filter]:
    """Return the filters that records follow."""
    return [each for each in filters if each.field == "product" and each.is_equality]


def _search_link(address: Address) -> tuple[str, str]:
    """Return words and address of a search for what the address has."""
    words = " ".join(address.values("signature"))[:1000]
    if not words:
        return "Search", "/search"
    return "Search for it", str(Address("/search", (Filter("signature", "contains", (words,)),)))
