"""Reads a symbol file once, in pieces, and makes its index."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from socorro_processor.symbols.index import FileState, SymbolIndex, Table
from socorro_processor.symbols.records import (
    Integers,
    Kinds,
    Lines,
    NotSliceable,
    decimal,
    hexadecimal,
    in_chunks,
    lines_in,
    skip_m,
)
from socorro_processor.symbols.survivors import cut_in_file_order, survivors

CHUNK = 16 << 20
_PUBLIC = re.compile(rb"PUBLIC (?:m )?[0-9a-fA-F]+ ([0-9a-fA-F]+)[ \t]+([^\r\n]*)")
MAXIMUM_FILE = (4 << 30) - 1
"""Places in a file are numbers of 32 bits."""


def build(path: Path, stackwalker: str, *, corrupt: bool = False, chunk: int = CHUNK) -> SymbolIndex:
    """The index of a symbol file, of which the stackwalker of this version said whether it is ``corrupt``.

    Raises OSError. A file that cannot be sliced gets an index that says so.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        file = FileState.of(os.fstat(descriptor))
        if corrupt:
            return SymbolIndex(file, stackwalker, corrupt=True)
        try:
            if file.size > MAXIMUM_FILE:
                raise NotSliceable(f"larger than {MAXIMUM_FILE} bytes")
            reading = _Reading(descriptor, file)
            for data, at in in_chunks(lambda size, at: os.pread(descriptor, size, at), file.size, chunk):
                reading.add(lines_in(data, at))
            index = reading.index(stackwalker)
        except NotSliceable as error:
            return SymbolIndex(file, stackwalker, unsliceable=str(error))
        if FileState.of(os.fstat(descriptor)) != file:
            return SymbolIndex(file, stackwalker, unsliceable="it changed while it was read")
        return index
    finally:
        os.close(descriptor)


class _Column:
    """Numbers that come piece by piece."""

    def __init__(self, dtype: type = numpy.uint32) -> None:
        self._dtype = dtype
        self._pieces: list[NDArray[Any]] = []

    def add(self, values: Integers) -> None:
        self._pieces.append(values.astype(self._dtype))

    def set_last(self, value: int) -> None:
        self._pieces[-1][-1] = value

    def take(self) -> NDArray[Any]:
        together = numpy.concatenate(self._pieces) if self._pieces else numpy.empty(0, self._dtype)
        self._pieces = []
        return together


class _Records:
    """Records of one kind: address, size, and where in the file each is."""

    def __init__(self) -> None:
        self.start, self.size = _Column(numpy.uint64), _Column()
        self.at, self.end, self.header = _Column(), _Column(), _Column()
        self.open = False
        """The end of the last one is not known yet."""

    def add_blocks(self, at: Integers, line_ends: Integers, enders: Integers) -> None:
        """Records that go on until the next ender. ``at`` and all others are places in the file."""
        if self.open and len(enders):
            self.end.set_last(int(enders[0]))
            self.open = False
        if not len(at):
            return
        following = numpy.searchsorted(enders, at, "right")
        self.open = bool(following[-1] == len(enders))
        self.at.add(at)
        self.header.add(line_ends + 1 - at)
        self.end.add(numpy.concatenate([enders, [0]])[following])

    def add_lines(self, at: Integers, line_ends: Integers) -> None:
        self.at.add(at)
        self.end.add(line_ends + 1)

    def close(self, end: int) -> None:
        if self.open:
            self.end.set_last(end)


class _Reading:
    """What has been read so far."""

    def __init__(self, descriptor: int, file: FileState) -> None:
        self._descriptor = descriptor
        self._file = file
        self._functions, self._cfi, self._publics = _Records(), _Records(), _Records()
        self._wins = {ord("4"): _Records(), ord("0"): _Records()}
        self._files, self._origins = _Records(), _Records()
        self._module = self._url = b""
        self._read = 0

    def add(self, lines: Lines) -> None:
        kinds = Kinds(lines)
        data, at = lines.data, lines.at
        starts, ends = kinds.records, kinds.record_ends
        self._read = at + int(lines.ends[-1]) + 1

        def chosen(which: NDArray[numpy.bool_]) -> tuple[Integers, Integers]:
            return starts[which], ends[which]

        # A FUNC ends with the next record that is none of its own; a delta never follows one directly.
        ending = starts[~(kinds.inlines | kinds.origins | kinds.cfi_deltas)] + at
        places, line_ends = chosen(kinds.functions)
        self._functions.add_blocks(places + at, line_ends + at, ending)
        address, place = hexadecimal(data, skip_m(data, places + len("FUNC ")))
        self._functions.start.add(address)
        self._functions.size.add(hexadecimal(data, place, 8)[0])

        places, line_ends = chosen(kinds.cfi_inits)
        self._cfi.add_blocks(places + at, line_ends + at, starts[~kinds.cfi_deltas] + at)
        address, place = hexadecimal(data, places + len("STACK CFI INIT "))
        self._cfi.start.add(address)
        self._cfi.size.add(hexadecimal(data, place, 8)[0])

        places, line_ends = chosen(kinds.publics)
        self._publics.add_lines(places + at, line_ends + at)
        self._publics.start.add(hexadecimal(data, skip_m(data, places + len("PUBLIC ")))[0])

        self._add_wins(data, at, *chosen(kinds.wins))
        for records, which, word in (
            (self._files, kinds.files, "FILE "),
            (self._origins, kinds.origins, "INLINE_ORIGIN "),
        ):
            places, line_ends = chosen(which)
            records.add_lines(places + at, line_ends + at)
            records.start.add(decimal(data, places + len(word))[0])

        for place, end in zip(*(each.tolist() for each in chosen(kinds.modules)), strict=True):
            self._module = data[place : end + 1].tobytes()
        places, line_ends = chosen(kinds.infos)
        for place, end in zip(places.tolist(), line_ends.tolist(), strict=True):
            if data[place + 4 : place + 9].tobytes() in (b" URL ", b" URL\t"):
                self._url = data[place : end + 1].tobytes()

    def _add_wins(self, data: NDArray[numpy.uint8], at: int, places: Integers, line_ends: Integers) -> None:
        kind, behind_kind = hexadecimal(data, places + len("STACK WIN "), 1)
        del kind
        address, place = hexadecimal(data, behind_kind)
        size, place = hexadecimal(data, place, 8)
        for _ in range(6):
            place = hexadecimal(data, place, 8)[1]
        letters, has_program = data[behind_kind - 2], data[place] == ord("1")
        for letter, records in self._wins.items():
            # The stackwalker drops those that contradict themselves.
            chosen = (letters == letter) & (has_program == (letter == ord("4")))
            records.add_lines(places[chosen] + at, line_ends[chosen] + at)
            records.start.add(address[chosen])
            records.size.add(size[chosen])

    def index(self, stackwalker: str) -> SymbolIndex:
        self._functions.close(self._read)
        self._cfi.close(self._read)
        tables = {
            "functions": _ranges(self._functions, header=True),
            "publics": self._winning_publics(),
            "cfi": _ranges(self._cfi),
            "win_frame_data": _ranges(self._wins[ord("4")], cut=True),
            "win_fpo": _ranges(self._wins[ord("0")], cut=True),
            "files": _definitions(self._files),
            "origins": _definitions(self._origins),
        }
        return SymbolIndex(self._file, stackwalker, module=self._module, url=self._url, tables=tables)

    def _winning_publics(self) -> Table:
        """Of those with one address the last by name, then by parameter size."""
        start, at, end = self._publics.start.take(), self._publics.at.take(), self._publics.end.take()
        order = numpy.argsort(start, kind="stable")
        start, at, end = start[order], at[order], end[order]
        winner = numpy.ones(len(start), bool)
        same = numpy.concatenate([start[1:] == start[:-1], [False]]) if len(start) else numpy.empty(0, bool)
        group: list[int] = []
        for position in numpy.flatnonzero(same | numpy.roll(same, 1)).tolist():
            group.append(position)
            if not same[position]:
                keys = [self._public_key(int(at[each]), int(end[each])) for each in group]
                winner[group] = False
                winner[group[max(range(len(group)), key=keys.__getitem__)]] = True
                group = []
        return {"start": start[winner], "at": at[winner], "length": end[winner] - at[winner]}

    def _public_key(self, at: int, end: int) -> tuple[bytes, int]:
        public = _PUBLIC.match(os.pread(self._descriptor, end - at, at))
        if public is None:
            raise NotSliceable("a PUBLIC that is written in an unusual way")
        return public[2], int(public[1], 16)


def _ranges(records: _Records, *, header: bool = False, cut: bool = False) -> Table:
    """The survivors of what covers a range of addresses."""
    start, size, at, end = records.start.take(), records.size.take(), records.at.take(), records.end.take()
    headers = records.header.take() if header else None
    # Empty ones are none, nor are those whose end is no address any more: the sum begins again at 0.
    behind = start + size.astype(numpy.uint64)
    valid = numpy.flatnonzero(behind > start)
    last = behind[valid] - numpy.uint64(1)
    if cut:
        positions, last = cut_in_file_order(start[valid], last)
        valid = valid[positions]
    kept = survivors(start[valid], last)
    chosen = valid[kept]
    table = {
        "start": start[chosen],
        "size": (last[kept] - start[chosen] + numpy.uint64(1)).astype(numpy.uint32),
        "at": at[chosen],
        "length": end[chosen] - at[chosen],
    }
    if headers is not None:
        table["header"] = headers[chosen]
    return table


def _definitions(records: _Records) -> Table:
    """Of those with one id the last."""
    ids, at, end = records.start.take(), records.at.take(), records.end.take()
    order = numpy.argsort(ids, kind="stable")
    ids, at, end = ids[order], at[order], end[order]
    last = numpy.concatenate([ids[1:] != ids[:-1], [True]]) if len(ids) else numpy.empty(0, bool)
    return {"id": ids[last].astype(numpy.uint32), "at": at[last], "length": end[last] - at[last]}
