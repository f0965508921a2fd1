"""The page ``/`` while there is no crash to show: how to send one, and where those are that were sent.

It loads itself again until a crash is there, so that whoever sends the first one sees it come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from socorro_processor.collector.collector import CollectorStatus
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.errors import CrashQueueError
from socorro_processor.layout import counted
from socorro_processor.web.pages.answer import Answer
from socorro_processor.web.pages.rendering import Pages

RELOAD_AFTER = 5
"""Seconds."""


@dataclass(frozen=True)
class ArrivalSources:
    """The places of crashes on their way to the pages. Threads may share it."""

    has_crashes: Callable[[], bool]
    """Returns True if any crash ever came; may read a store."""
    spool: Callable[[], CollectorStatus]
    queue: Callable[[], AbstractContextManager[CrashQueueBase]]
    """Opens the queue. Raises CrashQueueError."""


def start_page(pages: Pages, arrivals: ArrivalSources, origin: str, notices: Sequence[str], *, reload: bool) -> Answer:
    """Return the page. ``origin`` is how this request named the server; ``notices`` say what the index lacks."""
    is_first = not arrivals.has_crashes()
    on_the_way = list(_on_the_way(arrivals))
    html = pages.render(
        "start.html",
        origin=origin,
        # The first crash makes the index: until then nothing is wrong.
        notices_of_index=[] if is_first or (on_the_way and reload) else notices,
        is_first=is_first,
        on_the_way=on_the_way,
        reload_after=RELOAD_AFTER if reload else 0,
    )
    return Answer(200, html)


def _on_the_way(arrivals: ArrivalSources) -> Iterator[str]:
    """Yield where crashes are that no page shows yet."""
    spool = arrivals.spool()
    if spool.crashes:
        why = f": {spool.waits_for}" if spool.waits_for else ""
        yield f"{_crashes(spool.crashes, 'is', 'are')} in the spool, on the way to store and queue{why}."
    if spool.failing:
        yield f"No crash can be taken now: {spool.failing}."
    try:
        with arrivals.queue() as queue:
            depths = queue.depths()
    except CrashQueueError as error:
        yield f"How many crashes wait in the queue is not known: {error}"
        return
    waiting = sum(each.waiting + each.delayed for each in depths.queues.values())
    if waiting:
        yield f"{_crashes(waiting, 'waits', 'wait')} in the queue, to be processed."
    if set_aside := depths.parked + depths.rejected:
        yield f"{_crashes(set_aside, 'was', 'were')} set aside, because processing failed."


def _crashes(number: int, verb: str, verbs: str) -> str:
    return counted(number, f"crash {verb}", f"crashes {verbs}")
