"""All pages of an embedded installation, behind the gate, in this process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from socorro_processor.cli.all_options import all_options
from socorro_processor.collector.collector import Collector
from socorro_processor.configuration import Configuration, Source
from socorro_processor.configuration.components import create
from socorro_processor.monitoring.health import Health
from socorro_processor.web.access.rules import AccessRules
from socorro_processor.web.access.tokens import TokenFile
from socorro_processor.web.all_pages import all_pages
from socorro_processor.web.application import application
from socorro_processor.web.minute_rates import MinuteRates
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.probes import Probes
from socorro_processor.web.server_parts import ServerParts
from socorro_processor.web.submit.submit_routes import submit_routes


class WholeSite(NamedTuple):
    routes: list[BaseRoute]
    """All routes."""
    app: ASGIApp
    tokens: TokenFile


@contextmanager
def whole_site(
    root: Path, crashes: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]], **options: object
) -> Iterator[WholeSite]:
    """Run a site whose viewers are known by tokens, with these raw and processed crashes in it."""
    given = {
        "source.root": f"{root}/crashes",
        "destination.root": f"{root}/crashes",
        "destination.search_path": f"{root}/search",
        "new_crash_source.path": f"{root}/queue.sqlite",
        "collector.spool": f"{root}/spool",
        "web.token_file": f"{root}/tokens.json",
        **options,
    }
    values = Configuration(all_options(), [Source(given)]).values
    with ExitStack() as closing:
        source = create(values.source.crashstorage_class, values.source)
        closing.callback(source.close)
        queue = create(values.new_crash_source.new_crash_source_class, values.new_crash_source)
        closing.callback(queue.close)
        destination = create(values.destination.crashstorage_class, values.destination)
        for raw, processed in crashes:
            source.save_raw_crash(dict(raw), {"upload_file_minidump": b"MDMP"}, processed["uuid"])
            destination.save_processed(dict(processed))
        destination.close()
        rules = replace(AccessRules.of(values.web), is_open=False)
        pages = Pages()
        collector = Collector(values.collector, source, queue)
        parts = ServerParts(collector, Health(), None, MinuteRates())
        routes = list(all_pages(values, parts, closing, pages, rules))
        probes = Probes(Health(), dict)
        app = application(_NoSubmissions(), probes, rules, routes, pages)
        yield WholeSite([*routes, *probes.routes(), *submit_routes(_NoSubmissions())], app, rules.tokens)


class _NoSubmissions:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("no crash is taken here", 400)(scope, receive, send)
