"""The web application: which address is answered by what, and the guards before all of them."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from socorro_processor.web.access_log import AccessLog
from socorro_processor.web.error_pages import answer_error, answer_failure
from socorro_processor.web.health import Probes
from socorro_processor.web.local_only import LocalOnly
from socorro_processor.web.open_paths import SUBMIT_PATHS
from socorro_processor.web.same_origin import SameOrigin
from socorro_processor.web.security_headers import SecurityHeaders

_HOME = """\
This is socorro serve. Applications post their crashes to /submit:

  curl -F upload_file_minidump=@crash.dmp -F ProductName=Example -F Version=1.0 {origin}/submit

The answer names the crash. Its page is {origin}/report/CRASH_ID; in a terminal, in the directory of the server:

  socorro list
  socorro show CRASH_ID

/readyz says whether all is well, /metrics what was counted.
"""


def application(submit: ASGIApp, probes: Probes, pages: Sequence[BaseRoute] = ()) -> ASGIApp:
    """Return the application; ``submit`` takes crashes, ``pages`` are further routes."""
    routes: list[BaseRoute] = [Route(path, submit, methods=["POST"]) for path in SUBMIT_PATHS]
    routes += [Route("/", _home), *probes.routes(), *pages]
    handlers = {HTTPException: answer_error, Exception: answer_failure}
    starlette = Starlette(routes=routes, exception_handlers=handlers)
    # An address is what it is: a client that posts a crash does not follow to another.
    starlette.router.redirect_slashes = False
    known = {route.path.strip("/").partition("/")[0] for route in routes if isinstance(route, Route)}
    return AccessLog(SecurityHeaders(LocalOnly(SameOrigin(starlette))), known)


async def _home(request: Request) -> Response:
    return PlainTextResponse(_HOME.format(origin=str(request.base_url).rstrip("/")))
