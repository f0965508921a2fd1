"""The templates: what they escape, what they refuse, and the files beside them."""

from __future__ import annotations

import re

import pytest
from jinja2 import UndefinedError

from socorro_processor.web.pages.rendering import STATIC_TYPES, NavigationItem, Pages, static_file, static_path
from tests.unit.web.html_tree import read_html


def message(title: str, *words: str, pages: Pages | None = None) -> str:
    return (pages or Pages()).render("message.html", title=title, words=words, reload_after=0)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("\"' onload='x", "&#34;&#39; onload=&#39;x"),
        ("{{ 7 * 7 }}{% if %}", "{{ 7 * 7 }}{% if %}"),
        ("gnp\u202eexe\u2066", r"gnp\u202eexe\u2066"),
        ("\x1b[31m\x00\x7f", r"\x1b[31m\x00\x7f"),
        ("\ud800", r"\ud800"),
        ("Überlauf 漢字", "Überlauf 漢字"),
    ],
)
def test_text_stays_text_and_what_cannot_be_seen_is_shown(text: str, shown: str) -> None:
    html = message("Title", text)
    assert f'<p><span class="sentence">{shown}</span></p>' in html
    html.encode()


def test_a_name_that_a_template_does_not_get_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="words"):
        Pages().render("message.html", title="x", reload_after=0)


def test_every_page_has_a_title_a_language_and_a_way_to_its_content_and_to_the_other_pages() -> None:
    page = read_html(message("Not found", pages=Pages([NavigationItem("Queues", "/queues")])))
    assert page.one("title").text == "Not found - Socorro"
    assert page.one("html").attributes["lang"] == "en"
    assert page.one("a", class_="skip").attributes["href"] == f"#{page.one('main').attributes['id']}"
    assert [(link.text, link.attributes["href"]) for link in page.one("nav").all("a")] == [("Queues", "/queues")]


def test_the_page_that_is_shown_is_marked_among_the_others() -> None:
    pages = Pages([NavigationItem("Queues", "/queues"), NavigationItem("Messages", "/", "message.html")])
    marked = read_html(message("x", pages=pages)).all("a", **{"aria-current": "page"})
    assert [link.text for link in marked] == ["Messages"]


def test_a_command_in_backticks_is_code_and_hostile_text_in_them_stays_text() -> None:
    page = read_html(message("x", "it is damaged: `socorro search index` mends it", "`<b>` and one more `"))
    assert [each.text for each in page.all("code")] == ["socorro search index", "<b>"]
    assert page.all("p")[1].text == "<b> and one more `"


def test_pages_load_the_static_files_by_addresses_that_change_with_them() -> None:
    page = read_html(message("x"))
    loaded = {
        *(link.attributes["href"] for link in page.all("link")),
        *(script.attributes["src"] for script in page.all("script")),
    }
    assert loaded == {static_path(name) for name in STATIC_TYPES}
    assert all(re.fullmatch(r"/static/[a-z.]+\?[0-9a-f]{12}", path) for path in loaded)


def test_the_style_sheet_is_light_and_dark_and_loads_nothing() -> None:
    style = static_file("style.css").decode()
    assert "prefers-color-scheme: dark" in style
    assert not re.search(r"url\(|@import|@font-face|https?:", style)


def test_no_template_has_a_style_or_a_script_of_its_own_because_the_policy_forbids_it() -> None:
    loader = Pages()._environment.loader
    assert loader is not None
    names = loader.list_templates()
    assert "report.html" in names
    for name in names:
        source = loader.get_source(Pages()._environment, name)[0]
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|\|\s*safe|<script(?! src=)", source), name
        assert "autoescape" not in source
