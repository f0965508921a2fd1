"""The page ``/``: the signatures that crash most, in some days and with some filters.

    answer = top_page(pages, sources, arrivals, b"product=Lightbox&days=28", "http://127.0.0.1:8000", viewer)
    answer.status, answer.html

It knows no web framework: an index and the query of an address go in, HTML comes out.
"""

from __future__ import annotations

import shlex
from datetime import date, datetime, timedelta

from socorro_processor.errors import CrashStorageError, QueryError
from socorro_processor.fields.searchable import DATE
from socorro_processor.search.base import CrashIndex
from socorro_processor.search.crash_search import NO_INDEX
from socorro_processor.search.filters import short_forms
from socorro_processor.web.pages.address import DEFAULT_DAYS, Address, read_address
from socorro_processor.web.pages.answer import Answer, message_page
from socorro_processor.web.pages.choices import choices_of
from socorro_processor.web.pages.filter_bar import filter_bar
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.search_sources import SearchSources, lacks_of
from socorro_processor.web.pages.viewer import Viewer
from socorro_processor.web.top.start_page import ArrivalSources, start_page
from socorro_processor.web.top.top_view import PAGE, order_of, top_view

PATH = "/"
_MOST_OFFSET = 10**8


def top_page(
    pages: Pages, sources: SearchSources, arrivals: ArrivalSources, query: bytes, origin: str, viewer: Viewer
) -> Answer:
    """Return the page of an address; while there is no crash at all, one that says how to send one.

    ``origin`` is how the request named the server.
    """
    try:
        address = read_address(PATH, query)
    except QueryError as error:
        return message_page(pages, 400, "This address cannot be read", [str(error)])
    if sources.index_or_none is None:
        words = f"Crashes cannot be listed here: {NO_INDEX}."
        return start_page(pages, arrivals, origin, [words], reload=False)
    index = sources.index_or_none
    state = index.state()
    if not state.exists:
        return start_page(pages, arrivals, origin, lacks_of(state), reload=True)
    today = sources.today()
    try:
        days = address.days(today)
        order = order_of(address)
        offset = address.number("offset", 0, _MOST_OFFSET)
        top = index.top(*days, address.filters, limit=PAGE, offset=offset, order=order, protected=viewer.sees_protected)
        if not (top.crashes or state.crashes):
            return start_page(pages, arrivals, origin, lacks_of(state), reload=True)
        choices = choices_of(index, days, address.filters)
        latest = "" if top.crashes else _latest(index, address, viewer)
    except QueryError as error:
        # The parameters, too, may be the reason: the form does not send them again.
        plain = Address(PATH, address.filters)
        bar = filter_bar(plain, plain.days(today), today, {})
        return message_page(pages, 400, "These crashes cannot be listed", [str(error)], filters=bar)
    except CrashStorageError as error:
        return message_page(pages, 503, "The search index is away", [str(error)])
    html = pages.render(
        "top.html",
        page=top_view(address, top, order, offset, today, choices),
        lacks=lacks_of(state),
        command=shlex.join(["socorro", "top", *short_forms(address.filters), f"--date={days[0]}..{days[1]}"]),
        latest=latest,
    )
    return Answer(200, html)


def _latest(index: CrashIndex, address: Address, viewer: Viewer) -> str:
    """Return the address of the last days in which a crash has these filters; empty if none ever had."""
    found = index.find(address.filters, fields=(DATE,), limit=1, protected=viewer.sees_protected).crashes
    if not found:
        return ""
    moment = found[0].fields[DATE]
    assert isinstance(moment, datetime)
    last = moment.date()
    first = max(last, date.min + timedelta(days=DEFAULT_DAYS)) - timedelta(days=DEFAULT_DAYS - 1)
    return str(address.of_days(first, last))
