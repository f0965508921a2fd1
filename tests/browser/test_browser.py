"""The browser of the tests sees what is wrong: each page here has one fault, and each fault is told."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.browser.chromium import Browser, chromium
from tests.browser.devtools import BrowserError
from tests.browser.looking import (
    lines_of,
    links_of,
    skips_to_the_content,
    too_small_to_touch,
    wrong_for_the_keyboard,
    wrong_with,
    wrong_with_the_focus,
)

GOOD = (
    '<!DOCTYPE html><html lang="en"><head><title>Good</title><link rel="icon" href="data:,"><style>'
    "{style}</style></head><body><a href=#main>Skip to the content</a><h1>Good</h1><main id=main>{body}"
    '<a href="/there">there</a></main></body></html>'
)
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-own'; img-src 'self' data:"


class Faulty:
    """A server of one page, which a test chooses."""

    page = GOOD.format(style="", body="")
    origin = ""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def faulty() -> Iterator[Faulty]:
    faulty = Faulty()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = faulty.page.encode()
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", POLICY)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with _serving(Handler) as faulty.origin:
        yield faulty


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def look(browser: Browser, faulty: Faulty, page: str, scheme: str = "light") -> list[str]:
    faulty.page = page
    with browser.tab() as tab:
        tab.show_as(390, scheme)
        tab.open(faulty.origin + "/")
        return wrong_with(tab)


def test_nothing_is_said_about_a_good_page(browser: Browser, faulty: Faulty) -> None:
    assert look(browser, faulty, GOOD.format(style="", body="<p>Words.")) == []


STACK = """<table class=frames><tbody><tr><th class=number scope=row><div style="width: {width}px">0</div></th>
<td class=function>f</td></tr></tbody></table>"""


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("<h1>again</h1>", "the page has 2 <h1>"),
        ("<p id=a><p id=a>", "two elements have the id a"),
        ("<a href='#nowhere'>x</a>", "a link leads to #nowhere"),
        ("<input name=q>", "a field has no label"),
        (
            f"<div class=stack>{STACK.format(width=20)}{STACK.format(width=60)}</div>",
            "the column function of a stack begins at",
        ),
        ("<p class=wide>w</p>", "the page is 600 pixels wide in a window of 390"),
        ("<div class=clips><table class=wide><tr><td>t</table></div>", "it is cut off at the right: <table.wide>"),
        ("<table><tr><td class=word>malformed_cut</table>", 'a word is broken, "malformed_cut": <td.word>'),
        ("<img alt=x src=/nothing.png>", "a picture is not shown"),
        ("<p class=pale>Words.", "hard to read, contrast rgb(150, 150, 150) 2.96: <p.pale>"),
        ("<div class=faint><p>Words.</p></div>", "hard to read, contrast rgb(0, 0, 0)"),
        ("<details><summary>s</summary><p class=pale>Words.</details>", "hard to read"),
        ("<svg><text y=20 class=drawn>Words.</text></svg>", "hard to read"),
        ("<script>1</script>", "Content Security Policy"),
        ("<p onclick=1>Words.", "Content Security Policy"),
        ("<script nonce=own>console.error('oh')</script>", "console.error: ['oh']"),
        ("<script nonce=own>nothing.at.all</script>", "a script failed"),
        ("<script nonce=own>alert('planted')</script>", "a script opened a dialog: planted"),
        ("<img alt=x src=https://elsewhere.example/x.png>", "the page asked another server: https://elsewhere"),
    ],
)
def test_a_fault_of_a_page_is_told(browser: Browser, faulty: Faulty, body: str, told: str) -> None:
    style = (
        ".wide { width: 600px; margin: 0 } body { margin: 0 } .clips { overflow: hidden } .pale { color: #969696 }"
        ".word { max-width: 3em; overflow-wrap: anywhere } .faint { opacity: .4 } .drawn { fill: #ccc }"
    )
    wrong = look(browser, faulty, GOOD.format(style=style, body=body))
    assert [each for each in wrong if told in each], wrong


@pytest.mark.parametrize(("scheme", "is_wrong"), [("light", False), ("dark", True)])
def test_a_scheme_in_which_the_text_cannot_be_read_is_told(
    browser: Browser, faulty: Faulty, scheme: str, is_wrong: bool
) -> None:
    style = "@media (prefers-color-scheme: dark) { body { background: #111 } }"
    wrong = look(browser, faulty, GOOD.format(style=style, body="<p>Words."), scheme)
    assert any("hard to read" in each for each in wrong) == is_wrong


def test_a_page_without_title_and_language_is_told(browser: Browser, faulty: Faulty) -> None:
    page = GOOD.format(style="", body="").replace("<title>Good</title>", "<title> </title>").replace(' lang="en"', "")
    assert look(browser, faulty, page)[:2] == ["the page has no title", "the page does not say its language"]


@pytest.mark.parametrize(
    ("style", "body", "told"),
    [
        ("", "", ""),
        (":focus { outline: 0 }", "", "the focus cannot be seen on 'Skip to the content'"),
        ("main a { position: absolute; left: -500px }", "", "the focus is outside the window on 'there'"),
        ("", "<button tabindex=1>me first</button>", "the first Tab does not reach 'Skip to the content'"),
    ],
)
def test_a_page_that_cannot_be_used_with_the_keyboard_is_told(
    browser: Browser, faulty: Faulty, style: str, body: str, told: str
) -> None:
    faulty.page = GOOD.format(style=style, body=body)
    with browser.tab() as tab:
        tab.show_as(390)
        tab.open(faulty.origin + "/")
        wrong = wrong_for_the_keyboard(tab)
    assert [each for each in wrong if told in each] if told else not wrong, wrong


@pytest.mark.parametrize(
    ("style", "body", "told"),
    [
        ("", "<p><a href=#a>a</a><p><a href=#b>b</a><details><summary>s</summary><a href=#c>c</a></details>", ""),
        (".gone { outline: 0 }", "<a class=gone href=#a>a</a>", 'the focus cannot be seen on <a> "a"'),
        (".gone { clip-path: inset(50%) }", "<p class=gone><a href=#a>a</a>", 'the focus cannot be seen on <a> "a"'),
        (":focus { outline: 1px solid #ccc }", "<a href=#a>a</a>", "the focus is pale, contrast 1.61"),
        ("", "<a href=#a tabindex=-1>a</a>", 'the keyboard does not reach <a> "a"'),
        ("", "<button tabindex=2>a</button>", 'the focus has an order of its own on <button> "a"'),
        ("main { display: grid } .b { order: -1 }", "<a href=#a>a</a><a class=b href=#b>b</a>", 'back from <a> "a" to'),
        (".b { float: left }", "words <a href=#a>a</a><a class=b href=#b>b</a>", 'the focus goes back from <a> "a" to'),
        (
            "main { columns: 2 } a { display: block; break-inside: avoid; height: 50px }",
            "<a href=#a>a</a><a href=#b>b</a><a href=#c>c</a>",
            "",
        ),
    ],
)
def test_a_focus_that_is_hidden_pale_or_out_of_order_is_told(
    browser: Browser, faulty: Faulty, style: str, body: str, told: str
) -> None:
    faulty.page = GOOD.format(style=style, body=body)
    with browser.tab() as tab:
        tab.show_as(390)
        tab.open(faulty.origin + "/")
        wrong = wrong_with_the_focus(tab)
    assert [each for each in wrong if told in each] if told else not wrong, wrong


@pytest.mark.parametrize(
    ("style", "body", "told"),
    [
        ("", "<p>A sentence with a <a href=#a>a</a> and <a href=#b>b</a>.", ""),
        ("", "<p><a href=#a>a</a><p style='margin-top: 40px'><a href=#b>b</a><p style='height: 40px'>", ""),
        ("a { display: block; height: 24px }", "<a href=#a>a</a><a href=#b>b</a>", ""),
        (
            "a { display: block; height: 20px }",
            "<a href=#a>a</a><a href=#b>b</a>",
            'x 20 pixels: <main.> <a> "a", near',
        ),
        ("", "<a href=#a>a</a> <a href=#b>b</a>", '"a", near <main.> <a> "b"'),
        ("", "<details><summary>s</summary><a href=#a>a</a> <a href=#b>b</a></details>", '<a> "a", near'),
        ("", "<label>one <input type=checkbox></label><br><label>two <input type=checkbox></label>", "too small"),
        ("label { display: block; height: 24px }", "<label>o <input type=checkbox></label>" * 2 + "<p>", ""),
    ],
)
def test_what_a_finger_cannot_hit_is_told(browser: Browser, faulty: Faulty, style: str, body: str, told: str) -> None:
    faulty.page = GOOD.format(style=style, body=body)
    with browser.tab() as tab:
        tab.show_as(390)
        tab.open(faulty.origin + "/")
        wrong = too_small_to_touch(tab)
    assert [each for each in wrong if told in each] if told else not wrong, wrong


@pytest.mark.parametrize(("target", "skips"), [("main", True), ("nowhere", False)])
def test_a_skip_link_that_leads_nowhere_is_seen(browser: Browser, faulty: Faulty, target: str, skips: bool) -> None:
    faulty.page = GOOD.format(style="", body="").replace(
        "#main>Skip to the content</a>", f"#{target}>Skip to the content</a><a href=/menu>menu</a>"
    )
    with browser.tab() as tab:
        tab.show_as(390)
        tab.open(faulty.origin + "/")
        assert skips_to_the_content(tab) == skips


def test_links_and_lines_are_those_of_the_page_with_and_without_scripts(browser: Browser, faulty: Faulty) -> None:
    script = "<p>7 crashes</p><p id=more></p><script nonce=own>more.textContent = 'By a script.'</script>"
    faulty.page = GOOD.format(style="", body=script + "<a href=https://elsewhere.example/>e</a>")
    with browser.tab() as tab:
        tab.show_as(390)
        tab.open(faulty.origin + "/")
        assert links_of(tab, faulty.origin) == ["/", "/there"]
        assert "0 crashes" in lines_of(tab)
        assert "By a script." in lines_of(tab)
        tab.run_scripts(False)
        tab.open(faulty.origin + "/")
        assert "By a script." not in lines_of(tab)


def test_a_browser_leaves_no_process_and_no_file_behind() -> None:
    with chromium() as browser, browser.tab():
        assert processes_with(browser.directory)
    assert processes_with(browser.directory) == []
    assert not browser.directory.exists()


def test_a_browser_that_was_killed_is_told_with_its_log_and_leaves_nothing_either() -> None:
    directories: list[Path] = []

    def use_a_killed_browser() -> None:
        with chromium() as browser:
            directories.append(browser.directory)
            # While it starts, it replaces itself, and is not found.
            with browser.tab():
                pass
            for pid in processes_with(browser.directory):
                # One may end with the other.
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with browser.tab():
                pass

    with pytest.raises(BrowserError, match="the browser has ended; its log ends with"):
        use_a_killed_browser()
    assert processes_with(directories[0]) == []
    assert not directories[0].exists()


def processes_with(directory: Path) -> list[int]:
    """Return the pids of the processes that name a directory on their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if os.fsencode(directory) in path.read_bytes():
                found.append(int(path.parent.name))
    return found
