"""Look at an open page with the eyes of its readers: those who see it, use the keyboard, or have no scripts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.browser.tab import Tab

_LOOK, _FOCUS_ALL, _TOUCH = ((Path(__file__).parent / name).read_text() for name in ("look.js", "focus.js", "touch.js"))
_UNFOLD = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
_TABS = 12
"""Elements that the keyboard visits, from the first on."""
_FOCUS = """
(() => {
  const element = document.activeElement, style = getComputedStyle(element), place = element.getBoundingClientRect();
  return {
    words: element.textContent.trim().slice(0, 60) || element.outerHTML.slice(0, 60),
    isBody: element === document.body,
    isMarked: element.matches(":focus-visible") && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0,
    isInside: place.right > 0 && place.bottom > 0 && place.left < innerWidth && place.top < innerHeight,
  };
})()
"""
_LINKS = '[...new Set([...document.links].map((each) => each.href.split("#")[0]))]'
_SKIP_LINK = "Skip to the content"


def wrong_with(tab: Tab) -> list[str]:
    """Return sentences about what is wrong with the page, as it comes and with its folded parts open."""
    wrong: list[str] = []
    for phase in ("first", "unfolded"):
        wrong += tab.evaluate(f"({_LOOK})({json.dumps(phase)})")
    # Last: the questions also give the browser time to complain.
    return [*dict.fromkeys([*wrong, *tab.problems])]


def wrong_for_the_keyboard(tab: Tab) -> list[str]:
    """Return what is wrong for a reader who has no mouse."""
    wrong = []
    for number in range(_TABS):
        tab.press("Tab")
        focus: dict[str, Any] = tab.evaluate(_FOCUS)
        if focus["isBody"]:
            # Behind the last element the focus leaves the page.
            return wrong if number else ["the Tab key reaches nothing"]
        if number == 0 and focus["words"] != _SKIP_LINK:
            wrong.append(f"the first Tab does not reach {_SKIP_LINK!r}, but {focus['words']!r}")
        if not focus["isMarked"]:
            wrong.append(f"the focus cannot be seen on {focus['words']!r}")
        if not focus["isInside"]:
            wrong.append(f"the focus is outside the window on {focus['words']!r}")
    return wrong


def wrong_with_the_focus(tab: Tab) -> list[str]:
    """Return what is wrong for a reader who has no mouse in any part of the page, with its folded parts open.

    ``wrong_for_the_keyboard`` presses the keys; this gives the focus to every link and control of a long page at once.
    """
    tab.press("Tab")
    tab.evaluate(_UNFOLD)
    wrong: list[str] = tab.evaluate(f"({_FOCUS_ALL})()")
    return wrong


def too_small_to_touch(tab: Tab) -> list[str]:
    """Return the links and controls that a finger cannot hit, with folded parts open."""
    tab.evaluate(_UNFOLD)
    wrong: list[str] = tab.evaluate(f"({_TOUCH})()")
    return wrong


def skips_to_the_content(tab: Tab) -> bool:
    """Return True if Tab and Enter lead to the content: the next Tab is inside it."""
    tab.press("Tab")
    tab.press("Enter")
    tab.press("Tab")
    inside: bool = tab.evaluate('document.querySelector("main").contains(document.activeElement)')
    return inside


def links_of(tab: Tab, origin: str) -> list[str]:
    """Return the addresses on this server to which the page links, without the server and the fragment."""
    links: list[str] = tab.evaluate(_LINKS)
    return [link.removeprefix(origin) for link in links if link.startswith(f"{origin}/")]


def lines_of(tab: Tab) -> list[str]:
    """Return the lines that a reader sees; numbers, which may change between two looks, are ``0``."""
    text: str = tab.evaluate("document.body.innerText")
    return [re.sub(r"\d+", "0", line.strip()) for line in text.splitlines() if line.strip()]
