"""Every page in a real browser: wide and narrow, light and dark, by keyboard, without scripts, with hostile crashes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.browser.chromium import Browser, chromium
from tests.browser.hostile import ELEMENT, MARKUP, PLANTED
from tests.browser.looking import (
    lines_of,
    links_of,
    skips_to_the_content,
    too_small_to_touch,
    wrong_for_the_keyboard,
    wrong_with,
    wrong_with_the_focus,
)
from tests.browser.pages import PAGES, Walked
from tests.browser.site import Site, site
from tests.browser.tab import Tab

pytestmark = [pytest.mark.long]
WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
_HANDLERS = "[onclick],[onerror],[onload],a[href^='javascript:' i],main img,iframe,object,embed"
_BY_SCRIPTS = ("unfold all",)
"""Lines that only scripts add."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def crashes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("site")) as crashes:
        yield crashes


@pytest.fixture(scope="module")
def only_tab(browser: Browser) -> Iterator[Tab]:
    with browser.tab() as tab:
        yield tab


@pytest.fixture
def tab(only_tab: Tab) -> Tab:
    """A tab; to open one for each test would take twice the time."""
    only_tab.run_scripts(True)
    return only_tab


class Answer(NamedTuple):
    status: int
    is_page: bool


@pytest.fixture(scope="module")
def answers() -> dict[str, Answer]:
    """The answers to links that were followed already: many pages have the same ones."""
    return {}


def open_page(tab: Tab, crashes: Site, page: Walked, width: int = 1280, scheme: str = "light") -> None:
    tab.show_as(width, scheme)
    tab.open(crashes.origin + crashes.path(page.path))


@each_page
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_fits_can_be_read_and_the_browser_has_no_complaint(tab, crashes, page, width, scheme):
    open_page(tab, crashes, page, width, scheme)
    assert wrong_with(tab) == []
    # No text of a crash has become a script or an element.
    assert tab.evaluate(f"typeof {PLANTED}") == "undefined"
    assert tab.evaluate(f'document.querySelectorAll("{ELEMENT},{_HANDLERS}").length') == 0


@each_page
@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_can_be_used_with_the_keyboard(tab, crashes, page, width):
    open_page(tab, crashes, page, width)
    assert wrong_for_the_keyboard(tab) == []


@each_page
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_focus_is_seen_on_all_of_a_page_and_goes_in_its_order(tab, crashes, page, width, scheme):
    open_page(tab, crashes, page, width, scheme)
    assert wrong_with_the_focus(tab) == []


@each_page
def test_a_finger_hits_each_link_and_control_of_a_page(tab, crashes, page):
    open_page(tab, crashes, page, 390)
    assert too_small_to_touch(tab) == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.name == "a real crash"], ids=["report"])
def test_the_first_link_skips_to_the_content(tab, crashes, page):
    open_page(tab, crashes, page)
    assert skips_to_the_content(tab)


@each_page
def test_a_page_says_the_same_without_scripts(tab, crashes, page):
    open_page(tab, crashes, page)
    with_scripts = Counter(lines_of(tab))
    tab.run_scripts(False)
    open_page(tab, crashes, page)
    without = Counter(lines_of(tab))
    assert without - with_scripts == Counter()
    assert {*(with_scripts - without)} <= {*_BY_SCRIPTS}


@each_page
def test_links_of_a_page_lead_somewhere(tab, crashes, page, answers):
    open_page(tab, crashes, page)
    own = crashes.path(page.path)
    links = links_of(tab, crashes.origin)
    for link in links:
        if link not in answers:
            status, content_type, _ = crashes.serving.fetch(link)
            answers[link] = Answer(status, content_type.startswith("text/html"))
    wrong = {link: answers[link].status for link in links if link != own and answers[link].status >= 400}
    if crashes.serving.fetch(own)[0] == 400:
        # Other days of a search that cannot be read cannot be read, either.
        wrong = {link: status for link, status in wrong.items() if status != 400}
    assert wrong == {}
    # A page that nobody walks is not known to work.
    found = {first_word(link) for link in links if answers[link].is_page}
    assert found - {first_word(each.path) for each in PAGES} == set(), "a line in PAGES is missing"


def first_word(path: str) -> str:
    return urlsplit(path).path.split("/")[1]


@pytest.mark.parametrize(("path", "times"), [("/report/{markup}", 10), ("/report/{posted}", 2)])
def test_markup_of_a_crash_is_shown_as_it_was_written(tab, crashes, path, times):
    (page,) = (page for page in PAGES if page.path == path)
    open_page(tab, crashes, page)
    tab.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert tab.evaluate("document.body.innerText").count(MARKUP) > times


def test_marks_that_change_the_direction_of_writing_are_shown_as_their_codes(tab, crashes):
    (page,) = (page for page in PAGES if page.path == "/report/{direction}")
    open_page(tab, crashes, page)
    text = tab.evaluate("document.body.textContent")
    assert r"invoice_\u202egnp.exe" in text
    assert {each for each in text if not each.isprintable()} <= {"\n"}
