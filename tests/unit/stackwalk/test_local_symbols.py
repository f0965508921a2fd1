"""The local store of symbols accepts or refuses files, whoever offers them."""

from __future__ import annotations

from pathlib import Path

import pytest

from socorro_processor.stackwalk.local_symbols import ADDED, REFUSED, REPLACED, THERE, LocalSymbols
from socorro_processor.stackwalk.new_symbols import SymbolFileMaker, find_symbols
from tests.shared import stackwalker

DEBUG_ID = "0123456789ABCDEF0123456789ABCDEF0"
MODULE = f"MODULE Linux x86_64 {DEBUG_ID} app\n"
BARE, FULL = "PUBLIC 1000 0 <unknown in app>\n", "FUNC 1000 10 0 main\n"


@pytest.fixture
def offer(tmp_path):
    symbols = LocalSymbols(tmp_path / "store", SymbolFileMaker(str(stackwalker())))

    def offer(content: str):
        (file := tmp_path / "offered.sym").write_text(content)
        (found,) = find_symbols([str(file)])
        return symbols.add(found)

    return offer


def test_a_symbol_file_with_functions_replaces_one_without(offer, tmp_path):
    file = tmp_path / "store" / "app" / DEBUG_ID / "app.sym"
    assert offer(MODULE + BARE).result == ADDED
    assert offer(MODULE + FULL).result == REPLACED
    assert offer(MODULE + BARE).result == THERE
    assert file.read_text() == MODULE + FULL


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (MODULE + "FUNC what is this\n", "it is corrupt: the stackwalker rejects a line of it"),
        (MODULE + FULL.strip(), "its last line was cut off"),
        (FULL, "it does not begin with a MODULE line"),
        (f"MODULE Linux x86_64 {'0' * 33} app\n{FULL}", "it has no debug id, so no dump can ask for it"),
        (f"MODULE Linux x86_64 {DEBUG_ID} ..\n{FULL}", ""),
    ],
)
def test_a_symbol_file_that_no_walk_could_use_is_refused_and_stored_nowhere(offer, tmp_path, content, reason):
    refused = offer(content)
    assert (refused.result, refused.wanted) == (REFUSED, None)
    assert refused.reason.startswith(reason)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "offered.sym"]


def test_a_symbol_file_leads_to_no_place_outside_the_store(offer, tmp_path):
    assert offer(f"MODULE Linux x86_64 {DEBUG_ID} ../../app\n{FULL}").result == ADDED
    assert (tmp_path / "store" / "app" / DEBUG_ID / "app.sym").is_file()


def test_a_stackwalker_that_cannot_check_a_symbol_file_is_noted(tmp_path):
    (file := tmp_path / "offered.sym").write_text(MODULE + FULL)
    notes: list[str] = []
    (found,) = find_symbols([str(file)])
    with SymbolFileMaker(str(Path(tmp_path, "no stackwalker")), notes.append).symbol_file(found) as made:
        assert made.file == file
    assert len(notes) == 1
    assert "was not tried with the stackwalker" in notes[0]
