"""A log line and metrics for each request, and the answer where the server itself failed at it.

A line has the path, but neither the query nor a header: these hold keys, and words that people searched for.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from socorro_processor.monitoring.log import stack_of
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.web.http.error_answer import error_page
from socorro_processor.web.http.open_paths import PROBE_PATHS, takes_crashes

logger = logging.getLogger(__name__)

_LONGEST_PATH = 200
_SUBMIT = "submit"
_OTHER = "other"
"""The label of the pages that are not known."""
CLOSED = "closed"
"""The status of a request whose client went away before the answer."""


class AccessLog:
    """Logs and counts what ``app`` answers. The label ``page`` is the first part of the path, if it is a known one;
    all paths to which crashes are posted have ``submit``."""

    def __init__(self, app: ASGIApp, pages: Collection[str]) -> None:
        self._app = app
        self._pages = frozenset(pages)
        for page in (*pages, _OTHER):
            METRICS.expect("web.requests", page=page, status="200")
            METRICS.expect("web.request", page=page)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        status: int | str = CLOSED

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception as error:
            # Without its message, which may quote a crash. uvicorn closes the connection of an answer that has no end.
            logger.error("the server failed at %s %s: %s", scope["method"], _path(scope), stack_of(error))
            if status == CLOSED:
                await error_page(500)(scope, receive, send_and_note)
        finally:
            seconds = time.perf_counter() - started
            page = self._page_of(scope["path"])
            METRICS.increment("web.requests", page=page, status=str(status))
            METRICS.duration("web.request", seconds, page=page)
            if scope["path"] not in PROBE_PATHS:
                client = scope["client"][0] if scope.get("client") else ""
                fields = {"status": status, "seconds": round(seconds, 3), "client": client}
                logger.info("%s %s", scope["method"], _path(scope), extra={"fields": fields})

    def _page_of(self, path: str) -> str:
        first = _SUBMIT if takes_crashes(path) else path.strip("/").partition("/")[0]
        return first if first in self._pages else _OTHER


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path if len(path) <= _LONGEST_PATH else path[:_LONGEST_PATH] + "…"
