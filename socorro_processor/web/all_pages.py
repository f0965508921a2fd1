"""All pages of ``socorro serve``, in the order in which every page links to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from starlette.routing import BaseRoute

from socorro_processor.configuration import DotDict
from socorro_processor.configuration.components import create
from socorro_processor.monitoring.audit import AuditLog
from socorro_processor.search.crash_search import CrashSearch
from socorro_processor.web.any_crash import has_crashes
from socorro_processor.web.pages.rendering import NavigationItem, Pages
from socorro_processor.web.pages.search_sources import SearchSources
from socorro_processor.web.pages.shared_answers import SharedAnswers
from socorro_processor.web.pages.viewer import Viewer
from socorro_processor.web.queues.queue_sources import QueueSources
from socorro_processor.web.queues.queues_routes import queues_routes
from socorro_processor.web.refused.refused_routes import refused_routes
from socorro_processor.web.report.report_routes import report_routes
from socorro_processor.web.report.report_sources import ReportSources
from socorro_processor.web.report.reprocessing import Reprocessing
from socorro_processor.web.search.search_routes import search_routes
from socorro_processor.web.server_parts import ServerParts
from socorro_processor.web.signature.signature_routes import signature_routes
from socorro_processor.web.symbols.symbol_sources import SymbolSources
from socorro_processor.web.symbols.symbols_routes import symbols_routes
from socorro_processor.web.top.start_page import ArrivalSources
from socorro_processor.web.top.top_routes import top_routes

NAVIGATION = (
    NavigationItem("Top crashes", "/", "top.html"),
    NavigationItem("Compare", "/compare", "compare.html"),
    NavigationItem("Search", "/search", "search.html"),
    NavigationItem("Symbols", "/symbols", "symbols.html"),
    NavigationItem("Queues", "/queues", "queues.html"),
    NavigationItem("Refused", "/refused", "refused.html"),
)


def all_pages(values: DotDict, parts: ServerParts, closing: ExitStack, pages: Pages) -> Iterator[BaseRoute]:
    """Yield the routes of the pages of a whole configuration, for which everything is open.

    ``closing`` closes the stores, after the last request. Raises ConfigurationError.
    """
    source, destination = (create(values[name].crashstorage_class, values[name]) for name in ("source", "destination"))
    closing.callback(source.close)
    closing.callback(destination.close)
    search = CrashSearch(values)
    closing.callback(search.close)
    viewer = Viewer(sees_protected=True, gets_dumps=True, reprocesses=True)
    audit = AuditLog(values.logging, needs_file=False)
    closing.callback(audit.close)
    sources = SearchSources.of(values, search)
    queues = QueueSources.of(values, parts, {"source": source, "destination": destination}, audit.write)

    def has_any_crash() -> bool:
        return has_crashes(parts.collector, sources.index_or_none, source)

    arrivals = ArrivalSources(has_any_crash, parts.collector.status, queues.queue)
    shared = SharedAnswers()
    yield from top_routes(pages, sources, arrivals, viewer, shared)
    yield from signature_routes(pages, sources, viewer, shared)
    yield from search_routes(pages, sources, viewer, shared)
    report_sources = ReportSources.of(values, source, destination, sources.index_or_none)
    yield from report_routes(pages, report_sources, viewer, Reprocessing.of(values, audit))
    yield from symbols_routes(pages, SymbolSources.of(values, sources, audit.write), viewer, values.web.gap_time)
    yield from queues_routes(pages, queues)
    yield from refused_routes(pages, parts.collector.refused_uploads, has_any_crash)
