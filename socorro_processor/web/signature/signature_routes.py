"""The address of the page of a signature."""

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
from socorro_processor.web.signature.signature_page import PATH, signature_page


def signature_routes(
    pages: Pages, sources: SearchSources, viewer: Viewer, shared: SharedAnswers | None = None
) -> Iterator[BaseRoute]:
    """Yield the route; ``viewer`` has the permissions of everyone. An index may block: each request is in a thread."""

    shared = shared or SharedAnswers()

    def make(request: Request) -> Response:
        answer = signature_page(pages, sources, request.scope["query_string"], viewer)
        return HTMLResponse(answer.html, answer.status)

    async def page(request: Request) -> Response:
        return await shared.answer(request, viewer, partial(make, request))

    yield Route(PATH, page)
