"""Each page says who its viewer is, and those that many viewers share hold nothing of a session."""

from collections.abc import Iterator

import pytest

from tests.asgi import ask
from tests.unit.cli.reports import CRASH_ID, frame, processed
from tests.unit.web.html_tree import read_html
from tests.unit.web.whole_site import WholeSite, whole_site

SHARED = ("/", "/search", "/compare", "/signature?signature=f", "/search?nothing=1", "/compare?limit=x")
PAGES = (
    *SHARED,
    "/queues",
    "/refused",
    "/symbols",
    f"/report/{CRASH_ID}",
    "/report/no-such-crash",
    "/queues/confirm",
    "/sign-in",
    "/no-such-page",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeSite]:
    crash = {"ProductName": "Lightbox"}, processed(frame(function="f"), signature="f")
    with whole_site(tmp_path_factory.mktemp("site"), [crash]) as site:
        yield site


def page_of(site: WholeSite, path: str, word: str):
    return ask(site.app, path, headers={"Authorization": f"Bearer {word}", "Accept": "text/html"}).text


@pytest.mark.parametrize("path", PAGES)
def test_each_page_says_who_its_viewer_is(site, path):
    word = site.tokens.add("ada <i>", {"public", "protected", "dumps", "actions", "uploads"}, None)
    (link,) = read_html(page_of(site, path, word)).one("header", class_="bar").all("a", href="/sign-in")
    assert link.text == "ada <i>"


@pytest.mark.parametrize("path", SHARED)
def test_a_page_that_viewers_share_holds_nothing_of_a_session(site, path):
    assert "csrf_token" not in page_of(site, path, site.tokens.add("ada", {"public", "actions"}, None))


def test_a_page_with_forms_holds_the_token_of_its_own_session(site):
    word = site.tokens.add("ada", {"public", "actions"}, None)
    path = f"/report/{CRASH_ID}"
    found = [
        {each.attributes["value"] for each in read_html(page_of(site, path, word)).all("input", name="csrf_token")}
        for _ in range(2)
    ]
    assert [len(each) for each in found] == [1, 1]
    assert found[0] != found[1]
