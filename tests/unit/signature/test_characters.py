"""Signatures without invisible characters that have an effect."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.signature.characters import has_control_characters, without_control_characters


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a\nb", "a b"),
        ("a \r\n\t b", "a b"),
        ("a\0b\x1b[31mc\u202ed", "a b [31mc d"),
        ("a\u2028b\u200dc\xadd\ud800e\x85f", "a b c d e f"),
        ("\n a \n", "a"),
        ("a  b  c", "a  b  c"),
        (" a\xa0\u3000é😀 ", " a\xa0\u3000é😀 "),
        ("\n", ""),
    ],
)
def test_one_space_stands_for_a_run_of_them(text: str, plain: str) -> None:
    assert without_control_characters(text) == plain
    assert has_control_characters(text) is (text != plain)


@given(st.text(alphabet=st.characters()))
def test_no_such_character_is_left_and_no_other_is_lost(text: str) -> None:
    plain = without_control_characters(text)
    assert not has_control_characters(plain)
    categories = ("Cc", "Cf", "Cs", "Zl", "Zp")
    kept = [c for c in text if unicodedata.category(c) not in categories and not c.isspace()]
    assert [c for c in plain if not c.isspace()] == kept
