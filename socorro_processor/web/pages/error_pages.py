"""The page for an address that no page has."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from socorro_processor.web.http.error_answer import error_page
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.viewer import viewer_of


class ErrorPages:
    """Answers an HTTPException; its ``detail`` is in plain words only if this project wrote it."""

    def __init__(self, pages: Pages | None = None) -> None:
        self._pages = pages

    def answer(self, request: Request, error: Exception) -> Response:
        """A browser gets a page, from which its user can go on; a program gets a line of text."""
        assert isinstance(error, HTTPException)
        is_page = error.status_code == 404 and "text/html" in request.headers.get("Accept", "")
        if not is_page or self._pages is None or not viewer_of(request).may("public"):
            return error_page(error.status_code, headers=error.headers)
        words = ["No page has this address. The pages are named above; a crash is at /report/ and its crash id."]
        links = [("Top crashes", "/"), ("Search", "/search")]
        html = self._pages.render(
            "message.html", title="There is no such page", words=words, links=links, reload_after=0
        )
        return HTMLResponse(html, 404, error.headers)
