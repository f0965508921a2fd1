"""Where long names are broken: behind their signs, and with the text unchanged."""

from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.untrusted import plain
from socorro_processor.web.pages.line_breaks import breakable


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("std::map<int,T>::find(Key)", ["std::", "map&lt;", "int,", "T&gt;::", "find(", "Key)"]),
        ("memcpy | a::b", ["memcpy | a::", "b"]),
        ("f|g", ["f|", "g"]),
        ("a/b\\c", ["a/", "b\\", "c"]),
        ("libc.so.6@0x1", ["libc.so.6@", "0x1"]),
        ("<T>", ["&lt;T&gt;"]),
        ("a<<<<b", ["a&lt;&lt;&lt;&lt;", "b"]),
        ("::", ["::"]),
        ("a::", ["a::"]),
        ("", [""]),
    ],
)
def test_a_name_may_be_broken_behind_its_signs(text, parts):
    assert breakable(text).split("<wbr>") == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("draw_tile", ["draw_tile"]),
        ("EXCEPTION_ACCESS_VIOLATION_READ", ["EXCEPTION_", "ACCESS_", "VIOLATION_", "READ"]),
        ("a::draw_tile_of_the_canvas", ["a::", "draw_", "tile_", "of_", "the_", "canvas"]),
        ("org.example.lightbox.Import", ["org.", "example.", "lightbox.", "Import"]),
        ("x" * 100, ["x" * 40, "x" * 40, "x" * 20]),
    ],
)
def test_a_long_word_may_also_be_broken_elsewhere(text, parts):
    assert breakable(text).split("<wbr>") == parts


@given(st.text() | st.text('a:<|,_ \u202e&"'))
def test_without_the_breaks_it_is_the_escaped_text(text):
    broken = breakable(text)
    assert html.unescape(broken.replace("<wbr>", "")) == html.unescape(html.escape(plain(text)))
    assert "<" not in broken.replace("<wbr>", "")


def test_markup_is_no_markup():
    assert breakable("<script>window.x = 1</script>") == "&lt;script&gt;window.x = 1&lt;/<wbr>script&gt;"
