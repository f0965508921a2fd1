"""The addresses to which clients post crashes."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.convertors import StringConvertor, register_url_convertor
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from socorro_processor.web.http.open_paths import PROJECT, SUBMIT_PATHS
from socorro_processor.web.pages.routes import Route


class _Project(StringConvertor):
    regex = PROJECT


register_url_convertor("project", _Project())

MINIDUMP_PATHS = ("/api/{number:project}/minidump", "/api/{number:project}/minidump/")
"""Sentry's native client makes these from its DSN; all projects are one here."""


def submit_routes(submit: ASGIApp) -> Iterator[BaseRoute]:
    """Yield the routes. They need no permission: ``submit`` looks at keys."""
    for path in (*SUBMIT_PATHS, *MINIDUMP_PATHS):
        yield Route(path, submit, needs=None, methods=["POST"])
