"""Viewers of the pages in tests: who may everything, nothing, or some of it."""

from __future__ import annotations

from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from socorro_processor.web.access.rules import AccessRules
from socorro_processor.web.access.tokens import TokenFile
from socorro_processor.web.pages.viewer import Viewer

OPEN = AccessRules(TokenFile(Path("there-is-none/tokens.json")))
"""The rules of a server where nothing says who may what."""


class SeenBy:
    """Routes as a viewer gets them, without a gate before."""

    def __init__(self, app: ASGIApp, viewer: Viewer) -> None:
        self._app = app
        self._viewer = viewer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["viewer"] = self._viewer
        await self._app(scope, receive, send)
