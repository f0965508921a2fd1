"""Entries of signature lists that can match no frame."""

from __future__ import annotations

import json
import re

import pytest

from socorro_processor.signature.c_signature import CSignatureTool
from socorro_processor.signature.c_signature_2026 import CSignatureTool2026
from socorro_processor.signature.dead_entries import DeadEntry, dead_entries
from socorro_processor.signature.example_texts import example_texts
from socorro_processor.signature.siglists import Entry, PatternList, SigLists
from tests.shared import shared

NONE = PatternList(())
TOOLS = {2015: CSignatureTool(), 2026: CSignatureTool2026()}


def lists(**entries: str) -> SigLists:
    """Lists with one entry each; the names are those of ``SigLists``."""
    made = {name: [Entry(f"{name}.txt", 1, text)] for name, text in entries.items()}
    sentinels = tuple(made.pop("sentinels", ()))
    patterns = dict.fromkeys(("irrelevant", "prefix", "line_numbers", "trim_dll"), NONE)
    return SigLists(**patterns | {n: PatternList(each) for n, each in made.items()}, sentinels=sentinels, version="")


def dead(algorithm: int, **entries: str) -> list[DeadEntry]:
    return list(dead_entries(TOOLS[algorithm], lists(**entries)))


@pytest.mark.parametrize(
    ("entry", "text", "normal_form"),
    [
        ("yard::Cache<int>::put", "yard::Cache<int>::put", "yard::Cache<T>::put"),
        (r"yard::put\(int\)", "yard::put(int)", "yard::put"),
        (r"void yard::put\b", "void yard::put", "yard::put"),
        (r"yard::put.*\[clone ", "yard::puta[clone ", "yard::puta"),
        (r"yard::put::h[0-9a-f]{16}$", "yard::put::haaaaaaaaaaaaaaaa", "yard::put"),
        (r"yard::\$_[0-9]+::", "yard::$_1::", "yard::{lambda}"),
        (r"(yard|gate)::put\(", "yard::put(", "yard::put"),
        (r"closure #1 in Yard\.open", "closure #1 in Yard.open", "closure in Yard.open"),
        (r"\[vdso\]@", "[vdso]@", "vdso"),
        (r"libyard\.so \(deleted\)@0x", "libyard.so (deleted)@0x", "libyard.so@0x"),
        (r"main\.\(\*List\[int\]\)", "main.(*List[int])", "main.(*List[...])"),
    ],
)
def test_an_entry_that_holds_what_the_normal_form_takes_away_is_dead(entry, text, normal_form):
    for name in ("irrelevant", "prefix", "trim_dll", "line_numbers"):
        (found,) = dead(2026, **{name: entry})
        assert found.entry.text == entry
        assert re.match(entry, found.text)
        assert not re.match(entry, found.normal_form)
        assert found.text.startswith(text[:8])
        assert found.normal_form.startswith(normal_form[:6])


@pytest.mark.parametrize(
    "entry",
    [
        "free$",
        r"yard::\(anonymous namespace\)::",
        r"yard::\(anon",
        r"yard::Cache<T>::",
        r"yard::Cache<",
        r"<.* as core::fmt::Debug>::",
        r"core::slice::<impl ",
        r"operator (new|delete)(\[\])?$",
        r"operator\(\)$",
        r"(closure in )+Yard",
        r"main\.\(\*List\[\.\.\.\]\)",
        r"-\[Yard open:\]",
        r"_ZN4yard3putEi$",
        r"yard\.c#12$",
        r"libyard\.so\.6@",
        r"libyard\.so\.6$",
        r"\(unloaded yard\.dll@0x1f\)",
        r"\(unloaded yard\.dll\)",
        r"@0x[1-9a-f]",
        r"kfun:org\.yard\.Gate#open$",
        r"(?!yard)gate(?=::)",
        r"(?P<a>a)(?P=a)b",
        r"(?i)YARD",
    ],
)
def test_an_entry_that_a_normal_form_can_match_is_not_dead(entry):
    for name in ("irrelevant", "prefix", "trim_dll", "line_numbers"):
        assert dead(2026, **{name: entry}) == []


@pytest.mark.parametrize(
    ("algorithm", "sentinel", "is_dead"),
    [
        (2015, "std::terminate()", False),
        (2026, "std::terminate()", True),
        (2026, "std::terminate", False),
        (2015, "yard::Cache<int>::put", True),
        (2015, "yard::put(int,char)", True),
        (2015, "yard::put(int, char)", False),
        (2026, "yard.so@0x1", False),
        (2026, "yard.so@0x01", True),
        (2026, "yard::interpret:12", False),
    ],
)
def test_a_sentinel_is_compared_as_a_whole_with_the_names_of_its_algorithm(algorithm, sentinel, is_dead):
    assert bool(dead(algorithm, sentinels=sentinel)) == is_dead


def test_a_function_with_a_line_has_no_name_without_it():
    (found,) = dead(2026, prefix="yard::interpret$", line_numbers="yard::interpret$")
    assert (found.entry.file, found.normal_form) == ("prefix.txt", "yard::interpret:None")
    assert dead(2026, prefix="yard::interpret:", line_numbers="yard::interpret$") == []


def test_it_is_said_of_an_entry_why_it_is_dead():
    (found,) = dead(2026, prefix="yard::Cache<int>::put")
    assert str(found) == (
        "prefix.txt, line 1: 'yard::Cache<int>::put' matches no frame: in the normal form, yard::Cache<int>::put "
        "becomes yard::Cache<T>::put"
    )


@pytest.mark.parametrize("algorithm", TOOLS)
def test_no_entry_of_the_projects_own_lists_is_dead(algorithm):
    tool = TOOLS[algorithm]
    assert [str(entry) for entry in dead_entries(tool, tool.lists.current)] == []


def test_no_entry_for_a_name_of_the_cases_is_dead():
    cases = json.loads((shared("golden/today") / "frames.json").read_text())
    names = {case["expected"]["normalized"] for case in cases} - {""}
    for name in names:
        for entry in (f"{re.escape(name)}$", re.escape(name)):
            assert dead(2026, prefix=entry) == []
        assert dead(2026, sentinels=name) == []


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("a|b(c|d)", ["a", "bc", "bd"]),
        ("x?y+", ["y", "xy"]),
        ("z{3}$", ["zzz"]),
        (r"\w[^a\w]", ["a:", "a.", "T:", "T."]),
        (r"a(?=b)", []),
        (r"(?>a)(?:b)*+", ["a", "ab"]),
    ],
)
def test_examples_try_the_branches_of_an_expression(pattern, texts):
    assert example_texts(pattern) == texts


@pytest.mark.parametrize(
    "pattern", ["(" * 50 + "a" + ")?" * 50, "((((a|b)|c)*)*)*" * 9, "[a-z]{9999999}", "(a|b)" * 99]
)
def test_an_expression_may_have_any_number_of_branches(pattern):
    assert len(example_texts(pattern)) <= 64
