"""The table of all routes and the permission that each needs: nobody gets what it does not allow."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import NamedTuple

import pytest
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
from socorro_processor.web.pages.routes import Route
from socorro_processor.web.permissions import PERMISSIONS, Permission
from socorro_processor.web.probes import Probes
from socorro_processor.web.server_parts import ServerParts
from tests.asgi import ask
from tests.unit.cli.reports import CRASH_ID, frame, processed

TABLE: dict[tuple[str, str], Permission | None] = {
    ("GET", "/"): "public",
    ("GET", "/compare"): "public",
    ("GET", "/signature"): "public",
    ("GET", "/search"): "public",
    ("GET", "/search.csv"): "public",
    ("GET", "/search.json"): "public",
    ("GET", "/report/{word}"): "public",
    ("GET", "/report/{word}.txt"): "public",
    ("GET", "/report/{word}.md"): "public",
    ("GET", "/report/{word}.json"): "public",
    ("GET", "/report/{word}/raw.json"): "public",
    ("GET", "/report/{word}/dump/{name}"): "dumps",
    ("POST", "/report/{word}/reprocess"): "actions",
    ("GET", "/symbols"): "public",
    ("POST", "/symbols"): "uploads",
    ("POST", "/symbols/reprocess"): "actions",
    ("GET", "/queues"): "public",
    ("POST", "/queues"): "actions",
    ("GET", "/queues/confirm"): "actions",
    ("GET", "/refused"): "protected",
    ("GET", "/static/{name}"): None,
    ("GET", "/sign-in"): None,
    ("POST", "/sign-in"): None,
    ("POST", "/sign-out"): None,
    ("GET", "/healthz"): None,
    ("GET", "/readyz"): None,
    ("GET", "/metrics"): "public",
    ("GET", "/__version__"): None,
    ("GET", "/__heartbeat__"): None,
    ("GET", "/__lbheartbeat__"): None,
}
"""The permission of each method and path; None: no permission is needed."""


class Site(NamedTuple):
    routes: list[Route]
    app: ASGIApp
    tokens: TokenFile


async def _submit(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("no crash is sent here")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """All pages of an embedded installation, with one crash, whose viewers are known by tokens."""
    root = tmp_path_factory.mktemp("site")
    values = Configuration(
        all_options(),
        [
            Source(
                {
                    "source.root": f"{root}/crashes",
                    "destination.root": f"{root}/crashes",
                    "destination.index": f"{root}/search",
                    "new_crash_source.path": f"{root}/queue.sqlite",
                    "collector.spool": f"{root}/spool",
                    "web.token_file": f"{root}/tokens.json",
                }
            )
        ],
    ).values
    with ExitStack() as closing:
        source = create(values.source.crashstorage_class, values.source)
        closing.callback(source.close)
        queue = create(values.new_crash_source.new_crash_source_class, values.new_crash_source)
        closing.callback(queue.close)
        source.save_raw_crash({"ProductName": "Lightbox"}, {"upload_file_minidump": b"MDMP"}, CRASH_ID)
        destination = create(values.destination.crashstorage_class, values.destination)
        destination.save_processed(processed(frame(function="f")))
        destination.close()
        collector = Collector(values.collector, source, queue)
        pages = Pages()
        rules = replace(AccessRules.of(values.web), is_open=False)
        parts = ServerParts(collector, Health(), None, MinuteRates())
        routes = list(all_pages(values, parts, closing, pages, rules))
        probes = Probes(Health(), dict)
        app = application(_submit, probes, rules, routes, pages)
        yield Site([each for each in (*routes, *probes.routes()) if isinstance(each, Route)], app, rules.tokens)


def test_the_table_has_each_route_with_its_permission(site):
    found = {}
    for route in site.routes:
        for method in set(route.methods or ()) - {"HEAD"}:
            found[method, route.path] = route.needs
    assert found == TABLE


def asked(site: Site, method: str, path: str, held: set[Permission] | None) -> int:
    """Return the status of a request by a viewer with these permissions; None: by nobody."""
    path = path.replace("{word}", CRASH_ID).replace(
        "{name}", "style.css" if "static" in path else "upload_file_minidump"
    )
    headers = {}
    if held is not None:
        headers["Authorization"] = f"Bearer {site.tokens.add('somebody', held, None)}"
    if method == "POST":
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    return ask(site.app, path, method, headers, b"").status


@pytest.mark.parametrize(("method", "path"), TABLE)
def test_nobody_gets_what_the_table_does_not_allow(site, method, path):
    needed = TABLE[method, path]
    if needed is None:
        assert asked(site, method, path, None) not in (401, 500)
        return
    assert asked(site, method, path, None) == (403 if method == "POST" else 401)
    assert asked(site, method, path, set()) in (401, 403)
    assert asked(site, method, path, set(PERMISSIONS) - {needed}) == 403
    assert asked(site, method, path, {needed}) not in (401, 403, 500)


def test_an_address_that_no_page_has_is_not_found(site):
    assert asked(site, "GET", "/no-such-page", None) == 404
