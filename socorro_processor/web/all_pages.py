"""All pages of ``socorro serve``, in the order in which every page links to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from starlette.routing import BaseRoute

from socorro_processor.configuration import DotDict
from socorro_processor.configuration.components import create
from socorro_processor.search.crash_search import CrashSearch
from socorro_processor.web.rendering import NavigationItem, Pages
from socorro_processor.web.report_routes import report_routes
from socorro_processor.web.report_sources import ReportSources, Viewer
from socorro_processor.web.search_sources import SearchSources
from socorro_processor.web.signature_routes import signature_routes

NAVIGATION: tuple[NavigationItem, ...] = ()


def all_pages(values: DotDict, closing: ExitStack) -> Iterator[BaseRoute]:
    """Yield the routes of the pages of a whole configuration, for which everything is open.

    ``closing`` closes the stores, after the last request. Raises ConfigurationError.
    """
    stores = []
    for name in ("source", "destination"):
        store = create(values[name].crashstorage_class, values[name])
        closing.callback(store.close)
        stores.append(store)
    search = CrashSearch(values)
    closing.callback(search.close)
    pages = Pages(NAVIGATION)
    viewer = Viewer(sees_protected=True, gets_dumps=True)
    searched = SearchSources.of(values, search)
    yield from signature_routes(pages, searched, viewer)
    yield from report_routes(pages, ReportSources.of(values, *stores), viewer)
