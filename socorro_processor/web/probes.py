"""Probes: is the server alive, is it ready, which version is it, what has it measured."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from socorro_processor import __version__
from socorro_processor.monitoring import prometheus
from socorro_processor.monitoring.health import Health
from socorro_processor.web.pages.routes import Route
from socorro_processor.web.pages.viewer import viewer_of

NEEDED_BY_UPLOADS = ("start", "stop", "spool")
"""The parts without which no crash can be taken. All others may be away: a balancer must not turn clients away then."""

_FRESH = 1.0
"""Seconds in which the text of ``/metrics`` is given again."""


class Probes:
    """The pages for those who watch the server. None needs a thread, so that slow pages do not keep one waiting."""

    def __init__(
        self,
        health: Health,
        spool: Callable[[], Mapping[str, object]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``spool`` returns what ``/readyz`` says about the spool, without waiting for a disk."""
        self._health = health
        self._spool = spool
        self._clock = clock
        self._measured, self._measured_at = b"", -math.inf

    def routes(self) -> list[BaseRoute]:
        """Return the routes. Load balancers ask ``readyz`` or ``__lbheartbeat__``, monitors ``__heartbeat__``."""
        return [
            Route("/healthz", self._alive, needs=None),
            Route("/readyz", self._ready, needs=None),
            Route("/metrics", self._metrics, needs="public"),
            Route("/__version__", self._version, needs=None),
            Route("/__heartbeat__", self._works, needs=None),
            Route("/__lbheartbeat__", self._alive, needs=None),
        ]

    def routes_of_balancers(self) -> list[BaseRoute]:
        """Return the routes for an address that only takes crashes."""
        return [
            Route("/healthz", self._alive, needs=None),
            Route("/readyz", self._ready, needs=None),
            Route("/__lbheartbeat__", self._alive, needs=None),
        ]

    async def _alive(self, request: Request) -> Response:
        hang = self._health.current_hang()
        return JSONResponse({"status": "hangs" if hang else "ok", **hang}, 503 if hang else 200)

    async def _ready(self, request: Request) -> Response:
        return self._answer(request, NEEDED_BY_UPLOADS)

    async def _works(self, request: Request) -> Response:
        return self._answer(request, None)

    def _answer(self, request: Request, needed: Sequence[str] | None) -> Response:
        """Answer 200 unless one of the parts has a problem; None stands for all parts."""
        problems = self._health.problems()
        is_good = not any(needed is None or part in needed for part in problems)
        content = {
            "ready": is_good,
            "problems": problems,
            "warnings": self._health.warnings(),
            "spool": dict(self._spool()),
        }
        if not viewer_of(request).may("public"):
            # Balancers look at the status; the rest names directories and hosts.
            content = {"ready": is_good}
        return JSONResponse(content, 200 if is_good else 503)

    async def _metrics(self, request: Request) -> Response:
        # It takes up to 20 ms of the only thread that serves, and any number of programs may ask.
        now = self._clock()
        if now - self._measured_at >= _FRESH:
            self._measured, self._measured_at = prometheus.prometheus_text(), now
        return Response(self._measured, media_type=prometheus.CONTENT_TYPE)

    async def _version(self, request: Request) -> Response:
        return JSONResponse({"name": "socorro-processor", "version": __version__})
