"""All pages of ``socorro serve``, a line a page: a browser walks through each of them."""

from __future__ import annotations

from typing import NamedTuple

from socorro_processor.web.all_pages import NAVIGATION
from tests.browser.hostile import ODD


class Walked(NamedTuple):
    """An address to open; ``Site.path`` says what names in braces stand for."""

    name: str
    path: str


PAGES: tuple[Walked, ...] = (
    *(Walked(item.title, item.path) for item in NAVIGATION),
    Walked("a real crash", "/report/{segfault}"),
    Walked("an abort", "/report/{abort}"),
    Walked("a real crash with markup in its annotations", "/report/{posted}"),
    Walked("no such crash", "/report/de1bb258-cbbf-4589-a673-34f800160918"),
    Walked("a deep crash", "/report/{deep}"),
    *(Walked(f"a hostile crash: {name}", f"/report/{{{name}}}") for name in ODD),
)
