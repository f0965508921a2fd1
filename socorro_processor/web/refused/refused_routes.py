"""The address of the page of refused uploads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute

from socorro_processor.collector.refused import RefusedUpload
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.routes import Route
from socorro_processor.web.pages.viewer import viewer_of
from socorro_processor.web.refused.refused_page import PATH, refused_page

_LONGEST_CODE = 300  # characters


def refused_routes(
    pages: Pages, uploads: Callable[[], Sequence[RefusedUpload]], has_crashes: Callable[[], bool]
) -> Iterator[BaseRoute]:
    """Yield the route. ``uploads`` returns the refused ones, newest first; ``has_crashes`` may read a store."""

    def show(request: Request) -> Response:
        code = request.query_params.get("code", "")[:_LONGEST_CODE]
        origin = str(request.base_url).rstrip("/")
        answer = refused_page(pages.seen_by(viewer_of(request)), uploads(), code, origin, has_crashes)
        return HTMLResponse(answer.html, answer.status)

    # It names the addresses of clients.
    yield Route(PATH, show, needs="protected")
