"""Take the pictures of pages that the docs show: ``make screenshots`` writes them into ``docs/pictures``.

They show the crashes of ``tests/browser/lightbox.py``, in a light scheme: the same after each change that changes no
page. A further page is a line in PICTURES.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from tests.browser.chromium import Browser, chromium
from tests.browser.site import Site, lightbox_site
from tests.browser.small_png import small_png
from tests.shared import REPOSITORY

DIRECTORY = REPOSITORY / "docs" / "pictures"
MAXIMUM = 100_000
"""Bytes of a picture."""
_PLACE = Path("/tmp/lightbox")
"""The directory of the server: pages show it."""


class Picture(NamedTuple):
    name: str
    path: str
    width: int
    height: int


PICTURES = (
    Picture("page-of-top-crashes.png", "/?product=Lightbox&date=2026-11-24..2026-11-30", 1280, 860),
    Picture("page-of-a-signature.png", "/signature?signature={signature}&{days}", 1280, 1000),
    Picture("page-of-a-search.png", "/search?product=Lightbox&{days}", 1280, 860),
    Picture("page-of-a-crash.png", "/report/{lightbox}", 1280, 834),
    Picture("page-of-a-crash-narrow.png", "/report/{lightbox}", 390, 844),
)


def main() -> int:
    try:
        _PLACE.mkdir()
    except FileExistsError:
        print(f"cannot serve the crashes of the pictures in {_PLACE}: it is there already; remove it", file=sys.stderr)
        return 1
    too_large = []
    try:
        with lightbox_site(_PLACE) as site, chromium() as browser:
            for picture in PICTURES:
                png = take(picture, site, browser)
                (DIRECTORY / picture.name).write_bytes(png)
                print(f"{(DIRECTORY / picture.name).relative_to(REPOSITORY)}: {len(png) / 1000:.0f} kB")
                if len(png) > MAXIMUM:
                    too_large.append(picture.name)
    finally:
        shutil.rmtree(_PLACE)
    if too_large:
        print(f"larger than {MAXIMUM // 1000} kB: {', '.join(too_large)}", file=sys.stderr)
    return 1 if too_large else 0


def take(picture: Picture, site: Site, browser: Browser) -> bytes:
    """Return the PNG of the upper part of a page. Raises RuntimeError if the browser complains about the page."""
    with browser.tab() as tab:
        tab.show_as(picture.width, height=picture.height)
        tab.open(site.origin + site.path(picture.path))
        pixels = tab.pixels(picture.width, picture.height)
        if tab.problems:
            raise RuntimeError(f"{picture.path}: {tab.problems}")
    return small_png(pixels, picture.width, picture.height)


if __name__ == "__main__":
    sys.exit(main())
