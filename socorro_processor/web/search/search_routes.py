"""The addresses of a search: the page, and the same as CSV and JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from socorro_processor.errors import CrashStorageError, QueryError, SocorroError
from socorro_processor.web.pages.address import Address, read_address
from socorro_processor.web.pages.answer import failure_page
from socorro_processor.web.pages.index_away import index_away_page
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.search_sources import SearchSources
from socorro_processor.web.pages.shared_answers import SharedAnswers
from socorro_processor.web.pages.viewer import Viewer
from socorro_processor.web.search.search_files import search_csv, search_json
from socorro_processor.web.search.search_line import address_of_typed, is_typed, without_typed
from socorro_processor.web.search.search_page import search_page

MOST_FILES = 4
"""CSV files that are written at once. A thousand crashes of each are in memory, and pages share the time with them."""
_RETRY_AFTER = 10
"""Seconds; a file takes 3 to 60 if its client reads as fast as it comes."""


def search_routes(
    pages: Pages, sources: SearchSources, viewer: Viewer, shared: SharedAnswers | None = None
) -> Iterator[BaseRoute]:
    """Yield the routes; ``viewer`` has the permissions of everyone. An index may block: each request is in a thread."""
    routes = _SearchRoutes(pages, sources, viewer, shared)
    yield Route("/search", routes.page)
    yield Route("/search.csv", AtOnce(routes.csv, MOST_FILES), methods=["GET"])
    yield Route("/search.json", routes.json)


class _SearchRoutes:
    def __init__(self, pages: Pages, sources: SearchSources, viewer: Viewer, shared: SharedAnswers | None) -> None:
        self._pages = pages
        self._sources = sources
        self._viewer = viewer
        self._shared = shared or SharedAnswers()

    async def page(self, request: Request) -> Response:
        return await self._shared.answer(request, self._viewer, partial(self._page, request))

    def _page(self, request: Request) -> Response:
        address, line, problem = Address("/search"), "", ""
        try:
            address = _address(request)
            if is_typed(address):
                return RedirectResponse(address_of_typed(address), 303)
        except QueryError as error:
            line, problem = address.one("line"), str(error)
            address = without_typed(address)
        try:
            answer = search_page(self._pages, self._sources, address, self._viewer, line=line, problem=problem)
        except CrashStorageError as error:
            answer = index_away_page(self._pages, self._sources, error)
        except SocorroError as error:
            answer = failure_page(self._pages, error)
        return HTMLResponse(answer.html, answer.status)

    def csv(self, request: Request) -> Response:
        def make() -> Response:
            lines = search_csv(self._sources, _address(request), self._viewer)
            headers = {"Content-Disposition": 'attachment; filename="crashes.csv"'}
            return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)

        return _or_error(make)

    def json(self, request: Request) -> Response:
        return _or_error(lambda: JSONResponse(search_json(self._sources, _address(request), self._viewer)))


def _address(request: Request) -> Address:
    return read_address("/search", request.scope["query_string"])


def _or_error(make: Callable[[], Response]) -> Response:
    try:
        return make()
    except QueryError as error:
        return JSONResponse({"error": str(error)}, 400)
    except SocorroError as error:
        return JSONResponse({"error": str(error)}, 503)


class AtOnce:
    """An ASGI application that gives an answer, which may be long, to a few requests at once; to others 503.

    It is for one event loop. A request counts until its client has the answer, is cut off or has gone away.
    """

    def __init__(self, make: Callable[[Request], Response], most: int) -> None:
        """``make`` may block: it is called in a thread."""
        self._make = make
        self._most = most
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._running >= self._most:
            words = f"cannot write this file now: {self._most} others are being written, which is the most at once"
            busy = JSONResponse({"error": words}, 503, {"Retry-After": str(_RETRY_AFTER)})
            await busy(scope, receive, send)
            return
        self._running += 1
        try:
            response = await run_in_threadpool(self._make, Request(scope, receive))
            await response(scope, receive, send)
        finally:
            self._running -= 1
