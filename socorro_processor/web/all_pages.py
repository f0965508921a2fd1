"""All pages of ``socorro serve``, in the order in which every page links to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from starlette.routing import BaseRoute

from socorro_processor.configuration import DotDict
from socorro_processor.configuration.components import create
from socorro_processor.search.crash_search import CrashSearch
from socorro_processor.web.notices import Notice
from socorro_processor.web.rendering import NavigationItem, Pages
from socorro_processor.web.report_routes import report_routes
from socorro_processor.web.report_sources import ReportSources, Viewer
from socorro_processor.web.reprocessing import Reprocessing
from socorro_processor.web.search_routes import search_routes
from socorro_processor.web.search_sources import SearchSources
from socorro_processor.web.signature_routes import signature_routes

NAVIGATION = (NavigationItem("Search", "/search"),)


def all_pages(
    values: DotDict, closing: ExitStack, notices: Callable[[], Sequence[Notice]] = tuple
) -> Iterator[BaseRoute]:
    """Yield the routes of the pages of a whole configuration, for which everything is open.

    ``closing`` closes the stores, after the last request. Raises ConfigurationError.
    """
    source, destination = (create(values[name].crashstorage_class, values[name]) for name in ("source", "destination"))
    closing.callback(source.close)
    closing.callback(destination.close)
    search = CrashSearch(values)
    closing.callback(search.close)
    pages = Pages(NAVIGATION, notices)
    viewer = Viewer(sees_protected=True, gets_dumps=True, reprocesses=True)
    sources = SearchSources.of(values, search)
    reprocessing = Reprocessing.of(values)
    closing.callback(reprocessing.close)
    yield from signature_routes(pages, sources, viewer)
    yield from search_routes(pages, sources, viewer)
    report_sources = ReportSources.of(values, source, destination, sources.index_or_none)
    yield from report_routes(pages, report_sources, viewer, reprocessing)
