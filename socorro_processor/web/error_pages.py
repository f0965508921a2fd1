"""Answers in plain words: an error says what could not be done, and what to do."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from socorro_processor.web.rendering import Pages

_WORDS = {
    404: "There is no such page here. The first page is at /.",
    405: "This address does not take such a request.",
    413: "This request is too large.",
    500: "The server failed at this request. Its log says where; the server goes on.",
}


def error_page(status: int, words: str = "", headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer with this status; ``words`` are one or more sentences."""
    return PlainTextResponse((words or _WORDS.get(status, "This request cannot be answered.")) + "\n", status, headers)


def answer_failure(request: Request, error: Exception) -> Response:
    """Answer an error of the server's own, which the access log tells."""
    return error_page(500)


class ErrorPages:
    """Answers an HTTPException; its ``detail`` is in plain words only if this project wrote it."""

    def __init__(self, pages: Pages | None = None) -> None:
        self._pages = pages

    def answer(self, request: Request, error: Exception) -> Response:
        """A browser gets a page, from which its user can go on; a program gets a line of text."""
        assert isinstance(error, HTTPException)
        if error.status_code != 404 or self._pages is None or "text/html" not in request.headers.get("Accept", ""):
            return error_page(error.status_code, headers=error.headers)
        words = ["No page has this address. The pages are named above; a crash is at /report/ and its crash id."]
        links = [("Top crashes", "/"), ("Search", "/search")]
        html = self._pages.render(
            "message.html", title="There is no such page", words=words, links=links, reload_after=0
        )
        return HTMLResponse(html, 404, error.headers)
