"""An index has the symbol files that the stack that crashed lacks."""

from __future__ import annotations

from typing import Any

import pytest

from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.indexed_crash import BETWEEN, Indexer
from socorro_processor.crashstorage.missed_in_stack import missed_in_stack
from socorro_processor.fields import FieldTable
from socorro_processor.fields.searchable import searchable_fields

ID = "83CF4DC03621B778E931FC713889E8F10"
OTHER_ID = "93CF4DC03621B778E931FC713889E8F10"


def crash_of(rows: Any, modules_in_stack: Any) -> dict[str, Any]:
    return {"processing": {"missing_symbols": rows}, "modules_in_stack": modules_in_stack}


@pytest.mark.parametrize(
    ("rows", "modules", "missed"),
    [
        ([["xul.pdb", ID, "xul.dll", None]], f"xul.dll/{ID}", [f"xul.pdb/{ID}"]),
        ([["xul.pdb", ID, "xul.dll", None]], f"xul.dll/{OTHER_ID}", []),
        ([["xul.pdb", ID.lower(), "xul.dll", None]], f"a.dll/{OTHER_ID};xul.dll/{ID}", [f"xul.pdb/{ID.lower()}"]),
        ([["/usr/lib/libapp.so", ID, None, None]], f"libapp.so/{ID}", [f"libapp.so/{ID}"]),
        ([["font", "0" * 33, None, None]], f"font/{'0' * 33}", []),
        ([["..", ID, None, None], ["a\x00b", ID, None, None]], f"a/{ID}", []),
        ([["short", ID]], f"short/{ID}", []),
        ([[1, 2, 3, 4], "text", None], f"x/{ID}", []),
        ("no list", f"x/{ID}", []),
        ([["xul.pdb", ID, "xul.dll", None]], None, []),
        ([["xul.pdb", ID, "xul.dll", None]], [f"xul.dll/{ID}"], []),
    ],
)
def test_a_file_counts_if_a_module_with_its_id_is_on_the_stack(rows, modules, missed):
    assert missed_in_stack(crash_of(rows, modules)) == missed


def test_the_index_keeps_each_file_once_as_an_item():
    rows = [["b.so", OTHER_ID, None, None], ["a.so", ID, None, None], ["a.so", ID, None, None]]
    crash = {"uuid": new_crash_id(), **crash_of(rows, f"a.so/{ID};b.so/{OTHER_ID}")}
    indexed = Indexer(searchable_fields(FieldTable())).of(crash)
    assert indexed.values["missing_symbols"] == f"{BETWEEN}b.so/{OTHER_ID}{BETWEEN}a.so/{ID}{BETWEEN}"


def test_a_crash_that_misses_nothing_has_no_value():
    crash = {"uuid": new_crash_id(), **crash_of([], f"a.so/{ID}")}
    assert "missing_symbols" not in Indexer(searchable_fields(FieldTable())).of(crash).values
