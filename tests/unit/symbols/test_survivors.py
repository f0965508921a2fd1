"""The vectorised rules against the plain ones."""

import numpy
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.symbols.survivors import cut_in_file_order, survivors

RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 25)), max_size=25).map(
    lambda pairs: [(start, start + size - 1) for start, size in pairs]
)


def columns(ranges):
    array = numpy.array(ranges, numpy.uint64).reshape(-1, 2)
    return array[:, 0], array[:, 1]


@given(RANGES)
def test_the_first_of_overlapping_records_survives(ranges):
    kept = []
    for position in sorted(range(len(ranges)), key=lambda each: ranges[each]):
        if not kept or ranges[position][0] > ranges[kept[-1]][1]:
            kept.append(position)
    assert survivors(*columns(ranges)).tolist() == kept


@given(RANGES)
def test_stack_win_are_cut_where_the_next_one_begins(ranges):
    kept = []
    for position, (start, end) in enumerate(ranges):
        if kept:
            before, (last_start, last_end) = kept[-1]
            if start <= last_end and end >= last_start:
                if start > last_start:
                    kept[-1] = before, (last_start, start - 1)
                elif (start, end) != (last_start, last_end):
                    continue
        kept.append((position, (start, end)))
    positions, ends = cut_in_file_order(*columns(ranges))
    assert positions.tolist() == [position for position, _ in kept]
    assert ends.tolist() == [end for _, (_, end) in kept]
