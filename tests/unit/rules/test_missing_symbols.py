"""The symbols that the stackwalker looked for and did not find."""

from __future__ import annotations

import pytest

from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.missing_symbols import MissingSymbolsRule

CRASH_ID = "00000000-0000-4000-8000-000000161123"
XUL = {"missing_symbols": True, "debug_file": "xul.pdb", "debug_id": "83CF", "filename": "xul.dll", "code_id": "5b8"}


def rows(json_dump: object, **processed: object) -> object:
    crash = Crash(id=CRASH_ID, raw={}, processed={"json_dump": json_dump, **processed})
    assert MissingSymbolsRule().act(crash) == (True, True)
    assert crash.notes == []
    return crash.processed["processing"]["missing_symbols"]


@pytest.mark.parametrize(
    ("difference", "row"),
    [
        ({}, ["xul.pdb", "83CF", "xul.dll", "5b8"]),
        ({"code_id": None}, ["xul.pdb", "83CF", "xul.dll", None]),
        ({"code_id": ""}, ["xul.pdb", "83CF", "xul.dll", ""]),
        ({"filename": None, "code_id": 5}, ["xul.pdb", "83CF", None, None]),
        ({"missing_symbols": False}, None),
        ({"missing_symbols": None}, None),
        ({"debug_file": ""}, None),
        ({"debug_file": None}, None),
        ({"debug_file": ["xul.pdb"]}, None),
        ({"debug_id": ""}, None),
        ({"debug_id": 5}, None),
    ],
)
def test_a_module_is_listed_where_its_symbols_were_missed_and_can_be_named(difference, row):
    assert rows({"modules": [XUL | difference]}) == ([row] if row else [])


def test_rows_are_in_the_order_of_the_modules():
    ntdll = XUL | {"debug_file": "ntdll.pdb"}

    assert [row[0] for row in rows({"modules": [XUL, None, "x", ntdll]})] == ["xul.pdb", "ntdll.pdb"]


@pytest.mark.parametrize("json_dump", [None, [], {}, {"modules": None}, {"modules": {"0": XUL}}])
def test_without_a_list_of_modules_nothing_is_listed_and_the_rule_fails(json_dump):
    crash = Crash(id=CRASH_ID, raw={}, processed={"json_dump": json_dump})

    assert MissingSymbolsRule().act(crash) == (True, False)
    assert crash.processed["processing"]["missing_symbols"] == []
    assert crash.notes == ["no missing symbols: there is no list of modules"]


def test_without_modules_nothing_was_missed():
    assert rows({"modules": []}) == []


def test_other_facts_about_the_processing_stay():
    crash = Crash(id=CRASH_ID, raw={}, processed={"processing": {"attempt": 1}})

    MissingSymbolsRule().act(crash)
    assert crash.processed == {"processing": {"attempt": 1, "missing_symbols": []}}
