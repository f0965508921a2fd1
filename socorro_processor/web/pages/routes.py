"""Routes of pages: each says which permission it needs.

    Route("/queues", show, needs="public")

Who lacks it gets 401 if nobody knows who asks, and else 403.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from starlette import routing
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from socorro_processor.web.pages.viewer import NOBODY, Viewer
from socorro_processor.web.permissions import PERMISSIONS, Permission

SIGN_IN = "/sign-in"
_SAFE_METHODS = ("GET", "HEAD")


class Route(routing.Route):
    """A route that only viewers with a permission reach; all do if it needs None."""

    def __init__(
        self, path: str, endpoint: Callable[..., Any], *, needs: Permission | None, methods: Sequence[str] = ("GET",)
    ) -> None:
        super().__init__(path, endpoint, methods=list(methods))
        self.needs = needs

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        viewer: Viewer = scope["state"]["viewer"]
        if self.needs is None or viewer.may(self.needs):
            await super().handle(scope, receive, send)
        else:
            await _refusal(self.needs, viewer, scope)(scope, receive, send)


def _refusal(needed: Permission, viewer: Viewer, scope: Scope) -> Response:
    headers = Headers(scope=scope)
    if viewer.name == NOBODY and scope["method"] in _SAFE_METHODS and "text/html" in headers.get("accept", ""):
        query = scope["query_string"].decode("ascii", "replace")
        return RedirectResponse(f"{SIGN_IN}?next={quote(scope['path'] + (query and '?' + query), safe='')}", 303)
    words = f"This needs the permission {needed}: to {PERMISSIONS[needed]}."
    if viewer.name == NOBODY:
        words += f" Sign in at {SIGN_IN}, or send a token that has it in the header Authorization: Bearer TOKEN."
        return PlainTextResponse(f"{words}\n", 401, {"WWW-Authenticate": "Bearer"})
    return PlainTextResponse(f"{words} {viewer.name} does not have it.\n", 403)
