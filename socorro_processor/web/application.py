"""The web application: which address is answered by what, and the guards before all of them."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from socorro_processor.web.access.gate import Gate
from socorro_processor.web.access.rules import AccessRules
from socorro_processor.web.http.access_log import AccessLog
from socorro_processor.web.http.error_answer import answer_failure
from socorro_processor.web.http.open_paths import SUBMIT_PATHS
from socorro_processor.web.http.same_origin import SameOrigin
from socorro_processor.web.http.security_headers import SecurityHeaders
from socorro_processor.web.pages.error_pages import ErrorPages
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.probes import Probes


def application(
    submit: ASGIApp,
    probes: Probes,
    rules: AccessRules,
    pages: Sequence[BaseRoute] = (),
    templates: Pages | None = None,
) -> ASGIApp:
    """Return the application; ``submit`` takes crashes, ``rules`` say who may what, and ``pages`` are further
    routes, made from ``templates``."""
    routes: list[BaseRoute] = [Route(path, submit, methods=["POST"]) for path in SUBMIT_PATHS]
    routes += [*probes.routes(), *pages]
    handlers = {HTTPException: ErrorPages(templates).answer, Exception: answer_failure}
    starlette = Starlette(routes=routes, exception_handlers=handlers)
    # An address is what it is: a client that posts a crash does not follow to another.
    starlette.router.redirect_slashes = False
    known = {route.path.strip("/").partition("/")[0] for route in routes if isinstance(route, Route)}
    return AccessLog(SecurityHeaders(Gate(SameOrigin(starlette, rules.key), rules)), known)
