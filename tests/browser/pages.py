"""All pages of ``socorro serve``, a line a page: a browser walks through each of them."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote_plus

from socorro_processor.web.all_pages import NAVIGATION
from tests.browser.hostile import MARKUP, ODD


class Walked(NamedTuple):
    """An address to open; ``Site.path`` says what names in braces stand for."""

    name: str
    path: str


PAGES: tuple[Walked, ...] = (
    *(Walked(item.title, item.path) for item in NAVIGATION),
    Walked("top crashes of a product", "/?product=Lightbox&{days}"),
    Walked("top crashes, odd ones", "/?date=2026-11-24&sort=installations"),
    Walked("top crashes of nothing", "/?product=Nothing"),
    Walked("top crashes by an unknown field", "/?nothing=1"),
    Walked("two versions", "/compare?product=Lightbox&version=2.3.1&version=2.4.0b2&{days}"),
    Walked("odd versions", f"/compare?product={quote_plus(MARKUP)}&b={quote_plus(MARKUP)}&date=2026-11-24"),
    Walked("versions with long names", f"/compare?product=Lightbox&a={'9' * 200}&b={'v' * 200}&{{days}}"),
    Walked("versions that cannot be compared", "/compare?limit=x"),
    Walked("a signature", "/signature?signature={signature}&{days}"),
    Walked("a signature in one version", "/signature?signature={signature}&version=2.3.1&{days}"),
    Walked("an unknown signature", "/signature?signature=nothing"),
    Walked("a signature with markup", f"/signature?signature={quote_plus(MARKUP)}&{{days}}"),
    Walked("a search", "/search?product=Lightbox&{days}"),
    Walked("a search for a frame", "/search?frame~render&os_name=Windows+NT&facet=cpu_arch&{days}"),
    Walked("a search that finds nothing", "/search?product=Nothing"),
    Walked("a search by an unknown field", "/search?nothing=1"),
    Walked("a search for markup", f"/search?product={quote_plus(MARKUP)}&{{days}}"),
    Walked("a search for odd crashes", "/search?signature!=x&date=2026-11-24"),
    Walked("a real crash", "/report/{segfault}"),
    Walked("an abort", "/report/{abort}"),
    Walked("a real crash with markup in its annotations", "/report/{posted}"),
    Walked("no such crash", "/report/de1bb258-cbbf-4589-a673-34f800160918"),
    Walked("a deep crash", "/report/{deep}"),
    Walked("a crash with frames of the system", "/report/{folded}"),
    Walked("a crash without a minidump", "/report/{no_minidump}"),
    Walked("a crash whose minidump is none", "/report/{not_a_minidump}"),
    Walked("sign in", "/sign-in"),
    *(Walked(f"a hostile crash: {name}", f"/report/{{{name}}}") for name in ODD),
)
