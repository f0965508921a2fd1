"""The addresses of a search: the page, and the same as CSV and JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from socorro_processor.errors import CrashStorageError, QueryError, SocorroError
from socorro_processor.web.address import Address, read_address
from socorro_processor.web.index_away import index_away_page
from socorro_processor.web.rendering import Pages
from socorro_processor.web.report_page import failure_page
from socorro_processor.web.report_sources import Viewer
from socorro_processor.web.search_files import search_csv, search_json
from socorro_processor.web.search_line import address_of_typed, is_typed, without_typed
from socorro_processor.web.search_page import search_page
from socorro_processor.web.search_sources import SearchSources


def search_routes(pages: Pages, sources: SearchSources, viewer: Viewer) -> Iterator[BaseRoute]:
    """Yield the routes; ``viewer`` has the permissions of everyone. An index may block: each request is in a thread."""
    routes = _SearchRoutes(pages, sources, viewer)
    yield Route("/search", routes.page)
    yield Route("/search.csv", routes.csv)
    yield Route("/search.json", routes.json)


class _SearchRoutes:
    def __init__(self, pages: Pages, sources: SearchSources, viewer: Viewer) -> None:
        self._pages = pages
        self._sources = sources
        self._viewer = viewer

    def page(self, request: Request) -> Response:
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
