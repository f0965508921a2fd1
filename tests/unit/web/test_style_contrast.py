"""The colours of the style sheet, light and dark: texts and edges can be seen by WCAG 2.2, level AA."""

from __future__ import annotations

import re

import pytest

from socorro_processor.web.pages.rendering import static_file

TEXT = 4.5
"""Contrast of text; 1.4.3."""
SHAPE = 3.0
"""Contrast of what is no text: the edge of a field, the ring of the focus, a bar of a chart; 1.4.11."""
GROUNDS = ("page", "card")
PAIRS = [
    *((text, ground, TEXT) for text in ("text", "quiet", "accent", "bad", "doubt", "good") for ground in GROUNDS),
    *((text, "faint-line", TEXT) for text in ("text", "quiet")),
    *((text, "accent-wash", TEXT) for text in ("text", "quiet", "accent", "doubt")),
    *((text, f"{text}-wash", TEXT) for text in ("bad", "doubt")),
    *(("text", f"{wash}-wash", TEXT) for wash in ("bad", "doubt")),
    ("bar-text", "bar", TEXT),
    *((edge, ground, SHAPE) for edge in ("edge", "accent") for ground in GROUNDS),
    *((f"s{number}", "card", SHAPE) for number in range(6)),
]


def colours_of(scheme: str) -> dict[str, str]:
    """Return the variables of a scheme: dark has those of light, but for the ones that it sets."""
    light, dark = re.findall(r":root \{(.*?)\}", static_file("style.css").decode(), re.DOTALL)
    parts = [light] if scheme == "light" else [light, dark]
    return {name: value for part in parts for name, value in re.findall(r"--([\w-]+): (#[0-9a-f]{6});", part)}


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_contrast_of_black_and_white_is_21_and_of_a_colour_with_itself_1():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#1f5fbf", "#1f5fbf") == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_colour_can_be_seen_on_its_ground(scheme):
    colours = colours_of(scheme)
    found = {(ink, ground): contrast(colours[ink], colours[ground]) for ink, ground, _ in PAIRS}
    assert {
        f"{ink} on {ground}": found[ink, ground] for ink, ground, least in PAIRS if found[ink, ground] < least
    } == {}
