"""The lists of siglists/2026: each entry fits the example beside it, and costs little."""

from __future__ import annotations

import re
import time
from re import _constants as opcodes  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import pytest

from socorro_processor.signature.siglists import FILES, SENTINELS, SigLists, default_directory, mistakes_in

LISTS = default_directory() / "2026"
ENTRY = re.compile(r"(?P<entry>[^#\s](?:.*?\S)?) +# (?P<example>.+)")
LONG = 100_000
"""Characters of a hostile frame."""


def lines(name: str) -> list[tuple[int, str]]:
    """Return the lines of a list that are entries, with their numbers."""
    text = (LISTS / name).read_text().splitlines()
    return [(number, line) for number, line in enumerate(text, 1) if line and not line.startswith("#")]


ENTRIES = [(name, number, line) for name in FILES if name != SENTINELS for number, line in lines(name)]


def parts(name: str, number: int, line: str) -> tuple[str, str]:
    matched = ENTRY.fullmatch(line)
    assert matched, f"{name}, line {number}: no example beside the entry"
    return matched["entry"], matched["example"]


def repeats_within_repeats(pattern: Any, within: bool = False) -> bool:
    """Return True if the parsed expression can divide one text in many ways among its repetitions."""
    for operation, argument in pattern:
        repeats = operation in (opcodes.MAX_REPEAT, opcodes.MIN_REPEAT) and argument[1] > 1
        if repeats and within:
            return True
        if any(repeats_within_repeats(each, within or repeats) for each in subpatterns(argument)):
            return True
    return False


def subpatterns(argument: Any) -> list[Any]:
    if isinstance(argument, _parser.SubPattern):
        return [argument]
    if isinstance(argument, list | tuple):
        return [found for each in argument for found in subpatterns(each)]
    return []


def test_the_lists_have_no_mistakes() -> None:
    assert mistakes_in(LISTS) == []


def test_the_lists_of_2026_are_all_five_and_nothing_else() -> None:
    assert sorted(path.name for path in LISTS.iterdir()) == sorted(FILES)


@pytest.mark.parametrize(("name", "number", "line"), ENTRIES, ids=lambda each: str(each))
def test_an_entry_fits_the_example_beside_it(name: str, number: int, line: str) -> None:
    entry, example = parts(name, number, line)
    assert re.match(entry, example)


@pytest.mark.parametrize(("name", "number", "line"), ENTRIES, ids=lambda each: str(each))
def test_no_entry_nests_repetitions(name: str, number: int, line: str) -> None:
    entry, _ = parts(name, number, line)
    assert not repeats_within_repeats(_parser.parse(entry))


@pytest.mark.parametrize("nested", [r"(\w+_)*x", r"(?:a*b?)+", r"((ab)+|c)*", r"(a{2,5})+"])
def test_nested_repetitions_are_found(nested: str) -> None:
    assert repeats_within_repeats(_parser.parse(nested))


@pytest.mark.parametrize("name", [name for name in FILES if name != SENTINELS])
def test_a_long_frame_costs_little_whatever_it_is_made_of(name: str) -> None:
    """An expression with quadratic cost would take minutes for one of these."""
    began = time.thread_time()
    for number, line in lines(name):
        entry, example = parts(name, number, line)
        expression = re.compile(entry)
        words = [example, *re.findall(r"\w+|\W+", example), "_", "a", "::", "<T>"]
        for word in words:
            expression.match(example[:-1] + word * (LONG // len(word)) + "\0")
            expression.match(word * (LONG // len(word)) + "\0")
    assert time.thread_time() - began < 20


def test_no_two_entries_of_a_list_are_the_same() -> None:
    for name in FILES:
        entries = [line if name == SENTINELS else parts(name, number, line)[0] for number, line in lines(name)]
        assert len(entries) == len(set(entries)), name


def test_a_sentinel_is_kept_as_irrelevant_or_prefix() -> None:
    """A sentinel on neither list would end the signature, without any word about the path to it."""
    lists = SigLists.load(LISTS)
    ends = [
        sentinel.text
        for sentinel in lists.sentinels
        if not lists.irrelevant.matches(sentinel.text) and not lists.prefix.matches(sentinel.text)
    ]
    assert ends == []


def test_an_entry_is_a_line_of_ascii() -> None:
    for name in FILES:
        (LISTS / name).read_bytes().decode("ascii")


@pytest.mark.parametrize(
    "frame",
    [
        "ferry::give_up",
        "main",
        "memory_pool::memcopy",
        "strlength",
        "abort_transaction",
        "freetype_init",
        "<crane::Yard as core::fmt::Debug>::fmt",
        "barge::Barge::sum::{{closure}}",
        "main.(*lock).measure",
        "Orchard.TreeView.viewDidLoad",
        "-[OrchardTree pruneBranch:atHeight:]",
        "tide::Pump::start::{lambda}::operator()",
        "operator_table",
        "crashy@0x2f8a",
        "standard::Library::open",
        "select_photo",
        "Java_org_harbor_Crane_lift",
        "kfun:org.orchard.TreeModel#<init>",
    ],
)
def test_a_programs_own_function_ends_a_signature(frame: str) -> None:
    lists = SigLists.load(LISTS)
    assert not lists.irrelevant.matches(frame)
    assert not lists.prefix.matches(frame)
    assert not lists.trim_dll.matches(frame)
