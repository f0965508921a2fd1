"""Answer only requests that come from this machine by its own name: without permissions, everything is open.

A page from the internet that resolves its name to 127.0.0.1 sends another Host; a proxy that stands before the server
says so in its headers.
"""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from socorro_processor.web.http.error_answer import error_page
from socorro_processor.web.http.listening import is_loopback
from socorro_processor.web.http.open_paths import is_open

_PORT = re.compile(r":\d{1,5}$", re.ASCII)

_WORDS = (
    "This server shows every crash to everyone who reaches it, because permissions cannot be configured yet. So it "
    "answers only requests that this machine sends to http://127.0.0.1 or http://localhost, without a proxy between."
)


class LocalOnly:
    """Answers 403 where a request may come from elsewhere; the rest goes to ``app``."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reason = "" if is_open(scope["path"]) else _reason_against(Headers(scope=scope))
        app = error_page(403, f"{_WORDS}\n{reason}") if reason else self._app
        await app(scope, receive, send)


def _reason_against(headers: Headers) -> str:
    host = headers.get("host", "")
    if not is_loopback(_PORT.sub("", host)):
        return f"This request was sent to the host {host[:100]!r}." if host else "This request names no host."
    for name in headers:
        if name in ("forwarded", "via") or name.startswith("x-forwarded-"):
            return f"This request came through a proxy, because it has the header {name}."
    return ""
