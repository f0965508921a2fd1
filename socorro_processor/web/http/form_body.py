"""Forms of pages: their bodies are small, and are read whole."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive

MAXIMUM_FORM = 1 << 16
"""Bytes of a form."""


async def read_form(request: Request) -> str:
    """Return the body of a form. Raises HTTPException, 413, if it is too large, or its client has gone."""
    body = await read_small_body(request.receive)
    if body is None:
        raise HTTPException(413)
    return body.decode("ascii", "replace")


async def read_small_body(receive: Receive) -> bytes | None:
    """Return the whole body of a request; None if it is too large, or its client has gone."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > MAXIMUM_FORM:
            return None
        if not message.get("more_body", False):
            return bytes(body)
