"""Makes the pages of lists in a process of its own, beside the server: two processors make them sooner than one.

maker = ListMaker(values)
maker.make(PageRequest("/search", b"product=Lightbox", "http://127.0.0.1:8000", True), notices)
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from multiprocessing.connection import Connection
from typing import NoReturn

from socorro_processor.configuration import DotDict
from socorro_processor.search.crash_search import CrashSearch
from socorro_processor.web.pages.answer import Answer
from socorro_processor.web.pages.navigation import NAVIGATION
from socorro_processor.web.pages.notices import Notice
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.search_sources import SearchSources
from socorro_processor.web.pages.shared_answers import PageRequest
from socorro_processor.web.pages.viewer import Viewer
from socorro_processor.web.search.search_answer import PATH as SEARCH
from socorro_processor.web.search.search_answer import search_answer
from socorro_processor.web.signature.signature_page import PATH as SIGNATURE
from socorro_processor.web.signature.signature_page import signature_page
from socorro_processor.web.top import compare_page, top_page
from socorro_processor.web.top.start_page import ArrivalSources


class _OnlyTheServerKnows(Exception):
    """The page shows crashes on their way, which the server has."""


def _ask_the_server() -> NoReturn:
    raise _OnlyTheServerKnows


class ListMaker:
    def __init__(self, values: DotDict) -> None:
        """``values`` are those of a whole configuration. Raises ConfigurationError."""
        self._notices: Sequence[Notice] = ()
        self._pages = Pages(NAVIGATION, lambda: self._notices)
        self._search = CrashSearch(values)
        self._sources = SearchSources.of(values, self._search)
        self._arrivals = ArrivalSources(_ask_the_server, _ask_the_server, _ask_the_server)

    def close(self) -> None:
        self._search.close()

    def make(self, request: PageRequest, notices: Sequence[Notice]) -> Answer | None:
        """Return the page; None if only the server can make it."""
        self._notices = notices
        viewer = Viewer(sees_protected=request.sees_protected)
        pages, sources, query = self._pages, self._sources, request.query
        try:
            if request.path == top_page.PATH:
                return top_page.top_page(pages, sources, self._arrivals, query, request.origin, viewer)
            if request.path == compare_page.PATH:
                return compare_page.compare_page(pages, sources, query, viewer)
            if request.path == SIGNATURE:
                return signature_page(pages, sources, query, viewer)
            if request.path == SEARCH:
                return search_answer(pages, sources, query, viewer)
        except _OnlyTheServerKnows:
            pass
        return None


def make_pages(values: DotDict, connection: Connection) -> None:
    """Make the pages that are asked for over a connection, until it ends."""
    with closing(ListMaker(values)) as maker:
        while True:
            try:
                request, notices = connection.recv()
                connection.send(maker.make(request, notices))
            except (EOFError, OSError):
                return
