"""The answers to a request that no page can serve: there is none, or its viewer may not see it."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from socorro_processor.web.http.error_answer import error_page
from socorro_processor.web.pages.answer import message_page
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.routes import SIGN_IN, PermissionNeeded
from socorro_processor.web.pages.viewer import NOBODY, viewer_of


class ErrorPages:
    """Answers an HTTPException; its ``detail`` is in plain words only if this project wrote it."""

    def __init__(self, pages: Pages | None = None) -> None:
        self._pages = pages

    def answer(self, request: Request, error: Exception) -> Response:
        """A browser gets a page, from which its user can go on; a program gets a line of text."""
        assert isinstance(error, HTTPException)
        is_browser = self._pages is not None and "text/html" in request.headers.get("Accept", "")
        if isinstance(error, PermissionNeeded):
            return self._refusal(request, error) if is_browser else _refusal_of_program(error)
        if error.status_code != 404 or not is_browser or not viewer_of(request).may("public"):
            return error_page(error.status_code, headers=error.headers)
        words = ["No page has this address. The pages are named above; a crash is at /report/ and its crash id."]
        return self._page(request, error, "There is no such page", words, [("Top crashes", "/"), ("Search", "/search")])

    def _refusal(self, request: Request, error: PermissionNeeded) -> Response:
        is_page = request.method in ("GET", "HEAD")
        sign_in = f"{SIGN_IN}?next={quote(_address_of(request), safe='')}" if is_page else SIGN_IN
        if error.viewer.name != NOBODY:
            words = [
                error.reason,
                f"This server knows you as {error.viewer.name}. Whoever runs it can make a token that has it.",
            ]
            title = "You may not see this" if is_page else "You may not do this"
            return self._page(request, error, title, words, [("Sign in with another token", sign_in)])
        if is_page:
            return RedirectResponse(sign_in, 303)
        words = [error.reason, "Nobody knows who you are any more: sign in again, and repeat what you did."]
        return self._page(request, error, "Nothing was done", words, [("Sign in", sign_in)])

    def _page(
        self,
        request: Request,
        error: HTTPException,
        title: str,
        words: Sequence[str],
        links: Sequence[tuple[str, str]],
    ) -> Response:
        assert self._pages is not None
        pages = self._pages.seen_by(viewer_of(request))
        answer = message_page(pages, error.status_code, title, words, links=links)
        return HTMLResponse(answer.html, answer.status, error.headers)


def _refusal_of_program(error: PermissionNeeded) -> Response:
    if error.viewer.name != NOBODY:
        words = f"{error.viewer.name} does not have it."
    else:
        words = f"Send a token that has it in the header Authorization: Bearer TOKEN, or sign in at {SIGN_IN}."
    return error_page(error.status_code, f"{error.reason} {words}", error.headers)


def _address_of(request: Request) -> str:
    query = request.scope["query_string"].decode("ascii", "replace")
    path: str = request.scope["path"]
    return f"{path}?{query}" if query else path
