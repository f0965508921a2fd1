"""The addresses of the lists of signatures: ``/``, those that crash most, and ``/compare``, those of two versions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.search_sources import SearchSources
from socorro_processor.web.pages.shared_answers import SharedAnswers
from socorro_processor.web.pages.viewer import Viewer
from socorro_processor.web.top import compare_page, top_page
from socorro_processor.web.top.start_page import ArrivalSources


def top_routes(
    pages: Pages,
    sources: SearchSources,
    arrivals: ArrivalSources,
    viewer: Viewer,
    shared: SharedAnswers | None = None,
) -> Iterator[BaseRoute]:
    """Yield the routes; ``viewer`` has the permissions of everyone. An index may block: each request is in a thread."""

    shared = shared or SharedAnswers()

    def make_top(request: Request) -> Response:
        origin = str(request.base_url).rstrip("/")
        answer = top_page.top_page(pages, sources, arrivals, request.scope["query_string"], origin, viewer)
        return HTMLResponse(answer.html, answer.status)

    def make_comparison(request: Request) -> Response:
        answer = compare_page.compare_page(pages, sources, request.scope["query_string"], viewer)
        return HTMLResponse(answer.html, answer.status)

    async def top(request: Request) -> Response:
        return await shared.answer(request, viewer, partial(make_top, request))

    async def compare(request: Request) -> Response:
        return await shared.answer(request, viewer, partial(make_comparison, request))

    yield Route(top_page.PATH, top)
    yield Route(compare_page.PATH, compare)
