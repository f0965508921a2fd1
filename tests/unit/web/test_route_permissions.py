"""The table of all routes and the permission that each needs: nobody gets what it does not allow."""

import re
from collections.abc import Iterator

import pytest
from starlette.routing import Match

from socorro_processor.web.http.open_paths import takes_crashes
from socorro_processor.web.pages.routes import Route
from socorro_processor.web.permissions import PERMISSIONS, Permission
from tests.asgi import ask
from tests.unit.cli.reports import CRASH_ID, frame, processed
from tests.unit.web.whole_site import WholeSite, whole_site

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
    ("POST", "/submit"): None,
    ("POST", "/submit/"): None,
    ("POST", "/api/{number:project}/minidump"): None,
    ("POST", "/api/{number:project}/minidump/"): None,
    ("GET", "/healthz"): None,
    ("GET", "/readyz"): None,
    ("GET", "/metrics"): "public",
    ("GET", "/__version__"): None,
    ("GET", "/__heartbeat__"): None,
    ("GET", "/__lbheartbeat__"): None,
}
"""The permission of each method and path; None: no permission is needed."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeSite]:
    with whole_site(
        tmp_path_factory.mktemp("site"), [({"ProductName": "Lightbox"}, processed(frame(function="f")))]
    ) as site:
        yield site


def test_the_table_has_each_route_with_its_permission(site):
    found = {}
    for route in site.routes:
        assert isinstance(route, Route), f"{route} says no permission"
        for method in set(route.methods or ()) - {"HEAD"}:
            found[method, route.path] = route.needs
    assert found == TABLE


def asked(site: WholeSite, method: str, path: str, held: set[Permission] | None) -> int:
    """Return the status of a request by a viewer with these permissions; None: by nobody."""
    path = (
        path.replace("{word}", CRASH_ID)
        .replace("{number:project}", "1")
        .replace("{name}", "style.css" if "static" in path else "upload_file_minidump")
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
    assert asked(site, method, path, None) in (401, 403)
    assert asked(site, method, path, set()) in (401, 403)
    assert asked(site, method, path, set(PERMISSIONS) - {needed}) == 403
    assert asked(site, method, path, {needed}) not in (401, 403, 500)


def test_crashes_are_posted_to_no_address_of_another_route(site):
    """The gate lets anybody post them: any other route with such an address would be open, too."""
    for method, path in TABLE:
        concrete = path.replace("{number:project}", "1")
        filled = re.sub(r"\{\w+\}", "1", concrete)
        posts_crashes = method == "POST" and path.startswith(("/submit", "/api/{number:project}/"))
        assert takes_crashes(filled) == posts_crashes, path
    for path in ("/api/1/minidump", "/api/1/minidump/"):
        scope = {"type": "http", "method": "POST", "path": path}
        matching = [route.path for route in site.routes if route.matches(scope)[0] is not Match.NONE]
        assert matching == [path.replace("1", "{number:project}")]


def test_an_address_that_no_page_has_is_not_found(site):
    assert asked(site, "GET", "/no-such-page", None) == 404
