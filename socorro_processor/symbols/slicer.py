"""Slices: of each symbol file only what one dump can need, so that the stackwalker need not read the rest.

A stackwalker looks up only addresses that are in the dump (``minidump.candidates``). For each of them a
slice holds what the whole file would answer with: the FUNC that covers it, with its lines and inlined
calls; or else the PUBLIC before it, and the FUNC that a PUBLIC does not reach beyond; the STACK CFI and
STACK WIN that cover it; the FILE and INLINE_ORIGIN that those FUNC name. So the answers are the same.

A symbol file without an index, or one that is not understood, is linked in whole.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy

from socorro_processor.errors import SocorroError
from socorro_processor.symbols.index import FileState, SymbolIndex, Table, UnusableIndex
from socorro_processor.symbols.index_store import IndexStore, SymbolFile
from socorro_processor.symbols.minidump import Addresses, Minidump, Module
from socorro_processor.symbols.records import Integers, NotSliceable, identifiers

MAXIMUM_SLICES = 256 << 20
"""Bytes of all slices of a dump; the symbol files beyond are linked in whole."""
_GAP = 4096
"""Bytes between two records that are rather read than skipped."""
_STUB = b"INFO SLICE\n"
"""Symbols without any record."""
_CORRUPT = b"corrupt\n"
"""The stackwalker takes nothing of this file."""


class CannotSlice(SocorroError):
    """The stores are not as they are expected to be: the full files have to be used."""


@dataclass
class Slices:
    """The slices of one dump."""

    directory: Path
    """A store of symbols for the stackwalker, instead of all others."""
    candidates: Addresses
    sliced: int = 0
    """Files of which there is a slice."""
    whole: int = 0
    """Files that are linked in whole."""
    size: int = 0
    """Bytes of all slices."""
    without_index: list[SymbolFile] = field(default_factory=list)

    def hold_all_of(self, json_dump: Mapping[str, Any]) -> bool:
        """Whether the address of every frame in a stackwalker's JSON was a candidate.

        Else the walk may have asked for something that was not in the slices.
        """
        try:
            offsets = [
                int(frame["offset"], 16)
                for thread in json_dump.get("threads") or ()
                for frame in thread.get("frames") or ()
                if frame.get("module")
            ]
            asked = numpy.array(offsets, numpy.uint64)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
            return False
        places = numpy.searchsorted(self.candidates, asked)
        found = numpy.concatenate([self.candidates, numpy.zeros(1, numpy.uint64)])[places]
        return bool((found == asked).all())


class Slicer:
    """Slices the symbol files of some stores. May be used by several threads at once."""

    def __init__(self, stores: Sequence[str], indexes: IndexStore, stackwalker: str) -> None:
        """``stores`` are searched in this order, as the stackwalker does, of the version ``stackwalker``."""
        self._stores = [Path(store).absolute() for store in stores]
        self._indexes = indexes
        self._stackwalker = stackwalker

    def slice(self, minidump: Minidump, directory: Path) -> Slices:
        """Write the slices for a dump into an empty directory.

        Raises CannotSlice, NotUnderstood (of the dump), OSError (of the directory).
        """
        if any(store.is_file() for store in self._stores):
            raise CannotSlice("a symbol file in place of a directory of symbols")
        slices = Slices(directory, minidump.candidates())
        stub = directory / "stub"
        stub.write_bytes(_STUB)
        for relative, modules in _by_symbol_file(minidump.modules).items():
            file = self._find(relative)
            if file is None:
                continue
            target = directory / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            addresses = _addresses_within(modules, slices.candidates)
            if not len(addresses):
                target.hardlink_to(stub)
                continue
            parts = self._parts(file, addresses, slices)
            if parts is None:
                target.symlink_to(file.path)
                slices.whole += 1
            else:
                with target.open("wb", buffering=0) as out:
                    out.write(b"".join(parts))
                slices.sliced += 1
                slices.size += sum(map(len, parts))
        return slices

    def _find(self, relative: str) -> SymbolFile | None:
        for store in self._stores:
            try:
                if stat.S_ISREG(os.stat(f"{store}/{relative}").st_mode):  # noqa: PTH116 - a Path costs more than the call
                    return SymbolFile(store, relative)
            except (OSError, ValueError):
                continue
        return None

    def _parts(self, file: SymbolFile, addresses: Addresses, slices: Slices) -> list[bytes] | None:
        """The slice of a file; None where it has to be used whole."""
        try:
            # Also where nothing is read: who watches the cache sees that the file is in use.
            descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            state = FileState.of(os.fstat(descriptor))
            index = self._indexes.get(file, state, self._stackwalker)
            if index.unsliceable:
                return None
            if index.corrupt:
                return [_CORRUPT]
            limit = min(state.size // 2 + 4096, MAXIMUM_SLICES - slices.size)
            parts = slice_of(index, addresses, lambda size, at: os.pread(descriptor, size, at), limit)
            return parts if FileState.of(os.fstat(descriptor)) == state else None
        except UnusableIndex:
            slices.without_index.append(file)
            return None
        except (NotSliceable, OSError):
            return None
        finally:
            os.close(descriptor)


def slice_of(
    index: SymbolIndex, addresses: Addresses, read: Callable[[int, int], bytes], limit: int = MAXIMUM_SLICES
) -> list[bytes]:
    """What a symbol file holds for these addresses (relative to its module, sorted), as lines of a symbol file.

    ``read`` reads so many bytes of the file from a place on. Raises NotSliceable where that comes to more
    than ``limit`` bytes.
    """
    tables = index.tables
    functions = tables["functions"]
    covering, before, uncovered = _covering(functions, addresses)
    boundaries = numpy.setdiff1d(before, covering, assume_unique=True)
    publics = _publics_for(tables["publics"], functions, uncovered)
    chosen = [
        (tables["publics"], publics, "length"),
        (functions, boundaries, "header"),
        (functions, covering, "length"),
        (tables["cfi"], _covering(tables["cfi"], addresses)[0], "length"),
    ]
    wins = [(tables[name], _covering(tables[name], addresses)[0]) for name in ("win_frame_data", "win_fpo")]
    size = sum(int(table[column][rows].sum(dtype=numpy.int64)) for table, rows, column in chosen)
    if size > limit:
        raise NotSliceable("most of the file is needed")
    read_parts = [_read_all(read, table["at"][rows], table[column][rows]) for table, rows, column in chosen]
    # The stackwalker insists on MODULE being first.
    parts = [index.module or _STUB, index.url]
    for each in read_parts:
        parts += each
    for table, rows in wins:
        lines = _read_all(read, table["at"][rows], table["length"][rows])
        parts += [_with_size(line, size) for line, size in zip(lines, table["size"][rows].tolist(), strict=True)]
    # The last definition counts, and a block may hold an earlier one: these stand behind.
    for table, ids in zip((tables["files"], tables["origins"]), identifiers(b"".join(read_parts[2])), strict=True):
        rows = _positions(table["id"], ids)
        parts += _read_all(read, table["at"][rows], table["length"][rows])
    return parts


def _by_symbol_file(modules: Sequence[Module]) -> dict[str, list[Module]]:
    """Modules by where the stackwalker looks for their symbols, below a store."""
    by_file: dict[str, list[Module]] = {}
    for module in modules:
        name = (module.debug_file or module.name).replace("\\", "/").rsplit("/", 1)[-1]
        if not module.debug_id or name in ("", ".", "..") or "\0" in name:
            continue
        file = f"{name[:-4] if name.lower().endswith('.pdb') else name}.sym"
        by_file.setdefault(f"{name}/{module.debug_id}/{file}", []).append(module)
    return by_file


def _addresses_within(modules: Sequence[Module], candidates: Addresses) -> Addresses:
    """The candidates in any of these modules, relative to it."""
    pieces = []
    for module in modules:
        first, last = numpy.searchsorted(candidates, numpy.array([module.base, module.end - 1], numpy.uint64))
        if last < len(candidates) and int(candidates[last]) == module.end - 1:
            last += 1
        pieces.append(candidates[first:last] - numpy.uint64(module.base))
    return pieces[0] if len(pieces) == 1 else numpy.sort(numpy.concatenate(pieces))


def _covering(table: Table, addresses: Addresses) -> tuple[Integers, Integers, Addresses]:
    """The rows that cover an address; those before an address that none covers; the addresses that none covers."""
    rows = numpy.searchsorted(table["start"], addresses, "right") - 1
    behind_one = rows >= 0
    inside = behind_one.copy()
    inside[behind_one] = (addresses[behind_one] - table["start"][rows[behind_one]]) < table["size"][rows[behind_one]]
    return _once(rows[inside]), _once(rows[behind_one & ~inside]), addresses[~inside]


def _publics_for(publics: Table, functions: Table, addresses: Addresses) -> Integers:
    """The PUBLIC before each of these addresses, but for those that end before it, at a FUNC."""
    rows = numpy.searchsorted(publics["start"], addresses, "right") - 1
    behind_one = rows >= 0
    rows, addresses = rows[behind_one], addresses[behind_one]
    before = numpy.searchsorted(functions["start"], addresses, "right") - 1
    reaches = before < 0
    reaches[~reaches] = publics["start"][rows[~reaches]] > functions["start"][before[~reaches]]
    return _once(rows[reaches])


def _once(rows: Integers) -> Integers:
    """Each of these sorted numbers once."""
    if not len(rows):
        return rows
    each: Integers = rows[numpy.concatenate([[True], rows[1:] != rows[:-1]])]
    return each


def _positions(table: Integers, wanted: Integers) -> Integers:
    """Where those of the ``wanted`` that are in the sorted ``table`` stand in it."""
    # Of one type with the table, else all of that would be converted.
    wanted = wanted[wanted <= numpy.iinfo(table.dtype).max].astype(table.dtype)
    rows = numpy.searchsorted(table, wanted)
    rows, wanted = rows[rows < len(table)], wanted[rows < len(table)]
    found: Integers = rows[table[rows] == wanted]
    return found


def _read_all(read: Callable[[int, int], bytes], places: Integers, lengths: Integers) -> list[bytes]:
    """The pieces of a file at these places, in this order; what is close together is read at once."""
    if not len(places):
        return []
    begin = places.astype(numpy.int64)
    end = begin + lengths
    order = numpy.argsort(begin, kind="stable")
    first = numpy.concatenate([[0], numpy.flatnonzero(begin[order][1:] - end[order][:-1] > _GAP) + 1])
    last = numpy.concatenate([first[1:], [len(order)]])
    pieces: list[bytes] = [b""] * len(order)
    begins, ends, positions = begin[order].tolist(), end[order].tolist(), order.tolist()
    for low, high in zip(first.tolist(), last.tolist(), strict=True):
        start = begins[low]
        length = max(ends[low:high]) - start
        data = read(length, start)
        if len(data) != length:
            raise NotSliceable("the file is shorter than when it was indexed")
        for each in range(low, high):
            pieces[positions[each]] = data[begins[each] - start : ends[each] - start]
    return pieces


def _with_size(line: bytes, size: int) -> bytes:
    """A STACK WIN line, cut where the next one begins."""
    words = line.split(b" ", 5)
    words[4] = b"%x" % size
    return b" ".join(words)
