"""Routes of pages: each says which permission it needs.

    Route("/queues", show, needs="public")

Who lacks it gets 401 if nobody knows who asks, and else 403: ``ErrorPages`` answers ``PermissionNeeded``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from starlette import routing
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from socorro_processor.web.pages.viewer import NOBODY, Viewer
from socorro_processor.web.permissions import PERMISSIONS, Permission

SIGN_IN = "/sign-in"


class PermissionNeeded(HTTPException):
    """A viewer lacks the permission that a route needs."""

    def __init__(self, needed: Permission, viewer: Viewer) -> None:
        self.reason = f"This needs the permission {needed}: to {PERMISSIONS[needed]}."
        self.viewer = viewer
        if viewer.name == NOBODY:
            super().__init__(401, self.reason, {"WWW-Authenticate": "Bearer"})
        else:
            super().__init__(403, self.reason)


class Route(routing.Route):
    """A route that only viewers with a permission reach; all do if it needs None."""

    def __init__(
        self, path: str, endpoint: Callable[..., Any], *, needs: Permission | None, methods: Sequence[str] = ("GET",)
    ) -> None:
        super().__init__(path, endpoint, methods=list(methods))
        self.needs = needs

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. Raises PermissionNeeded."""
        viewer: Viewer = scope["state"]["viewer"]
        if self.needs is not None and not viewer.may(self.needs):
            raise PermissionNeeded(self.needs, viewer)
        await super().handle(scope, receive, send)
