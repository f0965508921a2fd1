"""The page on which a browser is signed in with a token, and the form that signs it out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute

from socorro_processor.web.access.gate import VIEWER_COOKIE
from socorro_processor.web.access.rules import SESSION_TIME, AccessRules
from socorro_processor.web.access.trusted_proxy import BY_PROXY
from socorro_processor.web.http.form_body import read_form
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.routes import SIGN_IN, Route
from socorro_processor.web.pages.viewer import viewer_of
from socorro_processor.web.permissions import PERMISSIONS, in_order

_LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]*", re.ASCII)
"""An address of this server: printable, and without a backslash, which browsers take for a slash."""
_LONGEST_ADDRESS = 8000


def sign_in_routes(pages: Pages, rules: AccessRules) -> Iterator[BaseRoute]:
    routes = _SignInRoutes(pages, rules)
    yield Route(SIGN_IN, routes.show, needs=None)
    yield Route(SIGN_IN, routes.sign_in, needs=None, methods=["POST"])
    yield Route("/sign-out", routes.sign_out, needs=None, methods=["POST"])


class _SignInRoutes:
    def __init__(self, pages: Pages, rules: AccessRules) -> None:
        self._pages = pages
        self._rules = rules

    def show(self, request: Request) -> Response:
        return self._page(request, _local(request.query_params.get("next", "")))

    async def sign_in(self, request: Request) -> Response:
        fields = _fields(await read_form(request))
        address = _local(fields.get("next", ""))
        cookie = self._rules.sign_in(fields.get("token", "").strip())
        if cookie is None:
            return self._page(request, address, is_wrong=True)
        response = RedirectResponse(address, 303)
        _set_cookie(request, response, cookie, SESSION_TIME)
        return response

    async def sign_out(self, request: Request) -> Response:
        response = RedirectResponse(SIGN_IN, 303)
        _set_cookie(request, response, "", 0)
        return response

    def _page(self, request: Request, address: str, *, is_wrong: bool = False) -> Response:
        viewer = viewer_of(request)
        html = self._pages.seen_by(viewer).render(
            "sign_in.html",
            held=[(each, PERMISSIONS[each]) for each in in_order(viewer.permissions)],
            address=address,
            is_wrong=is_wrong,
            is_proxied=viewer.known_by == BY_PROXY,
        )
        return HTMLResponse(html, 403 if is_wrong else 200)


def _set_cookie(request: Request, response: Response, value: str, seconds: int) -> None:
    # Lax: a link to a crash in a mail or a bug opens it; what changes something needs a token of the form as well.
    response.set_cookie(
        VIEWER_COOKIE, value, max_age=seconds, httponly=True, samesite="lax", secure=request.url.scheme == "https"
    )


def _fields(form: str) -> dict[str, str]:
    try:
        fields = parse_qs(form, max_num_fields=10)
    except ValueError:
        return {}
    return {name: values[-1] for name, values in fields.items()}


def _local(address: str) -> str:
    """Return an address of this server; the first page if it is none."""
    return address if len(address) <= _LONGEST_ADDRESS and _LOCAL.fullmatch(address) else "/"
