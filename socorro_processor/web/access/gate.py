"""The gate before all pages: it finds out who asks, and turns away what was not meant for this server.

To the application, ``scope["state"]["viewer"]`` is who asks, and ``scope["state"]["by_token"]`` is True if the request
itself holds a token: no other site can make a browser send that. What a viewer may is the matter of each route.

A token stands in ``Authorization: Bearer``, in ``Auth-Token``, or for clients that know neither, as ``key`` in the
address of an upload. A browser is signed in by a cookie.
"""

from __future__ import annotations

import logging
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from socorro_processor.errors import ConfigurationError
from socorro_processor.web.access.rules import AccessRules, host_without_port, viewer_of_token
from socorro_processor.web.http.error_answer import error_page
from socorro_processor.web.http.listening import is_loopback
from socorro_processor.web.http.open_paths import PROBE_PATHS, takes_crashes, takes_key
from socorro_processor.web.pages.viewer import ALL, Viewer

logger = logging.getLogger(__name__)

VIEWER_COOKIE = "socorro_viewer"

_OPEN_WORDS = (
    "This server shows every crash to everyone who reaches it, because nothing says who may what. So it answers only "
    "requests that this machine sends to http://127.0.0.1 or http://localhost, without a proxy between. `socorro token "
    "add` makes it ask who you are; web.proxy_user_header lets a proxy say so; docs/access.rst says more."
)
_CANNOT_TELL = "This server cannot read who may what; its log says why. Whoever runs it can mend that."
_STRANGER = Viewer(frozenset())
"""Somebody from elsewhere, who may nothing."""
_OF_PROXIES = ("forwarded", "via", "x-real-ip")


class Gate:
    def __init__(self, app: ASGIApp, rules: AccessRules) -> None:
        self._app = app
        self._rules = rules
        self._is_open = rules.is_open
        self._last_error = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, headers = scope["path"], Headers(scope=scope)
        state = scope.setdefault("state", {})
        state["viewer"], state["by_token"] = _STRANGER, False
        if takes_crashes(path):
            await self._app(scope, receive, send)
            return
        try:
            # The first token ends it, and removing the last one does not bring it back.
            if self._rules.tokens.tokens():
                self._is_open = False
            self._last_error = ""
            if self._is_open:
                reason = _reason_against(scope, headers)
                state["viewer"] = _STRANGER if reason else ALL
                is_refused = reason and path not in PROBE_PATHS
                app = error_page(403, f"{_OPEN_WORDS}\n{reason}") if is_refused else self._app
            else:
                app = self._answerer(scope, headers)
        except ConfigurationError as error:
            self._log(str(error))
            app = self._app if path in PROBE_PATHS else error_page(503, _CANNOT_TELL)
        await app(scope, receive, send)

    def _log(self, error: str) -> None:
        # Once, because each request has the same.
        if error != self._last_error:
            self._last_error = error
            logger.error("nobody is let in: %s", error)

    def _answerer(self, scope: Scope, headers: Headers) -> ASGIApp:
        """Return what answers, once it is known who asks. Raises ConfigurationError."""
        host = headers.get("host", "")
        if scope["path"] not in PROBE_PATHS and not self._rules.answers_to(host):
            words = f"This server has no such name: {host[:100]!r}. web.public_url and web.hosts name it."
            return error_page(421, words)
        if self._rules.public_url and self._rules.public_url.is_at(host):
            scope["scheme"] = self._rules.public_url.scheme
        viewer = self._viewer(scope, headers)
        if viewer is None:
            return error_page(401, "This token is not valid, or not any more.", {"WWW-Authenticate": "Bearer"})
        scope["state"]["viewer"] = viewer
        return self._app

    def _viewer(self, scope: Scope, headers: Headers) -> Viewer | None:
        """Return who asks; None if it shows a token that is not valid. Raises ConfigurationError."""
        rules = self._rules
        if word := _token_of(scope, headers):
            token = rules.tokens.holder(word)
            scope["state"]["by_token"] = token is not None
            return viewer_of_token(token) if token else None
        client = scope["client"][0] if scope.get("client") else ""
        if rules.proxy and (viewer := rules.proxy.viewer(client, headers)):
            return viewer
        cookie = cookie_of(headers, VIEWER_COOKIE)
        return (cookie and rules.viewer_of_cookie(cookie)) or Viewer(rules.everyone)


def cookie_of(headers: Headers, name: str) -> str:
    """Return the value of a cookie; empty if there is none."""
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return cookie.value if cookie else ""


def _token_of(scope: Scope, headers: Headers) -> str:
    scheme, _, word = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return word.strip()
    if word := headers.get("auth-token", "").strip():
        return word
    if not takes_key(scope["path"]):
        return ""
    try:
        fields = parse_qsl(scope["query_string"].decode("ascii", "replace"), max_num_fields=100)
    except ValueError:
        return ""
    return next((value for name, value in fields if name == "key"), "")


def _reason_against(scope: Scope, headers: Headers) -> str:
    """Return why a request may come from elsewhere; empty if it comes from this machine, by its own name.

    A page from the internet that resolves its name to 127.0.0.1 sends another Host. A proxy says so in its headers, or
    speaks HTTP/1.0, as nginx does by default, with a Host of its own.
    """
    host = headers.get("host", "")
    if not is_loopback(host_without_port(host)):
        return f"This request was sent to the host {host[:100]!r}." if host else "This request names no host."
    for name in headers:
        if name in _OF_PROXIES or name.startswith("x-forwarded-"):
            return f"This request came through a proxy, because it has the header {name}."
    if scope["http_version"] == "1.0":
        return "This request may have come through a proxy, because browsers do not speak HTTP/1.0."
    return ""
