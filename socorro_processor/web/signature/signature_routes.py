"""The address of the page of a signature."""

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
from socorro_processor.web.signature.signature_page import PATH, signature_page


def signature_routes(pages: Pages, sources: SearchSources, shared: SharedAnswers | None = None) -> Iterator[BaseRoute]:
    """Yield the route. An index may block: each request is in a thread."""

    shared = shared or SharedAnswers()

    def make(request: Request) -> Response:
        viewer = sharing_viewer_of(request)
        answer = signature_page(pages.seen_by(viewer), sources, request.scope["query_string"], viewer)
        return HTMLResponse(answer.html, answer.status)

    async def page(request: Request) -> Response:
        return await shared.answer(request, sharing_viewer_of(request), partial(make, request))

    yield Route(PATH, page, needs="public")
