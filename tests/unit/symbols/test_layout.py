"""The path of a module's symbol file."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.symbol_path import MAXIMUM_NAME, symbol_path

ID = "83CF4DC03621B778E931FC713889E8F1a"


@pytest.mark.parametrize(
    ("debug_file", "path"),
    [
        ("xul.pdb", f"xul.pdb/{ID}/xul.sym"),
        ("XUL.PDB", f"XUL.PDB/{ID}/XUL.sym"),
        ("libxul.so", f"libxul.so/{ID}/libxul.so.sym"),
        ("XUL", f"XUL/{ID}/XUL.sym"),
        ("/usr/lib/libc.so.6", f"libc.so.6/{ID}/libc.so.6.sym"),
        (r"c:\build\my app.pdb", f"my app.pdb/{ID}/my app.sym"),
        (r"..\..\x", f"x/{ID}/x.sym"),
        ("é" * 125, f"{'é' * 125}/{ID}/{'é' * 125}.sym"),
        ("全角\u3000空白\xa0\u200ex.so", f"全角\u3000空白\xa0\u200ex.so/{ID}/全角\u3000空白\xa0\u200ex.so.sym"),
    ],
)
def test_a_symbol_file_lies_below_the_name_and_id_of_its_module(debug_file, path):
    assert symbol_path(debug_file, ID) == path


def test_an_id_may_be_that_of_an_old_pdb():
    assert symbol_path("a.pdb", "3FBA8B1E1a") == "a.pdb/3FBA8B1E1a/a.sym"


@pytest.mark.parametrize("debug_id", ["", "..", "../" + ID, ID + "/..", ID + "\n", ID * 2, "٣" * 33, "12345678"])
def test_an_invalid_debug_id_is_refused(debug_id):
    with pytest.raises(ValueError, match="not a debug id"):
        symbol_path("xul.pdb", debug_id)


@pytest.mark.parametrize(
    "debug_file", ["", ".", "..", "a/", "a\\..", "/", "a\0b", "a\nb", "\x1b[31m", "a\x85", "\ud800"]
)
def test_an_invalid_file_name_is_refused(debug_file):
    with pytest.raises(ValueError, match="not the name of a debug file"):
        symbol_path(debug_file, ID)


@pytest.mark.parametrize("debug_file", ["x" * 252, "é" * 127, "x" * 4000])
def test_a_name_that_no_file_system_takes_is_refused(debug_file):
    with pytest.raises(ValueError, match="too long") as raised:
        symbol_path(debug_file, ID)
    assert len(str(raised.value)) < 200


@given(st.text(), st.text() | st.just(ID))
def test_no_path_leaves_the_store(debug_file, debug_id):
    try:
        path = symbol_path(debug_file, debug_id)
    except ValueError:
        return
    parts = path.split("/")
    assert os.path.normpath(path) == path
    assert len(parts) == 3
    assert all(len(os.fsencode(part)) <= MAXIMUM_NAME for part in parts)
