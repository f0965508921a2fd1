"""The index of a symbol file: built in pieces, kept, refused where it does not fit."""

import os
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.symbols.index import FileState, SymbolIndex, UnusableIndex
from socorro_processor.symbols.index_building import build
from socorro_processor.symbols.index_store import IndexStore, SymbolFile

SYMBOLS = b"""MODULE Linux x86_64 0403020106050807090A0B0C0D0E0F100 a
INFO URL https://symbols.example/a
FILE 0 a.c
FILE 1 b.c
FILE 0 c.c
INLINE_ORIGIN 3 inlined
FUNC 10 8 0 first
10 8 1 0
FUNC m 20 8 0 second
INLINE 0 1 1 3 20 4
INLINE_ORIGIN 3 again
20 8 2 1
PUBLIC 40 0 b
PUBLIC 40 0 c
PUBLIC 40 0 a
STACK CFI INIT 10 8 .cfa: $rsp 8 + .ra: .cfa -8 + ^
STACK CFI 12 .cfa: $rsp 16 +
STACK WIN 4 10 8 0 0 0 0 0 0 1 program
STACK WIN 4 14 4 0 0 0 0 0 0 1 program
STACK WIN 0 10 8 0 0 0 0 0 0 0 1
"""
VERSION = "0.25.0"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.sym"
    path.write_bytes(SYMBOLS)
    return path


def lines(index, table):
    """What the rows of a table stand for in the file."""
    rows = zip(index.tables[table]["at"].tolist(), index.tables[table]["length"].tolist(), strict=True)
    return [SYMBOLS[at : at + length] for at, length in rows]


def same(one, other):
    assert one.tables.keys() == other.tables.keys()
    for name, table in one.tables.items():
        for column, values in table.items():
            assert values.tolist() == other.tables[name][column].tolist(), (name, column)
    assert (one.module, one.url, one.unsliceable, one.corrupt) == (
        other.module,
        other.url,
        other.unsliceable,
        other.corrupt,
    )


def test_records_are_found_with_all_that_belongs_to_them(file):
    index = build(file, VERSION)
    assert lines(index, "functions") == [
        b"FUNC 10 8 0 first\n10 8 1 0\n",
        b"FUNC m 20 8 0 second\nINLINE 0 1 1 3 20 4\nINLINE_ORIGIN 3 again\n20 8 2 1\n",
    ]
    assert lines(index, "publics") == [b"PUBLIC 40 0 c\n"]
    assert lines(index, "files") == [b"FILE 0 c.c\n", b"FILE 1 b.c\n"]
    assert lines(index, "origins") == [b"INLINE_ORIGIN 3 again\n"]
    assert lines(index, "cfi")[0].count(b"\n") == 2
    assert index.tables["win_frame_data"]["size"].tolist() == [4, 4]
    assert index.url == b"INFO URL https://symbols.example/a\n"


@pytest.mark.parametrize("chunk", [80, 100, 133, 200, 600])
def test_in_whatever_pieces_a_file_is_read_the_index_is_the_same(file, chunk):
    same(build(file, VERSION, chunk=chunk), build(file, VERSION))


def test_an_index_is_kept_for_one_state_of_one_file_and_one_stackwalker(file, tmp_path):
    index = build(file, VERSION)
    path = tmp_path / "indexes" / "a"
    index.save(path)
    same(SymbolIndex.load(path, index.file, VERSION), index)
    with pytest.raises(UnusableIndex, match="outdated"):
        SymbolIndex.load(path, index.file, "0.27.0")
    os.utime(file, ns=(1, 1))
    with pytest.raises(UnusableIndex, match="outdated"):
        SymbolIndex.load(path, FileState.of(file.stat()), VERSION)
    assert [each.name for each in path.parent.iterdir()] == ["a"]


@given(st.integers(0, 10**9), st.sampled_from(["flip", "cut", "empty"]))
def test_a_damaged_index_is_refused(tmp_path_factory, place, damage):
    directory = tmp_path_factory.mktemp("index")
    (directory / "a.sym").write_bytes(SYMBOLS)
    index = build(directory / "a.sym", VERSION)
    path = directory / "a"
    index.save(path)
    data = bytearray(path.read_bytes())
    place %= len(data)
    if damage == "flip":
        data[place] ^= 1 + place % 255
    else:
        data = data[:place] if damage == "cut" else bytearray()
    path.write_bytes(data)
    with pytest.raises(UnusableIndex):
        SymbolIndex.load(path, index.file, VERSION)


@pytest.mark.parametrize(
    "line",
    [
        b"PUBLIC 1 0 " + b"x" * 75_001,
        b"FUNC  10 8 0 two spaces",
        b"FUNC 10\t8 0 tab",
        b"STACK CFI INIT 10  8 x",
        b"WHAT 1",
    ],
)
def test_a_file_that_is_not_understood_says_that_it_is_used_in_full(tmp_path, line):
    (tmp_path / "a.sym").write_bytes(SYMBOLS + line + b"\n")
    assert build(tmp_path / "a.sym", VERSION).unsliceable


def test_whatever_is_in_a_file_there_is_an_index(tmp_path):
    path = tmp_path / "a.sym"
    for seed in range(200):
        random = Random(seed)
        data = bytearray(SYMBOLS)
        for _ in range(random.randrange(1, 8)):
            data[random.randrange(len(data))] = random.choice(b"\0 \n\r\tFPSIM0fx\xff")
        path.write_bytes(data)
        assert build(path, VERSION, chunk=random.choice((150, 1000))).file.size == len(data)


def test_indexes_in_memory_are_few_and_forgotten_with_their_files(file, tmp_path):
    indexes = IndexStore(str(tmp_path / "indexes"), memory=1)
    symbol_file = SymbolFile(tmp_path, "a.sym")
    index = build(file, VERSION)
    index.save(indexes.path(symbol_file))
    kept = indexes.get(symbol_file, index.file, VERSION)
    indexes.path(symbol_file).unlink()
    assert indexes.get(symbol_file, index.file, VERSION) is kept
    with pytest.raises(UnusableIndex):
        indexes.get(symbol_file, FileState(1, 2, 3), VERSION)
    with pytest.raises(UnusableIndex):
        indexes.get(symbol_file, index.file, VERSION)
