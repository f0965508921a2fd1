"""Let a request change something only if a page of this server sent it.

Any site can make a browser post a form to ``http://127.0.0.1:8000``. So such a request needs the Origin of the server
and a token, which only the server's own pages hold: in the field ``csrf_token`` of a form, or in ``X-CSRF-Token``. A
form with files has the token in its address, because such a body is not read here; the access log leaves it out.

A program, such as curl, needs neither at the addresses in ``PROGRAM_PATHS``: no site can make it do something. A
browser is told by what no page can keep it from sending, see ``_is_browser``. Nor does a request that holds a token of
its viewer, which no site can make a browser send: the gate before says so in ``scope["state"]["by_token"]``.
"""

from __future__ import annotations

import hmac
import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, parse_qsl

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from socorro_processor.web.http.error_answer import error_page
from socorro_processor.web.http.form_body import MAXIMUM_FORM, read_small_body
from socorro_processor.web.http.open_paths import PROGRAM_PATHS, is_open

COOKIE = "socorro_session"
FIELD = "csrf_token"
HEADER = "x-csrf-token"

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_FORM = "application/x-www-form-urlencoded"
_FORM_WITH_FILES = "multipart/form-data"
_RELOAD = "Open the page again and send the form from there: its token is of another session or of an earlier server."


class SameOrigin:
    """Answers 403 to a changing request that no page of this server sent.

    To ``app``, ``scope["state"]["csrf_token"]`` is the token for the forms of a page, and
    ``scope["state"]["is_program"]`` is True for a changing request that needed none.
    """

    def __init__(self, app: ASGIApp, key: bytes | None = None) -> None:
        """``key`` signs sessions; by default each server has one of its own, which ends with it."""
        self._app = app
        self._key = key or secrets.token_bytes(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if is_open(scope["path"]):
            await self._app(scope, receive, send)
        elif scope["method"] in _SAFE_METHODS:
            await self._show(scope, receive, send)
        else:
            await self._change(scope, receive, send)

    async def _show(self, scope: Scope, receive: Receive, send: Send) -> None:
        known = self._session(Headers(scope=scope))
        session = known or secrets.token_urlsafe(24)
        scope.setdefault("state", {})["csrf_token"] = self._token(session)

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                value = f"{COOKIE}={session}.{self._sign('session', session)}; Path=/; HttpOnly; SameSite=Strict"
                if scope["scheme"] == "https":
                    value += "; Secure"
                MutableHeaders(scope=message).append("Set-Cookie", value)
            await send(message)

        await self._app(scope, receive, send if known else send_with_cookie)

    async def _change(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        state = scope.setdefault("state", {})
        state["is_program"] = state.get("by_token") or (scope["path"] in PROGRAM_PATHS and not _is_browser(headers))
        if state["is_program"]:
            await self._app(scope, receive, send)
            return
        own = f"{scope['scheme']}://{headers.get('host', '')}"
        if headers.get("origin") != own:
            words = f"Only a page of this server can do this: the request has to have the header Origin: {own}."
            await error_page(403, words)(scope, receive, send)
            return
        session = self._session(headers)
        token = headers.get(HEADER, "")
        content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if not token and content_type == _FORM_WITH_FILES:
            token = _token_in_address(scope)
        if not token and content_type == _FORM:
            body = await read_small_body(receive)
            if body is None:
                await error_page(413, f"This form is larger than {MAXIMUM_FORM} bytes.")(scope, receive, send)
                return
            token = _field_of(body)
            receive = _replay(body, receive)
        if not session or not hmac.compare_digest(token.encode(), self._token(session).encode()):
            await error_page(403, _RELOAD)(scope, receive, send)
            return
        state["csrf_token"] = self._token(session)
        await self._app(scope, receive, send)

    def _session(self, headers: Headers) -> str:
        """Return the session that the request's cookie names; empty if this server did not sign it."""
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return ""
        session, _, signature = (cookie.value if cookie else "").partition(".")
        genuine = hmac.compare_digest(signature.encode(), self._sign("session", session).encode())
        return session if genuine else ""

    def _token(self, session: str) -> str:
        return self._sign("token", session)

    def _sign(self, purpose: str, session: str) -> str:
        return hmac.digest(self._key, f"{purpose} {session}".encode(), "sha256").hex()


def _is_browser(headers: Headers) -> bool:
    """Return True if a browser may have sent the request, at the wish of any page.

    Browsers send Origin with each request by POST (Fetch standard, *append a request Origin header*). Each of the other
    signs would tell alone, of a browser that is too old for it or of one that hides.
    """
    signs = ("origin", "referer", "cookie", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest")
    return any(sign in headers for sign in signs) or "mozilla" in headers.get("user-agent", "").lower()


def _token_in_address(scope: Scope) -> str:
    try:
        fields = parse_qsl(scope["query_string"].decode("ascii", "replace"), max_num_fields=100)
    except ValueError:
        return ""
    return next((value for name, value in fields if name == FIELD), "")


def _field_of(body: bytes) -> str:
    try:
        fields = parse_qs(body.decode("ascii", errors="replace"), max_num_fields=1000)
    except ValueError:
        return ""
    return fields.get(FIELD, [""])[0]


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that gives the body that was read before, and then what follows."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again
