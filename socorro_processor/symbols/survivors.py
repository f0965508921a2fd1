"""Which records of a symbol file the stackwalker keeps, where several claim the same addresses.

Its rules, for all that covers a range of addresses (FUNC, STACK CFI INIT, STACK WIN): sorted by start, then
by end, then in the order of the file, a record is kept unless it overlaps the one kept before it. STACK WIN
are first cut as they are read, each type by itself (``cut_in_file_order``).
"""

from __future__ import annotations

from typing import Any

import numpy
from numpy.typing import NDArray

Integers = NDArray[Any]


def survivors(starts: Integers, ends: Integers) -> Integers:
    """The positions of the kept records, by address. ``ends`` are inclusive; both in the order of the file."""
    order = numpy.lexsort((ends, starts))
    starts, ends = starts[order], ends[order]
    if not len(order):
        return order
    kept = numpy.ones(len(order), bool)
    # What lies behind all that came before it is kept, whatever became of the others; only between two
    # of these does one decision depend on another.
    reach = numpy.maximum.accumulate(ends)
    kept[1:] = starts[1:] > reach[:-1]
    doubtful = numpy.flatnonzero(~kept)
    if len(doubtful):
        last_of_group = numpy.flatnonzero(numpy.diff(doubtful) > 1)
        firsts = doubtful[numpy.concatenate([[0], last_of_group + 1])]
        lasts = doubtful[numpy.concatenate([last_of_group, [len(doubtful) - 1]])]
        for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
            _keep_what_does_not_overlap(kept, starts, ends, first, last)
    return order[kept]


def _keep_what_does_not_overlap(
    kept: NDArray[numpy.bool_], starts: Integers, ends: Integers, at: int, last: int
) -> None:
    """From ``at`` to ``last``, behind a record that is kept."""
    end = ends[at - 1]
    while True:
        at += int(numpy.searchsorted(starts[at : last + 1], end, "right"))
        if at > last:
            return
        kept[at] = True
        end = ends[at]
        at += 1


def cut_in_file_order(starts: Integers, ends: Integers) -> tuple[Integers, Integers]:
    """The positions of the STACK WIN records of one type that are not dropped, and their inclusive ends.

    A record that begins within the one before it is where that one ends; another one that overlaps it
    is dropped, unless both are the same range.
    """
    ends = ends.copy()
    kept = numpy.ones(len(starts), bool)
    overlaps = (starts[1:] <= ends[:-1]) & (ends[1:] >= starts[:-1])
    # Only these, and what follows one that was dropped, differ from records that have nothing in common.
    at = 0
    overlapping = numpy.flatnonzero(overlaps) + 1
    for found in overlapping.tolist():
        if found < at:
            continue
        at, before = found, found - 1
        while at < len(starts):
            if starts[at] <= ends[before] and ends[at] >= starts[before]:
                if starts[at] > starts[before]:
                    ends[before] = starts[at] - starts.dtype.type(1)
                elif starts[at] != starts[before] or ends[at] != ends[before]:
                    kept[at] = False
                    at += 1
                    continue
            before, at = at, at + 1
            if at < len(starts) and not overlaps[at - 1]:
                break
    positions = numpy.flatnonzero(kept)
    return positions, ends[positions]
