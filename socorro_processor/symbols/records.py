"""Finding the records of a Breakpad symbol file, many lines at a time.

The file has been judged by the stackwalker before (``verdict``), so that each line is known to be one that
it takes. What is read here is read as the stackwalker reads it; a line that it takes, but that is written
in an unusual way (two spaces, a tab), raises NotSliceable instead of being guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy
from numpy.typing import NDArray

from socorro_processor.errors import SocorroError

MAXIMUM_LINE = 75_000
"""Bytes. From 80,000 on, the stackwalker may skip a line."""

_ID_DIGITS = 10
_FEW = 1 << 20
"""Up to here a mark for each number costs less than to sort them."""
_INLINE = re.compile(rb"\nINLINE [0-9]+ [0-9]+ ([0-9]{1,10}) ([0-9]{1,10}) ")

Bytes = NDArray[numpy.uint8]
Integers = NDArray[Any]

_HEX = numpy.full(256, 255, numpy.uint8)
_HEX[numpy.frombuffer(b"0123456789abcdef", numpy.uint8)] = numpy.arange(16)
_HEX[numpy.frombuffer(b"ABCDEF", numpy.uint8)] = numpy.arange(10, 16)
_DECIMAL = numpy.where(_HEX < 10, _HEX, 255).astype(numpy.uint8)
_SPACE, _TAB, _CR, _LF = b" \t\r\n"


class NotSliceable(SocorroError):
    """A symbol file that is not understood well enough: it is used in full."""


@dataclass(frozen=True)
class Lines:
    """Some whole lines of a file."""

    data: Bytes
    """With a few bytes of padding behind."""
    at: int
    """Where in the file they begin."""
    starts: Integers
    """Of each line in ``data``."""
    ends: Integers
    """Of each line: where its line feed is."""


def lines_in(data: bytes, at: int) -> Lines:
    """Of ``data``, which ends with a line feed. Raises NotSliceable."""
    array = numpy.frombuffer(data + bytes(64), numpy.uint8)
    ends = numpy.flatnonzero(array == _LF)
    starts = numpy.concatenate([[0], ends[:-1] + 1])
    if len(ends) and int((ends - starts).max()) > MAXIMUM_LINE:
        raise NotSliceable(f"a line of more than {MAXIMUM_LINE} bytes")
    return Lines(array, at, starts, ends)


class Kinds:
    """The lines of each kind, as places in ``lines.data``."""

    def __init__(self, lines: Lines) -> None:
        self._data = lines.data
        starts = lines.starts
        first = lines.data[starts]
        second = lines.data[starts + 1]
        is_f = first == ord("F")
        f_records = is_f & ((second == ord("U")) | (second == ord("I")))
        # Everything else is a line of a FUNC: it begins with a hexadecimal digit.
        is_record = f_records | (_HEX[first] == 255)
        self.records = starts[is_record]
        self.record_ends = lines.ends[is_record]
        first, second = first[is_record], second[is_record]
        self.functions = self._among(first == ord("F"), b"FUNC ")
        self.files = self._among(first == ord("F"), b"FILE ")
        self.publics = self._among(first == ord("P"), b"PUBLIC ")
        self.modules = self._among(first == ord("M"), b"MODULE ")
        is_s, is_i = first == ord("S"), first == ord("I")
        self.wins = self._among(is_s, b"STACK WIN ")
        self.cfis = self._among(is_s, b"STACK CFI ")
        self.cfi_inits = self._among(self.cfis, b"STACK CFI INIT ")
        self.cfi_deltas = self.cfis & ~self.cfi_inits
        self.infos = self._among(is_i, b"INFO")
        self.origins = self._among(is_i, b"INLINE_ORIGIN ")
        self.inlines = self._among(is_i, b"INLINE ")
        blank = (first == _CR) | (first == _LF)
        known = self.functions | self.files | self.publics | self.modules | self.wins | self.cfis | self.infos
        if not (known | self.origins | self.inlines | blank).all():
            raise NotSliceable("a line of an unknown kind")

    def _among(self, might: NDArray[numpy.bool_], word: bytes) -> NDArray[numpy.bool_]:
        """Those lines of ``might`` that begin with ``word``."""
        positions = numpy.flatnonzero(might)
        places = self.records[positions]
        for offset, byte in enumerate(word):
            matches = self._data[places + offset] == byte
            positions, places = positions[matches], places[matches]
        found = numpy.zeros(len(self.records), bool)
        found[positions] = True
        return found


def hexadecimal(data: Bytes, places: Integers, digits: int = 16) -> tuple[Integers, Integers]:
    """The numbers at these places, and where the word behind each begins."""
    return _numbers(data, places, digits, 4, _HEX)


def decimal(data: Bytes, places: Integers) -> tuple[Integers, Integers]:
    return _numbers(data, places, 10, 0, _DECIMAL)


def _numbers(data: Bytes, places: Integers, digits: int, shift: int, values: Bytes) -> tuple[Integers, Integers]:
    """Each number has one space behind it, and then a word (or the end of the line)."""
    numbers = numpy.zeros(len(places), numpy.uint64)
    begins, places = places, places.copy()
    active = numpy.arange(len(places))
    for _ in range(digits):
        digit = values[data[places[active]]]
        active = active[digit != 255]
        if not len(active):
            break
        digit = digit[digit != 255].astype(numpy.uint64)
        numbers[active] = (numbers[active] << numpy.uint64(4) if shift else numbers[active] * numpy.uint64(10)) + digit
        places[active] += 1
    behind = data[places + 1]
    if (places == begins).any() or (data[places] != _SPACE).any() or (behind == _SPACE).any() or (behind == _TAB).any():
        raise NotSliceable("a line that is written in an unusual way")
    return numbers, places + 1


def skip_m(data: Bytes, places: Integers) -> Integers:
    """Past the ``m`` of a FUNC or PUBLIC whose code several functions share."""
    return numpy.where((data[places] == ord("m")) & (data[places + 1] == _SPACE), places + 2, places)


def in_chunks(read: Any, size: int, chunk: int) -> Iterator[tuple[bytes, int]]:
    """Whole lines of a file, with where they begin; what follows the last line feed is left out."""
    at = 0
    while at < size:
        data: bytes = read(min(chunk, size - at), at)
        length = data.rfind(b"\n") + 1
        if not length:
            if at + len(data) < size:
                raise NotSliceable(f"a line of more than {MAXIMUM_LINE} bytes")
            return
        yield data[:length], at
        at += length


def identifiers(records: bytes) -> tuple[Integers, Integers]:
    """The ids that FUNC blocks name: of FILE, and of INLINE_ORIGIN; sorted, maybe some that they do not name."""
    if not records:
        return numpy.empty(0, numpy.uint64), numpy.empty(0, numpy.uint64)
    data = numpy.frombuffer(bytes(_ID_DIGITS) + records, numpy.uint8)
    # A line of a FUNC ends with its file.
    ends = numpy.flatnonzero(data == _LF)
    while (returns := data[ends - 1] == _CR).any():
        ends = numpy.where(returns, ends - 1, ends)
    files, rows = numpy.zeros(len(ends), numpy.uint64), numpy.arange(len(ends))
    for place in range(_ID_DIGITS):
        digits = data[ends[rows] - (place + 1)] - numpy.uint8(ord("0"))
        more = digits < 10
        rows, digits = rows[more], digits[more]
        if not len(rows):
            break
        files[rows] += digits * numpy.uint64(10**place)
    if b"\nINLINE " not in records:
        return _distinct(files), files[:0]
    inlines = _INLINE.findall(records)
    if len(inlines) != records.count(b"\nINLINE "):
        raise NotSliceable("an INLINE that is written in an unusual way")
    call_files, origins = (
        numpy.fromstring(b" ".join(ids), numpy.uint64, sep=" ") for ids in zip(*inlines, strict=True)
    )
    return _distinct(numpy.concatenate([files, call_files])), _distinct(origins)


def _distinct(numbers: Integers) -> Integers:
    """Each once, sorted."""
    highest = int(numbers.max())
    if highest < _FEW:
        there = numpy.zeros(highest + 1, bool)
        there[numbers.astype(numpy.intp)] = True
        return numpy.flatnonzero(there).astype(numpy.uint64)
    numbers = numpy.sort(numbers)
    each: Integers = numbers[numpy.concatenate([[True], numbers[1:] != numbers[:-1]])]
    return each
