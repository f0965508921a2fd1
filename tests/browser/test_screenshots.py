"""The pictures of pages in the docs: they are small, right in size, and shown with a text beside them."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path

import pytest

from tests.browser.chromium import chromium
from tests.browser.lightbox import CRASHES, DAYS, LAST_DAY, lightbox_crashes
from tests.browser.screenshots import DIRECTORY, MAXIMUM, PICTURES, take
from tests.browser.site import lightbox_site
from tests.browser.small_png import size_of, small_png
from tests.shared import REPOSITORY, own_stackwalker

RED, GREEN = b"\xff\0\0\xff", b"\0\xff\0\xff"


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_a_picture_is_small_as_large_as_said_and_on_a_page_with_words_beside_it(picture):
    png = (DIRECTORY / picture.name).read_bytes()
    assert len(png) <= MAXIMUM
    assert size_of(png) == (picture.width, picture.height)
    pages = "".join(page.read_text() for page in (REPOSITORY / "docs").glob("*.rst"))
    assert re.search(rf"^\.\. image:: pictures/{picture.name}\n(?:   :\w+: .*\n)*   :alt: .{{40}}", pages, re.MULTILINE)


def test_each_picture_of_a_page_is_taken_by_make_screenshots():
    assert {path.name for path in DIRECTORY.glob("*.png")} == {picture.name for picture in PICTURES}


def test_a_page_is_pictured_as_it_is(tmp_path: Path):
    (picture,) = (each for each in PICTURES if each.name == "page-of-a-crash-narrow.png")
    with lightbox_site(tmp_path) as site, chromium() as browser:
        png = take(picture, site, browser)
    assert size_of(png) == (picture.width, picture.height)
    # The bar above every page, and the page below it.
    assert colour_at(png, 380, 5) == (31, 42, 55)
    assert colour_at(png, 2, 600) == (246, 247, 249)


def test_the_crashes_of_the_pictures_are_the_same_each_time_and_of_the_days_that_they_say():
    own_stackwalker()
    crashes = [crash.processed for crash in lightbox_crashes()]
    assert crashes == [crash.processed for crash in lightbox_crashes()]
    assert len({crash["uuid"] for crash in crashes}) == CRASHES
    days = {crash["date_processed"][:10] for crash in crashes}
    assert (len(days), max(days)) == (DAYS, LAST_DAY.isoformat())
    assert len({crash["signature"] for crash in crashes}) > 10


def test_a_picture_keeps_its_pixels():
    png = small_png(RED + GREEN + GREEN + RED + RED + GREEN, 3, 2)
    assert size_of(png) == (3, 2)
    assert [colour_at(png, x, 0) for x in range(3)] == [(255, 0, 0), (0, 255, 0), (0, 255, 0)]
    assert [colour_at(png, x, 1) for x in range(3)] == [(255, 0, 0), (255, 0, 0), (0, 255, 0)]


def test_a_colour_after_the_256th_becomes_the_nearest_one():
    shades = b"".join(bytes((shade, 0, 0, 255)) * 2 for shade in range(256))
    png = small_png(shades + bytes((7, 1, 0, 255)), 513, 1)
    assert colour_at(png, 512, 0) == (7, 0, 0)
    assert colour_at(png, 511, 0) == (255, 0, 0)


def test_pixels_that_do_not_fill_the_picture_are_refused():
    with pytest.raises(ValueError, match="8 bytes are not 3 x 1 pixels"):
        small_png(RED + GREEN, 3, 1)


def colour_at(png: bytes, x: int, y: int) -> tuple[int, int, int]:
    """Return red, green and blue of a pixel of a PNG with a palette."""
    chunks = {}
    at = 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        name, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length]) == (zlib.crc32(name + data),)
        chunks[name] = data
        at += 12 + length
    width, _ = size_of(png)
    number = zlib.decompress(chunks[b"IDAT"])[y * (width + 1) + 1 + x]
    red, green, blue = chunks[b"PLTE"][3 * number : 3 * number + 3]
    return red, green, blue
