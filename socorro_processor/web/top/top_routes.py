"""The addresses of the lists of signatures: ``/``, those that crash most, and ``/compare``, those of two versions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute

from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.routes import Route
from socorro_processor.web.pages.search_sources import SearchSources
from socorro_processor.web.pages.shared_answers import SharedAnswers
from socorro_processor.web.pages.viewer import sharing_viewer_of
from socorro_processor.web.top import compare_page, top_page
from socorro_processor.web.top.start_page import ArrivalSources


def top_routes(
    pages: Pages,
    sources: SearchSources,
    arrivals: ArrivalSources,
    shared: SharedAnswers | None = None,
) -> Iterator[BaseRoute]:
    """Yield the routes. An index may block: each request is in a thread."""

    shared = shared or SharedAnswers()

    def make_top(request: Request) -> Response:
        origin = str(request.base_url).rstrip("/")
        viewer, query = sharing_viewer_of(request), request.scope["query_string"]
        answer = top_page.top_page(pages.seen_by(viewer), sources, arrivals, query, origin, viewer)
        return HTMLResponse(answer.html, answer.status)

    def make_comparison(request: Request) -> Response:
        viewer = sharing_viewer_of(request)
        answer = compare_page.compare_page(pages.seen_by(viewer), sources, request.scope["query_string"], viewer)
        return HTMLResponse(answer.html, answer.status)

    async def top(request: Request) -> Response:
        return await shared.answer(request, sharing_viewer_of(request), partial(make_top, request))

    async def compare(request: Request) -> Response:
        return await shared.answer(request, sharing_viewer_of(request), partial(make_comparison, request))

    yield Route(top_page.PATH, top, needs="public")
    yield Route(compare_page.PATH, compare, needs="public")
