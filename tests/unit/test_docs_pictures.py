"""The pictures of the docs: each is drawn from its current source, and shown with a text beside it."""

import re
import runpy

import pytest

from tests.shared import REPOSITORY

PICTURES = REPOSITORY / "docs" / "pictures"
SOURCES = sorted(PICTURES.glob("*.dot"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_a_picture_is_drawn_from_its_current_source(source):
    mark = runpy.run_path(str(PICTURES / "render.py"))["mark"](source)
    assert mark in source.with_suffix(".svg").read_text(), "make pictures"


@pytest.mark.parametrize("picture", sorted(PICTURES.glob("*.svg")), ids=lambda picture: picture.stem)
def test_a_picture_has_a_source_and_is_on_a_page_that_says_the_same_in_words(picture):
    assert picture.with_suffix(".dot") in SOURCES
    pages = "".join(page.read_text() for page in (REPOSITORY / "docs").glob("*.rst"))
    assert re.search(rf"^\.\. image:: pictures/{picture.name}\n   :alt: .{{40}}", pages, re.MULTILINE)
