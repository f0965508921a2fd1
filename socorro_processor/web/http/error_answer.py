"""Answers in plain words: an error says what could not be done, and what to do."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

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
