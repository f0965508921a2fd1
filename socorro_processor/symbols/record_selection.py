"""Which records of a symbol file answer for some addresses, and no others: one file's slice."""

from __future__ import annotations

from collections.abc import Callable

import numpy
from numpy.typing import NDArray

from socorro_processor.symbols.address_search import Addresses
from socorro_processor.symbols.index import SymbolIndex, Table
from socorro_processor.symbols.records import Integers, NotSliceable, identifiers

Read = Callable[[int, int], bytes]
"""Reads so many bytes of the file from a place on."""

STUB = b"INFO SLICE\n"
"""Symbols without any record."""
_GAP = 4096
"""Bytes between two records that are rather read than skipped."""


def slice_of(index: SymbolIndex, addresses: Addresses, read: Read, limit: int) -> bytes:
    """What a symbol file holds for these addresses (relative to its module, sorted), as a symbol file.

    Raises NotSliceable where that comes to more than ``limit`` bytes.
    """
    tables = index.tables
    functions, publics, cfi = tables["functions"], tables["publics"], tables["cfi"]
    covering, before, uncovered = _covering(functions, addresses)
    chosen = [
        (functions, covering, "length"),
        (functions, _without(before, covering), "header"),
        (publics, _publics_for(publics, functions, uncovered), "length"),
        (cfi, _covering(cfi, addresses)[0], "length"),
    ]
    at = numpy.concatenate([table["at"][rows] for table, rows, _ in chosen])
    length = numpy.concatenate([table[column][rows] for table, rows, column in chosen])
    if int(length.sum(dtype=numpy.int64)) > limit:
        raise NotSliceable("most of the file is needed")
    records = b"".join(_read_all(read, at, length))
    # The stackwalker insists on MODULE being first.
    parts = [index.module or STUB, index.url, records]
    for wins in (tables["win_frame_data"], tables["win_fpo"]):
        for row in _covering(wins, addresses)[0].tolist() if len(wins["start"]) else ():
            line = read(int(wins["length"][row]), int(wins["at"][row]))
            parts.append(_with_size(line, int(wins["size"][row])))
    # The last definition counts, and a block may hold an earlier one: these stand behind.
    for definitions, ids in zip((tables["files"], tables["origins"]), identifiers(records), strict=True):
        rows = _positions(definitions["id"], ids)
        parts += _read_all(read, definitions["at"][rows], definitions["length"][rows])
    return b"".join(parts)


def _covering(table: Table, addresses: Addresses) -> tuple[Integers, Integers, Addresses]:
    """The rows that cover an address; those before an address that none covers; the addresses that none covers."""
    start = table["start"]
    rows = numpy.searchsorted(start, addresses, "right") - 1
    if not len(start):
        return rows[:0], rows[:0], addresses
    # Where no row is before an address, the last one is looked at: its distance, counted round the end of all
    # addresses, is beyond its size.
    inside = (addresses - start[rows]) < table["size"][rows]
    outside = ~inside
    before = rows[outside]
    return _once(rows[inside]), _once(before[before >= 0]), addresses[outside]


def _publics_for(publics: Table, functions: Table, addresses: Addresses) -> Integers:
    """The PUBLIC before each of these addresses, but for those that end before it, at a FUNC."""
    rows = numpy.searchsorted(publics["start"], addresses, "right") - 1
    behind_one = rows >= 0
    rows, addresses = rows[behind_one], addresses[behind_one]
    if not len(rows):
        return rows
    before = numpy.searchsorted(functions["start"], addresses, "right") - 1
    reaches = before < 0
    reaches[~reaches] = publics["start"][rows[~reaches]] > functions["start"][before[~reaches]]
    return _once(rows[reaches])


def _once(rows: Integers) -> Integers:
    """Each of these sorted numbers once."""
    if not len(rows):
        return rows
    first: NDArray[numpy.bool_] = numpy.empty(len(rows), bool)
    first[0] = True
    numpy.not_equal(rows[1:], rows[:-1], out=first[1:])
    each: Integers = rows[first]
    return each


def _without(rows: Integers, others: Integers) -> Integers:
    """Those of the sorted ``rows`` that are not among the sorted ``others``."""
    if not len(rows) or not len(others):
        return rows
    places = numpy.minimum(numpy.searchsorted(others, rows), len(others) - 1)
    left: Integers = rows[others[places] != rows]
    return left


def _positions(table: Integers, wanted: Integers) -> Integers:
    """Where those of the ``wanted`` that are in the sorted ``table`` stand in it."""
    if not len(wanted) or not len(table):
        return wanted[:0]
    # Of one type with the table, else all of that would be converted.
    wanted = wanted[wanted <= numpy.iinfo(table.dtype).max].astype(table.dtype)
    rows = numpy.minimum(numpy.searchsorted(table, wanted), len(table) - 1)
    found: Integers = rows[table[rows] == wanted]
    return found


def _read_all(read: Read, places: Integers, lengths: Integers) -> list[bytes]:
    """The pieces of a file at these places, by place; what is close together is read at once."""
    if not len(places):
        return []
    order = numpy.argsort(places)
    begin = places[order].astype(numpy.int64)
    end = begin + lengths[order]
    # Pieces that adjoin are one.
    first = numpy.flatnonzero(numpy.concatenate([[True], begin[1:] != end[:-1]]))
    begin, end = begin[first], end[numpy.concatenate([first[1:] - 1, [len(end) - 1]])]
    reach = numpy.maximum.accumulate(end)
    apart = numpy.flatnonzero(begin[1:] - reach[:-1] > _GAP) + 1
    firsts = numpy.concatenate([[0], apart])
    behinds = numpy.concatenate([apart, [len(begin)]])
    starts, sizes = begin[firsts], reach[behinds - 1] - begin[firsts]
    start = numpy.repeat(starts, behinds - firsts)
    spans = list(zip((begin - start).tolist(), (end - start).tolist(), strict=True))
    pieces = []
    for at, size, number, behind in zip(*(each.tolist() for each in (starts, sizes, firsts, behinds)), strict=True):
        data = read(size, at)
        if len(data) != size:
            raise NotSliceable("the file is shorter than when it was indexed")
        if behind - number == 1:
            pieces.append(data)
        else:
            pieces += [data[begin:end] for begin, end in spans[number:behind]]
    return pieces


def _with_size(line: bytes, size: int) -> bytes:
    """A STACK WIN line, cut where the next one begins."""
    words = line.split(b" ", 5)
    words[4] = b"%x" % size
    return b" ".join(words)
