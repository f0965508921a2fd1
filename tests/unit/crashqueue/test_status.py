"""The status of the queues, for a terminal or a page."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from socorro_processor.crashqueue.base import QUEUES, Depth, Depths, InFlight, InFlightAt, PendingCrash
from socorro_processor.crashqueue.status import QueueStatus, count_purgeable

MOMENT = datetime(2016, 11, 23, tzinfo=UTC)
DEPTHS = Depths({name: Depth(waiting=7, delayed=2, in_flight=3) for name in QUEUES}, parked=4, rejected=5)


@pytest.mark.parametrize(("name", "count"), [("normal", 9), ("parked", 4), ("rejected", 5)])
def test_a_purge_would_forget_waiting_and_delayed_crashes_or_those_set_aside(name, count):
    assert count_purgeable(DEPTHS, name) == count


def test_a_number_is_unknown_if_a_consumer_does_not_answer():
    found = InFlight({"normal": 3}, {"normal": 1}, silent={"normal": 1, "priority": 2})
    status = QueueStatus(DEPTHS, found, with_ids=False)
    assert [status.in_work(name) for name in QUEUES] == ["?", "3+?", "0"]
    assert status.prefetched("normal") == "1+?"
    assert [status.as_object()["queues"][name]["in_flight"] for name in QUEUES] == [None, None, 0]


@pytest.mark.parametrize(
    ("crash", "why"),
    [
        ({"state": "in work"}, "in work"),
        ({"state": "in work", "reason": "S3 is away"}, "in work; its last attempt failed: S3 is away"),
        ({"state": "taken"}, "taken, waits for a free thread"),
        ({"state": "prefetched"}, "prefetched"),
        ({"state": "prefetched", "process": "b"}, "prefetched; its process takes no crashes now: the disk is full"),
        ({"state": "prefetched", "process": "b", "reason": "x"}, "prefetched; its last attempt failed: x"),
        ({"state": "prefetched", "due": MOMENT}, "prefetched, not taken before 2016-11-23T00:00:00+00:00"),
        ({"state": "delayed", "due": MOMENT, "reason": "x"}, "delayed until 2016-11-23T00:00:00+00:00: x"),
        ({"state": "in work", "process": "b"}, "in work"),
    ],
)
def test_the_status_says_why_a_crash_is_where_it_is(crash, why):
    processes = (InFlightAt("a", {}, {}), InFlightAt("b", {}, {}, pause="the disk is full"))
    status = QueueStatus(DEPTHS, InFlight({}, {}, processes=processes), with_ids=True)
    assert status.why(PendingCrash("id", "normal", **crash)) == why


def test_crashes_that_are_counted_but_not_listed_are_reported_by_place():
    crashes = tuple(PendingCrash("id", "normal", state) for state in ("in work", "delayed"))
    found = InFlight({"normal": 3, "priority": 1}, {"normal": 2}, crashes=crashes)
    assert QueueStatus(DEPTHS, found, with_ids=True).not_listed() == {"in flight": 5, "delayed": 5}
