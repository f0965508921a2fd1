"""The web application: which address is answered by what, and the guards before all of them."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from socorro_processor.web.access.gate import Gate
from socorro_processor.web.access.rules import AccessRules
from socorro_processor.web.http.access_log import AccessLog
from socorro_processor.web.http.error_answer import answer_failure
from socorro_processor.web.http.same_origin import SameOrigin
from socorro_processor.web.http.security_headers import SecurityHeaders
from socorro_processor.web.pages.error_pages import ErrorPages
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.viewer import Viewer
from socorro_processor.web.probes import Probes
from socorro_processor.web.submit.submit_routes import submit_routes


def application(
    submit: ASGIApp | None,
    probes: Probes,
    rules: AccessRules,
    pages: Sequence[BaseRoute] = (),
    templates: Pages | None = None,
) -> ASGIApp:
    """Return the application. ``submit`` takes crashes, unless that has an address of its own; ``rules`` say who may
    what, and ``pages`` are further routes, made from ``templates``."""
    routes = [*(submit_routes(submit) if submit else ()), *probes.routes(), *pages]
    starlette = _starlette(routes, templates)
    return AccessLog(SecurityHeaders(Gate(SameOrigin(starlette, rules.key), rules)), _first_parts(routes))


def collecting_application(submit: ASGIApp, probes: Probes) -> ASGIApp:
    """Return the application for an address that only takes crashes, and tells balancers that it does."""
    routes = [*submit_routes(submit), *probes.routes_of_balancers()]
    return AccessLog(_Strangers(_starlette(routes, None)), _first_parts(routes))


class _Strangers:
    """Lets ``app`` see only viewers who may nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["viewer"] = Viewer(frozenset())
        await self._app(scope, receive, send)


def _starlette(routes: Sequence[BaseRoute], templates: Pages | None) -> Starlette:
    handlers = {HTTPException: ErrorPages(templates).answer, Exception: answer_failure}
    starlette = Starlette(routes=routes, exception_handlers=handlers)
    # An address is what it is: a client that posts a crash does not follow to another.
    starlette.router.redirect_slashes = False
    return starlette


def _first_parts(routes: Sequence[BaseRoute]) -> set[str]:
    return {route.path.strip("/").partition("/")[0] for route in routes if isinstance(route, Route)}
