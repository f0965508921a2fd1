"""Finds the addresses of modules among all words of a dump's memory, of each of which most are none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy
from numpy.typing import NDArray

from socorro_processor.symbols.dump_file import limit

Addresses = NDArray[numpy.uint64]

MAXIMUM_CANDIDATES = 1_000_000
_CHUNK = 1 << 20
_MAXIMUM_RANGES = 8


class Cpu(NamedTuple):
    """What has to be known of a processor to find addresses."""

    name: str
    pointer_size: int
    stack_pointer: int
    """Where in a context it stands."""
    steps: tuple[int, ...]
    """By what a return address is lowered, to come to the call before it."""


X86 = Cpu("x86", 4, 0xC4, (0, 1))
AMD64 = Cpu("amd64", 8, 0x98, (0, 1))
ARM = Cpu("arm", 4, 0x38, (0, 1, 2))
# The old and the new form of a context have it at the same place.
ARM64 = Cpu("arm64", 8, 0x100, (0, 1, 4))


class AddressSearch:
    """Collects addresses that are in modules."""

    def __init__(self, cpu: Cpu, spans: Iterable[tuple[int, int]]) -> None:
        """``spans``: the first and the last address of each module, of which there is one at least."""
        spans = sorted(spans)
        self._cpu = cpu
        self._gaps = _gaps(spans)
        # Pointer authentication uses the bits above the highest one of an address. The stackwalker goes by the
        # last module that it keeps, which of overlapping ones need not be the one that reaches farthest.
        lengths = {(spans[-1][1] + 1).bit_length(), (max(last for _, last in spans) + 1).bit_length()}
        self._masks = [(1 << min(length, 64)) - 1 for length in lengths] if cpu is ARM64 else []
        # Most words are told to be none by 16 of their bits, by a few ranges of them, and then by a table.
        self._bits_at = 2 if cpu.pointer_size == 4 else 4
        self._near = _near(spans, 8 * self._bits_at, cpu.steps[-1], self._masks)
        self._ranges = _ranges(self._near)
        self._waiting: list[bytes] = []
        self._size_waiting = 0
        self._found: list[Addresses] = []
        self._count = 0

    def look_at(self, data: bytes) -> None:
        """Every word in these bytes, at every place. Raises NotUnderstood where too many are addresses."""
        # Many small ones are looked at together; words that are half in the one and half in the next do no harm.
        self._waiting.append(data)
        self._size_waiting += len(data)
        if self._size_waiting >= _CHUNK:
            self._look()

    def found(self) -> Addresses:
        """Sorted, each once."""
        self._look()
        self._compact()
        return self._found[0]

    def _look(self) -> None:
        data = b"".join(self._waiting)
        self._waiting, self._size_waiting = [], 0
        size = self._cpu.pointer_size
        count = len(data) - size + 1
        if count <= 0:
            return
        bits = numpy.ndarray((count,), "<u2", data, self._bits_at, (1,))
        # First at every other place, then at those between: words that overlap are slow.
        places = numpy.concatenate([numpy.flatnonzero(self._in_ranges(bits[first::2])) * 2 + first for first in (0, 1)])
        places = places[self._near[bits[places]]]
        near = numpy.ndarray((count,), f"<u{size}", data, 0, (1,))[places]
        pointers = self._without_marks(_sorted_once(near.astype(numpy.uint64)))
        for step in self._cpu.steps:
            addresses = pointers[pointers >= step] - numpy.uint64(step)
            inside = addresses[(numpy.searchsorted(self._gaps, addresses, "right") & 1) == 1]
            self._found.append(inside)
            self._count += len(inside)
        if self._count > 2 * MAXIMUM_CANDIDATES:
            self._compact()

    def _in_ranges(self, bits: NDArray[numpy.uint16]) -> NDArray[numpy.bool_]:
        within = numpy.empty(len(bits), numpy.uint16)
        in_range = numpy.empty(len(bits), bool)
        in_any = numpy.zeros(len(bits), bool)
        for first, last in self._ranges:
            numpy.subtract(bits, first, out=within)
            numpy.less_equal(within, last - first, out=in_range)
            in_any |= in_range
        return in_any

    def _without_marks(self, words: Addresses) -> Addresses:
        """These, and what they are without the bits that are none of an address."""
        variants = [words, *(words & numpy.uint64(mask) for mask in self._masks)]
        if self._cpu is ARM:  # the lowest bit tells that it is Thumb code
            variants.append(words & numpy.uint64(0xFFFFFFFE))
        return _sorted_once(numpy.concatenate(variants), kind="stable") if len(variants) > 1 else words

    def _compact(self) -> None:
        together = numpy.concatenate(self._found) if self._found else numpy.empty(0, numpy.uint64)
        self._found = [_sorted_once(together, kind="stable")]
        self._count = len(self._found[0])
        limit(self._count, MAXIMUM_CANDIDATES, "addresses in modules")


def _gaps(spans: list[tuple[int, int]]) -> Addresses:
    """Beginnings and ends in turn of what modules cover: an address is covered if an odd number are at or below it."""
    bases = numpy.array([base for base, _ in spans], numpy.uint64)
    # The highest last address of this module and all before it; of those that overlap, the union counts.
    lasts = numpy.maximum.accumulate(numpy.array([last for _, last in spans], numpy.uint64))
    separate = numpy.concatenate([[True], bases[1:] > lasts[:-1]])
    begins = bases[separate]
    ends = numpy.concatenate([lasts[:-1][separate[1:]], lasts[-1:]])
    both = numpy.empty(2 * len(begins), numpy.uint64)
    both[0::2], both[1::2] = begins, ends + numpy.uint64(1)
    # Behind the last address of all there is nothing.
    return both[:-1] if both[-1] == 0 else both


def _near(spans: list[tuple[int, int]], shift: int, step: int, masks: list[int]) -> NDArray[numpy.bool_]:
    """Which 16 bits (above ``shift``) a word has that is in a module, or up to a step behind one."""
    near = numpy.zeros(1 << 16, bool)
    for base, last in spans:
        first, end = base >> shift, (last + step) >> shift
        if end - first >= 0xFFFF:
            near[:] = True
            break
        first, end = first & 0xFFFF, end & 0xFFFF
        if first > end:
            near[first:] = True
            first = 0
        near[first : end + 1] = True
    bits = numpy.arange(1 << 16)
    alone = near.copy()
    for mask in masks:
        near |= alone[bits & (mask >> shift & 0xFFFF)]
    return near


def _ranges(near: NDArray[numpy.bool_]) -> list[tuple[numpy.uint16, numpy.uint16]]:
    """A few that hold, between their first and their last number, all for which the table says yes."""
    numbers = numpy.flatnonzero(near).astype(numpy.uint16)
    gaps = numpy.diff(numbers)
    # Between them are the widest of the gaps.
    behind = numpy.sort(numpy.argsort(gaps)[-(_MAXIMUM_RANGES - 1) :])
    behind = behind[gaps[behind] > 1]
    return list(zip(numbers[[0, *(behind + 1)]], numbers[[*behind, -1]], strict=True))


def _sorted_once(addresses: Addresses, kind: Literal["quicksort", "stable"] = "quicksort") -> Addresses:
    """By sorting: ``numpy.unique`` may hash, which is slower by far. "stable" merges what is sorted piece by piece."""
    addresses = numpy.sort(addresses, kind=kind)
    if not len(addresses):
        return addresses
    kept: Addresses = addresses[numpy.concatenate([[True], addresses[1:] != addresses[:-1]])]
    return kept
